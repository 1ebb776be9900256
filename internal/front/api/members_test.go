package api

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/odradek/odradek/internal/base/bubble"
	"github.com/odradek/odradek/internal/cluster/controller"
	"github.com/odradek/odradek/internal/cluster/member"
	"github.com/odradek/odradek/internal/cluster/metadata"
	"github.com/odradek/odradek/internal/cluster/quorum"
	"github.com/odradek/odradek/internal/proto/model"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// asker passes requests of a node's own to a server in envelopes, in one version.
func asker(s *Server, version func(kmsg.Request) int16) func(context.Context, kmsg.Request) (kmsg.Response, error) {
	return func(ctx context.Context, req kmsg.Request) (kmsg.Response, error) {
		req.SetVersion(version(req))
		body, err := s.Answer(ctx, Envelope{Key: req.Key(), Version: req.GetVersion(), Body: req.AppendTo(nil)})
		if err != nil {
			return nil, err
		}
		resp := req.ResponseKind()
		resp.SetVersion(req.GetVersion())
		return resp, resp.ReadFrom(body)
	}
}

func newest(s *Server) func(kmsg.Request) int16 {
	return func(r kmsg.Request) int16 { return s.apis[r.Key()].Max }
}

func newMember(t *testing.T, d *desk, id int32, change func(*member.Registration)) *member.Member {
	t.Helper()
	m, err := member.New(member.Config{
		Ask: asker(d.server, newest(d.server)), Feed: d.feed, Node: id, Incarnation: model.ID{byte(id)},
		Registration: func() member.Registration {
			rack := "r1"
			r := member.Registration{
				Rack: &rack, Endpoints: []metadata.Endpoint{{Listener: "PLAINTEXT", Host: "h", Port: 65000}},
				Features: controller.Features, LogDirs: []model.ID{{1, byte(id)}, {2, byte(id)}}, PreviousEpoch: -1,
			}
			if change != nil {
				change(&r)
			}
			return r
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// A broker joins, leads, says where its replicas are, and leaves, by the requests that
// go from node to node.
func TestMembers(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		d := newDesk(t)
		d.apply(metadata.SetFeature{Name: "metadata.version", Level: 29})
		d.redo()
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		join := func(id int32) *member.Member {
			m := newMember(t, d, id, nil)
			go func() {
				if err := m.Run(ctx); ctx.Err() == nil {
					t.Errorf("member %d: %v", id, err)
				}
			}()
			if err := m.Unfenced(ctx); err != nil {
				t.Fatal(err)
			}
			return m
		}
		two, three := join(2), join(3)
		b, _ := d.feed.Image().Broker(2)
		if b.Epoch != two.Epoch() || *b.Rack != "r1" || b.Endpoints[0].Port != 65000 || len(b.LogDirs) != 2 || len(b.Features) != len(controller.Features) {
			t.Errorf("registered as %+v", *b)
		}
		made, err := d.ctl.CreateTopics(ctx, []controller.NewTopic{{Name: "a", Partitions: -1, ReplicationFactor: -1,
			Assignments: []controller.Assignment{{Partition: 0, Brokers: []int32{2, 3}}}}}, false)
		if err != nil || made[0].Err != nil {
			t.Fatal(err, made)
		}
		ask := asker(d.server, newest(d.server))
		assign := kmsg.NewPtrAssignReplicasToDirsRequest()
		assign.BrokerID, assign.BrokerEpoch = 2, two.Epoch()
		assign.Directories = []kmsg.AssignReplicasToDirsRequestDirectory{{ID: model.ID{2, 2}, Topics: []kmsg.AssignReplicasToDirsRequestDirectoryTopic{
			{TopicID: made[0].ID, Partitions: []kmsg.AssignReplicasToDirsRequestDirectoryTopicPartition{{Partition: 0}, {Partition: 7}}}}}}
		resp, err := ask(ctx, assign)
		if err != nil {
			t.Fatal(err)
		}
		parts := resp.(*kmsg.AssignReplicasToDirsResponse).Directories[0].Topics[0].Partitions
		_, p, _ := d.feed.Image().Partition("a", 0)
		if parts[0].ErrorCode != 0 || parts[1].ErrorCode != kerr.UnknownTopicOrPartition.Code || p.Dirs[0] != (model.ID{2, 2}) {
			t.Errorf("answer %+v, folders %v", parts, p.Dirs)
		}
		for v := int16(2); v <= 3; v++ {
			isr := []int32{2}
			if v == 3 {
				isr = []int32{2, 3}
			}
			alter := alterISR(d, made[0].ID, two.Epoch(), isr, three.Epoch())
			resp, err = asker(d.server, func(kmsg.Request) int16 { return v })(ctx, alter)
			if err != nil {
				t.Fatal(err)
			}
			got := resp.(*kmsg.AlterPartitionResponse).Topics[0]
			if got.TopidID != made[0].ID || got.Partitions[0].ErrorCode != 0 || !slices.Equal(got.Partitions[0].ISR, isr) || got.Partitions[0].LeaderID != 2 {
				t.Errorf("version %d: %+v", v, got)
			}
		}
		if err := d.ctl.FenceBroker(ctx, 1); err != nil { // it would be waited for: it never speaks
			t.Fatal(err)
		}
		if err := two.Shutdown(ctx); err != nil {
			t.Fatal(err)
		}
		_, p, _ = d.feed.Image().Partition("a", 0)
		if b, _ := d.feed.Image().Broker(2); !b.Fenced || p.Leader != 3 || two.Lease() || !three.Lease() {
			t.Errorf("after the shutdown: %+v, leader %d", *b, p.Leader)
		}
	})
}

func alterISR(d *desk, topic model.ID, epoch int64, isr []int32, other int64) *kmsg.AlterPartitionRequest {
	_, p, _ := d.feed.Image().Partition("a", 0)
	req := kmsg.NewPtrAlterPartitionRequest()
	req.BrokerID, req.BrokerEpoch = 2, epoch
	q := kmsg.NewAlterPartitionRequestTopicPartition()
	q.LeaderEpoch, q.PartitionEpoch, q.NewISR = p.LeaderEpoch, p.PartitionEpoch, isr
	for _, id := range isr {
		b := kmsg.NewAlterPartitionRequestTopicPartitionNewEpochISR()
		b.BrokerID, b.BrokerEpoch = id, map[int32]int64{2: epoch, 3: other}[id]
		q.NewEpochISR = append(q.NewEpochISR, b)
	}
	t := kmsg.NewAlterPartitionRequestTopic()
	t.TopicID, t.Partitions = topic, []kmsg.AlterPartitionRequestTopicPartition{q}
	req.Topics = append(req.Topics, t)
	return req
}

// A broker that the cluster will not have hears why.
func TestRegistrationTellsWhy(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		d := newDesk(t)
		d.apply(metadata.SetFeature{Name: "metadata.version", Level: 29})
		d.redo()
		m := newMember(t, d, 2, func(r *member.Registration) {
			r.Features = []metadata.FeatureRange{{Name: "metadata.version", Min: 7, Max: 20}}
		})
		err := m.Register(t.Context())
		if !errors.Is(err, kerr.UnsupportedVersion) || !strings.Contains(err.Error(), "does not support finalized version 29 of metadata.version") {
			t.Errorf("Register: %v", err)
		}
	})
}

// What a broker says that is not registered is refused as a whole.
func TestStaleBrokers(t *testing.T) {
	d := newDesk(t)
	beat := kmsg.NewPtrBrokerHeartbeatRequest()
	beat.BrokerID = 7
	alter := kmsg.NewPtrAlterPartitionRequest()
	alter.BrokerID = 7
	ids := kmsg.NewPtrAllocateProducerIDsRequest()
	ids.BrokerID = 7
	dirs := kmsg.NewPtrAssignReplicasToDirsRequest()
	dirs.BrokerID = 7
	for _, req := range []kmsg.Request{beat, alter, ids, dirs} {
		resp, err := asker(d.server, newest(d.server))(t.Context(), req)
		if err != nil {
			t.Fatal(err)
		}
		var code int16
		switch r := resp.(type) {
		case *kmsg.BrokerHeartbeatResponse:
			code = r.ErrorCode
			if !r.IsFenced {
				t.Error("it is not fenced")
			}
		case *kmsg.AlterPartitionResponse:
			code = r.ErrorCode
		case *kmsg.AllocateProducerIDsResponse:
			code = r.ErrorCode
		case *kmsg.AssignReplicasToDirsResponse:
			code = r.ErrorCode
		}
		if code != kerr.StaleBrokerEpoch.Code {
			t.Errorf("%T: code %d", resp, code)
		}
	}
}

// voters notes who was given a vote and who lost it.
type voters struct{ said []string }

func (v *voters) AddVoter(_ context.Context, id int32) error {
	v.said = append(v.said, "add "+string(rune('0'+id)))
	return nil
}

func (v *voters) RemoveVoter(_ context.Context, id int32) error {
	v.said = append(v.said, "remove "+string(rune('0'+id)))
	return nil
}

// Votes are given to registered controllers with the right folder, and taken from voters.
func TestVoters(t *testing.T) {
	v := &voters{}
	d := newDesk(t, func(d *desk, c *Config) {
		d.ctl = controller.New(controller.Options{Node: 1, Feed: d.feed, Begin: d.agree, Voters: v})
		c.Controller = d.ctl
	})
	d.status.Voters = append(d.status.Voters, quorum.Replica{Node: 3})
	send := asker(d.server, newest(d.server))
	folder := model.ID{4, 4}
	err := member.RegisterController(t.Context(), send, metadata.Controller{
		ID: 4, Incarnation: model.ID{1}, Directory: folder, Features: controller.Features,
		Endpoints: []metadata.Endpoint{{Listener: "CONTROLLER", Host: "h", Port: 9093}},
	})
	if c, ok := d.feed.Image().Controller(4); err != nil || !ok || c.Directory != folder || c.Endpoints[0].Port != 9093 {
		t.Fatalf("registered %+v, %v", c, err)
	}
	other := "another-cluster"
	for _, c := range []struct {
		what    string
		id      int32
		folder  model.ID
		cluster *string
		want    *kerr.Error
	}{
		{"add", 4, folder, nil, nil},
		{"add", 4, model.ID{}, nil, nil},
		{"add", 4, model.ID{9}, nil, kerr.InvalidRequest},
		{"add", 4, folder, &other, kerr.InconsistentClusterID},
		{"add", 5, model.ID{}, nil, kerr.InvalidRequest},
		{"add", 3, model.ID{}, nil, kerr.DuplicateVoter},
		{"remove", 3, model.ID{}, nil, nil},
		{"remove", 4, folder, nil, kerr.VoterNotFound},
	} {
		var req kmsg.Request
		if c.what == "add" {
			add := kmsg.NewPtrAddRaftVoterRequest()
			add.VoterID, add.VoterDirectoryID, add.ClusterID = c.id, c.folder, c.cluster
			req = add
		} else {
			remove := kmsg.NewPtrRemoveRaftVoterRequest()
			remove.VoterID, remove.VoterDirectoryID, remove.ClusterID = c.id, c.folder, c.cluster
			req = remove
		}
		resp, err := send(t.Context(), req)
		if err != nil {
			t.Fatal(err)
		}
		code := int16(0)
		switch r := resp.(type) {
		case *kmsg.AddRaftVoterResponse:
			code = r.ErrorCode
		case *kmsg.RemoveRaftVoterResponse:
			code = r.ErrorCode
		}
		if code != model.ErrorCode(errOrNil(c.want)) {
			t.Errorf("%s %d with %v: code %d", c.what, c.id, c.folder, code)
		}
	}
	if want := []string{"add 4", "add 4", "remove 3"}; !slices.Equal(v.said, want) {
		t.Errorf("the quorum heard %v", v.said)
	}
}

func errOrNil(err *kerr.Error) error {
	if err == nil {
		return nil
	}
	return err
}

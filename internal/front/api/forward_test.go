package api

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/odradek/odradek/internal/base/bubble"
	"github.com/odradek/odradek/internal/cluster/controller"
	"github.com/odradek/odradek/internal/cluster/metadata"
	"github.com/odradek/odradek/internal/cluster/quorum"
	"github.com/odradek/odradek/internal/proto/model"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// elsewhere makes a desk of a node that does not decide and passes requests on to to.
func elsewhere(to func(context.Context, Envelope) ([]byte, error)) option {
	return func(_ *desk, c *Config) {
		c.Leading = func() bool { return false }
		c.Forward = to
	}
}

func oneTopic(name string) *kmsg.CreateTopicsRequest {
	req := kmsg.NewPtrCreateTopicsRequest()
	t := kmsg.NewCreateTopicsRequestTopic()
	t.Topic, t.NumPartitions, t.ReplicationFactor = name, 2, 1
	req.Topics = append(req.Topics, t)
	return req
}

// What the controller decides goes to it as it came, in every version, and its answer
// comes back as it is.
func TestForward(t *testing.T) {
	leader := newDesk(t)
	var asked Envelope
	d := newDesk(t, elsewhere(func(ctx context.Context, e Envelope) ([]byte, error) {
		asked = e
		return leader.server.Answer(ctx, e)
	}))
	for v := int16(2); v <= 7; v++ {
		name := fmt.Sprint("topic-", v)
		resp := ask[*kmsg.CreateTopicsResponse](d, v, oneTopic(name))
		if len(resp.Topics) != 1 || resp.Topics[0].ErrorCode != 0 {
			t.Errorf("version %d: %+v", v, resp.Topics)
		}
		if _, ok := leader.feed.Image().Topic(name); !ok {
			t.Errorf("version %d: the controller made no topic", v)
		}
	}
	if asked.ClientID == nil || *asked.ClientID != "tester" || asked.Listener != "PLAINTEXT" || asked.Principal != "User:ANONYMOUS" {
		t.Errorf("the envelope says %+v", asked)
	}
	if n := d.feed.Image().TopicCount(); n != 0 {
		t.Errorf("the node that does not decide has made %d topics", n)
	}
}

// A request that reaches no controller fails in its own words, when the client's time is
// up, for each of the requests that are passed on.
func TestForwardFails(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		d := newDesk(t, elsewhere(func(ctx context.Context, _ Envelope) ([]byte, error) {
			<-ctx.Done()
			return nil, fmt.Errorf("no controller: %w", ctx.Err())
		}))
		began := time.Now()
		req := oneTopic("a")
		req.Topics = append(req.Topics, req.Topics[0])
		req.TimeoutMillis = 1500
		resp := ask[*kmsg.CreateTopicsResponse](d, 7, req)
		if len(resp.Topics) != 1 || resp.Topics[0].ErrorCode != kerr.RequestTimedOut.Code {
			t.Errorf("answer %+v", resp.Topics)
		}
		if took := time.Since(began); took != 1500*time.Millisecond {
			t.Errorf("answered after %v", took)
		}
	})
}

// Every request that is passed on has words for its failure that can be written in each
// of its versions.
func TestFailures(t *testing.T) {
	for _, a := range Table() {
		if a.to != toController {
			continue
		}
		if a.fail == nil {
			t.Errorf("%s has no words for its failure", a.Name())
			continue
		}
		for v := max(a.Min, a.Floor); v <= a.Max; v++ {
			msg := kmsg.RequestForKey(a.Key)
			msg.SetVersion(v)
			resp := a.fail(msg, kerr.NotController)
			resp.SetVersion(v)
			if resp.Key() != a.Key || len(resp.AppendTo(nil)) == 0 {
				t.Errorf("%s version %d: %T", a.Name(), v, resp)
			}
		}
	}
}

// A node that ceases to decide while it answers passes the request on.
func TestResignsMeanwhile(t *testing.T) {
	leader := newDesk(t)
	d := newDesk(t, func(_ *desk, c *Config) { c.Forward = leader.server.Answer })
	d.ctl.Resign()
	resp := ask[*kmsg.CreateTopicsResponse](d, 7, oneTopic("a"))
	if len(resp.Topics) != 1 || resp.Topics[0].ErrorCode != 0 || resp.Topics[0].TopicID == (model.ID{}) {
		t.Errorf("answer %+v", resp.Topics)
	}
}

// What Answer refuses.
func TestAnswerRefuses(t *testing.T) {
	follower := newDesk(t, elsewhere(nil))
	leader := newDesk(t)
	create := oneTopic("a")
	create.Version = 7
	body := create.AppendTo(nil)
	for name, c := range map[string]struct {
		server *Server
		e      Envelope
		want   *kerr.Error
	}{
		"a node that does not decide": {follower.server, Envelope{Key: 19, Version: 7, Body: body}, kerr.NotController},
		"what any node answers":       {leader.server, Envelope{Key: 3, Version: 9}, kerr.UnsupportedVersion},
		"an unknown key":              {leader.server, Envelope{Key: 999}, kerr.UnsupportedVersion},
		"an unknown version":          {leader.server, Envelope{Key: 19, Version: 8, Body: body}, kerr.UnsupportedVersion},
		"a body that is cut":          {leader.server, Envelope{Key: 19, Version: 7, Body: body[:len(body)-3]}, kerr.InvalidRequest},
	} {
		if _, err := c.server.Answer(t.Context(), c.e); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A controller listener serves and tells what is the quorum's, and nothing else.
func TestControllerListener(t *testing.T) {
	d := newDesk(t, func(_ *desk, c *Config) { c.ControllerListeners = []string{"PLAINTEXT"} })
	resp := ask[*kmsg.ApiVersionsResponse](d, 0, kmsg.NewPtrApiVersionsRequest())
	told := map[int16]bool{}
	for _, k := range resp.ApiKeys {
		told[k.ApiKey] = true
	}
	for _, a := range Table() {
		if told[a.Key] != (a.On&OnControllers != 0) {
			t.Errorf("%s is told: %v", a.Name(), told[a.Key])
		}
	}
	if !told[19] || told[0] || told[3] {
		t.Errorf("told are %v", told)
	}
	if r := ask[*kmsg.CreateTopicsResponse](d, 7, oneTopic("a")); r.Topics[0].ErrorCode != 0 {
		t.Errorf("create a topic: %+v", r.Topics)
	}
	meta := kmsg.NewPtrMetadataRequest()
	meta.Version = 9
	frame := kmsg.NewRequestFormatter().AppendRequest(nil, meta, 7)
	if _, err := exchange(d.conn, frame); err == nil {
		t.Error("metadata was answered")
	}
}

// A listener of controllers tells of the quorum's nodes and of the active one, and refuses
// to tell of brokers.
func TestDescribeControllers(t *testing.T) {
	d := newDesk(t, func(_ *desk, c *Config) { c.ControllerListeners = []string{"PLAINTEXT"} })
	for id := int32(1); id <= 3; id++ {
		d.apply(metadata.RegisterController{Controller: metadata.Controller{ID: id, Directory: model.ID{7, byte(id)},
			Endpoints: []metadata.Endpoint{{Listener: "PLAINTEXT", Host: "voter", Port: 9000 + id}}}})
	}
	req := kmsg.NewPtrDescribeClusterRequest()
	req.EndpointType = endpointControllers
	resp := ask[*kmsg.DescribeClusterResponse](d, 2, req)
	if resp.ErrorCode != 0 || resp.ControllerID != 1 || len(resp.Brokers) != 3 || resp.Brokers[2].Port != 9003 || resp.EndpointType != 2 {
		t.Errorf("controllers: %+v", resp)
	}
	req.EndpointType = endpointBrokers
	if resp := ask[*kmsg.DescribeClusterResponse](d, 1, req); resp.ErrorCode != kerr.MismatchedEndpointType.Code {
		t.Errorf("brokers of a controller: %+v", resp)
	}
	if resp := ask[*kmsg.DescribeClusterResponse](d, 0, req); resp.ErrorCode != kerr.InvalidRequest.Code {
		t.Errorf("brokers of a controller in version 0: %+v", resp)
	}
	d.status.Leader = -1
	req.EndpointType = endpointControllers
	if resp := ask[*kmsg.DescribeClusterResponse](d, 1, req); resp.ControllerID != -1 || len(resp.Brokers) != 3 {
		t.Errorf("without a leader: %+v", resp)
	}
}

// Who leads the quorum tells how far each node is: voters by their answers, brokers that
// are none by their heartbeats.
func TestDescribeQuorumOfSeveral(t *testing.T) {
	d := newDesk(t)
	heard := time.UnixMilli(1_700_000_000_000)
	d.status.Voters = []quorum.Replica{{Node: 1, Match: 41}, {Node: 2, Match: 40, Heard: heard, CaughtUp: heard}, {Node: 3, Match: -1}}
	for id := int32(1); id <= 3; id++ {
		d.apply(metadata.RegisterController{Controller: metadata.Controller{ID: id, Directory: model.ID{7, byte(id)},
			Endpoints: []metadata.Endpoint{{Listener: "CONTROLLER", Host: "voter", Port: 9000 + id}}}})
	}
	d.apply(broker(4, "PLAINTEXT"), broker(5, "PLAINTEXT"))
	d.redo()
	if _, err := d.ctl.Heartbeat(t.Context(), controller.Heartbeat{ID: 4, Epoch: 40, MetadataOffset: 41}); err != nil {
		t.Fatal(err)
	}
	req := kmsg.NewPtrDescribeQuorumRequest()
	req.Topics = []kmsg.DescribeQuorumRequestTopic{{Topic: model.ClusterMetadataTopic, Partitions: []kmsg.DescribeQuorumRequestTopicPartition{{}}}}
	resp := ask[*kmsg.DescribeQuorumResponse](d, 2, req)
	p := resp.Topics[0].Partitions[0]
	v := p.CurrentVoters
	if len(v) != 3 || v[0].LastFetchTimestamp < heard.UnixMilli() || v[1].LogEndOffset != 41 || v[1].LastFetchTimestamp != heard.UnixMilli() ||
		v[1].LastCaughtUpTimestamp != heard.UnixMilli() || v[1].ReplicaDirectoryID != (model.ID{7, 2}) || v[2].LogEndOffset != -1 || v[2].LastFetchTimestamp != -1 {
		t.Errorf("voters %+v", v)
	}
	o := p.Observers
	if len(o) != 2 || o[0].ReplicaID != 4 || o[0].LogEndOffset != 42 || o[0].LastCaughtUpTimestamp < 0 || o[1].ReplicaID != 5 || o[1].LogEndOffset != -1 {
		t.Errorf("observers %+v", o)
	}
	if len(resp.Nodes) != 3 || resp.Nodes[1].Listeners[0].Name != "CONTROLLER" || resp.Nodes[1].Listeners[0].Port != 9002 {
		t.Errorf("nodes %+v", resp.Nodes)
	}
}

package scenario

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/odradek/odradek/internal/proto/model"
	"github.com/odradek/odradek/sim/world"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// sharers are members of a share group, and what they know of each record by what they
// were answered.
type sharers struct {
	*stage
	cancel  context.CancelFunc
	running sync.WaitGroup

	mu      sync.Mutex
	settled map[string]string // accepted or rejected, and answered
	perhaps map[string]bool   // the answer did not come, or was an error
	polled  int
}

// share begins a member that accepts most of what it gets, gives back some and rejects what
// ends in 7.
func (s *sharers) share(ctx context.Context, group, topic string) {
	var failed error
	c := s.Client(kgo.ShareGroup(group), kgo.ConsumeTopics(topic), kgo.ShareMaxRecords(20), kgo.ShareMaxRecordsStrict(),
		kgo.FetchMaxWait(300*time.Millisecond), kgo.ShareAckCallback(func(_ *kgo.Client, results kgo.ShareAckResults) {
			s.mu.Lock()
			defer s.mu.Unlock()
			for _, r := range results {
				if r.Err != nil {
					failed = r.Err
				}
			}
		}))
	s.running.Go(func() {
		defer c.Close()
		for n := 0; ctx.Err() == nil; n++ {
			records := c.PollRecords(ctx, 20).Records()
			s.got(records)
			s.mu.Lock()
			failed = nil
			s.mu.Unlock()
			decided := map[string]string{}
			for i, r := range records {
				switch v := string(r.Value); {
				case v[len(v)-1] == '7':
					r.Ack(kgo.AckReject)
					decided[v] = "rejected"
				case (i+n)%5 == 0 && r.DeliveryCount() < 3:
					r.Ack(kgo.AckRelease)
				default:
					r.Ack(kgo.AckAccept)
					decided[v] = "accepted"
				}
			}
			err := c.FlushAcks(ctx)
			s.mu.Lock()
			for v, how := range decided {
				if failed == nil && err == nil {
					s.settled[v] = how
				} else {
					s.perhaps[v] = true
				}
			}
			s.mu.Unlock()
		}
	})
}

func (s *sharers) got(records []*kgo.Record) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range records {
		s.polled++
		if how := s.settled[string(r.Value)]; how != "" {
			s.t.Errorf("%s comes again, for the %d. time, after it was %s", r.Value, r.DeliveryCount(), how)
		}
	}
}

// known is how many records are settled, or perhaps.
func (s *sharers) known() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := maps.Clone(s.perhaps)
	for v := range s.settled {
		all[v] = true
	}
	return len(all)
}

// A share group goes on while leaders of its topic, of its state, and of its dead letter
// queue die by power cuts: nothing that was answered comes again, nothing is lost or stuck,
// and what was rejected stands in the queue.
func TestShareGroupSurvivesLeaders(t *testing.T) {
	play(t, func(r *stage, adm *kadm.Client) {
		const group, queue, n = "sharers", "dlq.sharers", 400
		on := "true"
		_, err := adm.CreateTopic(r.t.Context(), 2, 3, map[string]*string{"errors.deadletterqueue.group.enable": &on}, queue)
		r.must(err)
		for key, value := range map[string]string{"share.auto.offset.reset": "earliest", "errors.deadletterqueue.topic.name": queue,
			"errors.deadletterqueue.copy.record.enable": "true", "share.record.lock.duration.ms": "15000"} {
			r.setGroup(group, key, value)
		}
		ctx, cancel := context.WithCancel(r.t.Context())
		s := &sharers{stage: r, cancel: cancel, settled: map[string]string{}, perhaps: map[string]bool{}}
		for range 3 {
			s.share(ctx, group, orders)
		}
		writer := r.Client(kgo.DefaultProduceTopic(orders), kgo.RecordPartitioner(kgo.RoundRobinPartitioner()))
		defer writer.Close()
		write := func(from, to int) {
			for i := from; i < to; i++ {
				r.must(writer.ProduceSync(r.t.Context(), kgo.StringRecord(fmt.Sprint("v", i))).FirstErr())
			}
		}
		write(0, 100)
		r.eventually("the first are there", func() bool { return s.known() > 20 })
		for i, victim := range []func() *world.Node{
			func() *world.Node { return r.leaderOf(orders, 0) },
			func() *world.Node { return r.leaderOf(model.ShareGroupStateTopic, r.stateOf(group, orders, 1)) },
			func() *world.Node { return r.leaderOf(queue, 0) },
		} {
			m := victim()
			m.Kill()
			write(100*(i+1), 100*(i+2))
			time.Sleep(2 * time.Second)
			m.Launch()
			r.eventually("all replicas are back", func() bool { return r.InSync(orders) && r.InSync(queue) })
		}
		r.eventually("everything is settled", func() bool { return s.known() == n })
		time.Sleep(20 * time.Second) // what only seems to be would come again
		cancel()
		s.running.Wait()
		s.verify(r.readLetters(queue), n)
	})
}

// setGroup sets a setting of a group.
func (r *stage) setGroup(group, key, value string) {
	r.t.Helper()
	c := r.Client()
	defer c.Close()
	req := kmsg.NewPtrIncrementalAlterConfigsRequest()
	res := kmsg.NewIncrementalAlterConfigsRequestResource()
	res.ResourceType, res.ResourceName = kmsg.ConfigResourceTypeGroupConfig, group
	set := kmsg.NewIncrementalAlterConfigsRequestResourceConfig()
	set.Name, set.Value = key, &value
	res.Configs = append(res.Configs, set)
	req.Resources = append(req.Resources, res)
	resp, err := req.RequestWith(r.t.Context(), c)
	r.must(err)
	r.must(kerr.ErrorForCode(resp.Resources[0].ErrorCode))
}

// stateOf is the partition of __share_group_state that has a share partition's state.
func (r *stage) stateOf(group, topic string, partition int32) int32 {
	t, ok := r.Image().Topic(topic)
	if !ok {
		r.t.Fatalf("there is no topic %s", topic)
	}
	return r.anyone().Broker().SharePartition(fmt.Sprintf("%s:%s:%d", group, t.ID, partition))
}

// readLetters reads which values a dead letter queue tells of.
func (r *stage) readLetters(queue string) map[string]bool {
	c := r.Client(kgo.ConsumeTopics(queue), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	defer c.Close()
	told := map[string]bool{}
	for {
		ctx, cancel := context.WithTimeout(r.t.Context(), 5*time.Second)
		fetches := c.PollFetches(ctx)
		cancel()
		if errors.Is(fetches.Err0(), context.DeadlineExceeded) {
			return told
		}
		fetches.EachRecord(func(rec *kgo.Record) {
			told[string(rec.Value)] = true
			if len(rec.Headers) != 6 || rec.Headers[0].Key != "__dlq.errors.topic" || string(rec.Headers[0].Value) != orders {
				r.t.Errorf("a letter with headers %v", rec.Headers)
			}
		})
	}
}

func (s *sharers) verify(letters map[string]bool, n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range n {
		v := fmt.Sprint("v", i)
		if s.settled[v] == "rejected" && !letters[v] {
			s.t.Errorf("%s was rejected and is not in the dead letter queue", v)
		}
	}
	for _, v := range slices.Sorted(maps.Keys(letters)) {
		if s.settled[v] == "accepted" {
			s.t.Errorf("%s was accepted and is in the dead letter queue", v)
		}
	}
	s.t.Logf("%d records came %d times, %d rejected", n, s.polled, len(letters))
}

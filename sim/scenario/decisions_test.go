package scenario

import (
	"testing"
	"time"

	"github.com/odradek/odradek/sim/world"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// A controller is alone when it is asked for a topic, and for the end of another. What it
// has proposed is agreed on when another is back: whoever asked hears that it was done,
// or that nobody knows, and never that his topic was there, or was not, before he asked.
func TestDecisionOfALonelyController(t *testing.T) {
	play(t, func(r *stage, adm *kadm.Client) {
		leader := r.Leading()
		c := r.Client(kgo.RequestRetries(0), kgo.RequestTimeoutOverhead(time.Minute))
		defer c.Close()
		at := c.Broker(int(leader.ID))
		r.must(c.Ping(r.t.Context()))
		var others []*world.Node
		for _, n := range r.Nodes() {
			if n != leader {
				n.Kill()
				others = append(others, n)
			}
		}
		answers := make(chan error, 2)
		go func() { answers <- createAt(r, at, "made") }()
		go func() { answers <- deleteAt(r, at, orders) }()
		time.Sleep(4 * time.Second) // it has resigned, and given up hope
		others[0].Launch()          // and has to elect the one whose log is longer
		for range 2 {
			if err := <-answers; err != nil && err != kerr.RequestTimedOut {
				r.t.Errorf("the answer is %v", err)
			}
		}
		r.Up()
		r.eventually("both are true", func() bool {
			topics, err := adm.ListTopics(r.t.Context())
			return err == nil && topics.Has("made") && !topics.Has(orders)
		})
	})
}

// createAt asks one node for a topic, with much patience.
func createAt(r *stage, at *kgo.Broker, name string) error {
	req := kmsg.NewPtrCreateTopicsRequest()
	topic := kmsg.NewCreateTopicsRequestTopic()
	topic.Topic, topic.NumPartitions, topic.ReplicationFactor = name, 1, 3
	req.TimeoutMillis, req.Topics = 30000, append(req.Topics, topic)
	req.SetVersion(7)
	resp, err := at.Request(r.t.Context(), req)
	if err != nil {
		return err
	}
	return kerr.ErrorForCode(resp.(*kmsg.CreateTopicsResponse).Topics[0].ErrorCode)
}

// deleteAt asks one node to delete a topic, as patiently.
func deleteAt(r *stage, at *kgo.Broker, name string) error {
	req := kmsg.NewPtrDeleteTopicsRequest()
	topic := kmsg.NewDeleteTopicsRequestTopic()
	topic.Topic = &name
	req.TimeoutMillis, req.TopicNames, req.Topics = 30000, []string{name}, append(req.Topics, topic)
	resp, err := at.Request(r.t.Context(), req)
	if err != nil {
		return err
	}
	return kerr.ErrorForCode(resp.(*kmsg.DeleteTopicsResponse).Topics[0].ErrorCode)
}

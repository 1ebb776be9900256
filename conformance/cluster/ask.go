package cluster

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Line is a client that talks to one node and to no other.
type Line struct {
	client *kgo.Client
	broker *kgo.Broker
}

// Line makes a client of one address. It is lazy: nothing is dialled before the first
// request.
func (n *Node) Line() *Line { return lineTo(n.Addr) }

func lineTo(addr string) *Line {
	client, err := kgo.NewClient(kgo.SeedBrokers(addr), kgo.AlwaysRetryEOF(), kgo.RequestRetries(0),
		kgo.RequestTimeoutOverhead(2*time.Second), kgo.DialTimeout(time.Second))
	if err != nil {
		panic("bug: the options of a line: " + err.Error())
	}
	return &Line{client, client.SeedBrokers()[0]}
}

// Close ends the line.
func (l *Line) Close() { l.client.Close() }

// ask sends a request on a line and returns its answer in its own type.
func ask[R kmsg.Response](ctx context.Context, l *Line, req kmsg.Request) (r R, err error) {
	resp, err := l.broker.Request(ctx, req)
	if err != nil {
		return r, err
	}
	r, ok := resp.(R)
	if !ok {
		return r, fmt.Errorf("an answer of type %T", resp)
	}
	return r, nil
}

// View is what one node tells of a partition.
type View struct {
	Topic     string
	Partition int32
	Leader    int32
	Epoch     int32
	Replicas  []int32
	ISR       []int32
	Err       error
}

// Metadata is what the node tells of the topics, or of all if none is named.
func (l *Line) Metadata(ctx context.Context, topics ...string) (brokers []int32, views []View, err error) {
	req := kmsg.NewPtrMetadataRequest()
	for _, name := range topics {
		t := kmsg.NewMetadataRequestTopic()
		t.Topic = kmsg.StringPtr(name)
		req.Topics = append(req.Topics, t)
	}
	resp, err := ask[*kmsg.MetadataResponse](ctx, l, req)
	if err != nil {
		return nil, nil, err
	}
	for _, b := range resp.Brokers {
		brokers = append(brokers, b.NodeID)
	}
	for _, t := range resp.Topics {
		if err := kerr.ErrorForCode(t.ErrorCode); err != nil {
			return brokers, nil, fmt.Errorf("topic %s: %w", *t.Topic, err)
		}
		for _, p := range t.Partitions {
			views = append(views, View{*t.Topic, p.Partition, p.Leader, p.LeaderEpoch, p.Replicas, p.ISR, kerr.ErrorForCode(p.ErrorCode)})
		}
	}
	return brokers, views, nil
}

// ControllerLeader asks the nodes that run who leads the metadata quorum, until one that
// is not in but says so.
func (c *Cluster) ControllerLeader(ctx context.Context, but ...int32) (int32, error) {
	req := kmsg.NewPtrDescribeQuorumRequest()
	topic := kmsg.NewDescribeQuorumRequestTopic()
	topic.Topic = "__cluster_metadata"
	topic.Partitions = append(topic.Partitions, kmsg.NewDescribeQuorumRequestTopicPartition())
	req.Topics = append(req.Topics, topic)
	var last error
	for {
		for _, n := range c.Running() {
			if slices.Contains(but, n.ID) {
				continue
			}
			l := n.Line()
			one, cancel := context.WithTimeout(ctx, 3*time.Second)
			resp, err := ask[*kmsg.DescribeQuorumResponse](one, l, req)
			cancel()
			l.Close()
			switch {
			case err != nil:
				last = err
			case resp.ErrorCode != 0:
				last = kerr.ErrorForCode(resp.ErrorCode)
			case len(resp.Topics) == 1 && len(resp.Topics[0].Partitions) == 1:
				p := resp.Topics[0].Partitions[0]
				if last = kerr.ErrorForCode(p.ErrorCode); last == nil && p.LeaderID >= 0 && !slices.Contains(but, p.LeaderID) {
					return p.LeaderID, nil
				}
			}
		}
		if !sleep(ctx, 50*time.Millisecond) {
			return -1, fmt.Errorf("nobody leads the quorum: %w", errors.Join(last, ctx.Err()))
		}
	}
}

// Until waits until every partition of the topics is as it should be, as told by every
// node that runs; no topic names all.
func (c *Cluster) Until(ctx context.Context, what string, good func(View) bool, topics ...string) error {
	for _, n := range c.Running() {
		l := n.Line()
		err := l.until(ctx, what, good, topics...)
		l.Close()
		if err != nil {
			return fmt.Errorf("node %d: %w", n.ID, err)
		}
	}
	return nil
}

func (l *Line) until(ctx context.Context, what string, good func(View) bool, topics ...string) error {
	for {
		_, views, err := l.Metadata(ctx, topics...)
		bad := slices.DeleteFunc(views, good)
		if err == nil && len(bad) == 0 && len(views) > 0 {
			return nil
		}
		if !sleep(ctx, 50*time.Millisecond) {
			return fmt.Errorf("not %s: %d partitions, such as %+v (%w)", what, len(bad), bad[:min(3, len(bad))], errors.Join(err, ctx.Err()))
		}
	}
}

// WholeISR tells whether all replicas of a partition are in sync.
func WholeISR(v View) bool { return len(v.ISR) == len(v.Replicas) && v.Leader >= 0 }

// Preferred tells whether also the first replica leads.
func Preferred(v View) bool { return WholeISR(v) && v.Leader == v.Replicas[0] }

// ElectPreferred asks the controller to let the first replica of each partition lead.
func (c *Cluster) ElectPreferred(ctx context.Context) error {
	client, err := kgo.NewClient(kgo.SeedBrokers(c.Addrs()...), kgo.AlwaysRetryEOF())
	if err != nil {
		return err
	}
	defer client.Close()
	req := kmsg.NewPtrElectLeadersRequest()
	req.TimeoutMillis = 30000
	_, err = req.RequestWith(ctx, client)
	return err
}

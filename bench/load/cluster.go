package load

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// cluster is the cluster under load and the load's topic on it.
type cluster struct {
	spec  *Spec
	adm   *kadm.Client
	topic string
}

// patience is how long the cluster may take to do what is asked of it beside the load.
const patience = 2 * time.Minute

// newCluster makes the topic and waits until each partition has a leader.
func newCluster(ctx context.Context, s *Spec) (*cluster, error) {
	ctx, stop := context.WithTimeout(ctx, patience)
	defer stop()
	adm, err := kadm.NewOptClient(kgo.SeedBrokers(strings.Split(s.Bootstrap, ",")...))
	if err != nil {
		return nil, err
	}
	c := &cluster{spec: s, adm: adm, topic: s.Topic}
	if c.topic == "" {
		c.topic = "load-" + strings.ToLower(rand.Text()[:10])
	}
	configs := make(map[string]*string)
	for name, value := range s.TopicConfigs {
		configs[name] = &value
	}
	adm.SetTimeoutMillis(int32(patience.Milliseconds()))
	if err := c.create(ctx, configs); err != nil {
		adm.Close()
		return nil, fmt.Errorf("create topic %s: %w", c.topic, err)
	}
	for {
		if ends, err := c.ends(ctx); err == nil && len(ends) == s.Partitions {
			return c, nil
		}
		select {
		case <-ctx.Done():
			return nil, errors.Join(fmt.Errorf("topic %s has no leaders: %w", c.topic, ctx.Err()), c.close())
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// atOnce is how many partitions are asked for in a request: Kafka refuses ten thousand.
const atOnce = 5000

func (c *cluster) create(ctx context.Context, configs map[string]*string) error {
	made := min(c.spec.Partitions, atOnce)
	_, err := c.adm.CreateTopic(ctx, int32(made), int16(c.spec.Replication), configs, c.topic)
	for err == nil && made < c.spec.Partitions {
		made = min(made+atOnce, c.spec.Partitions)
		var resps kadm.CreatePartitionsResponses
		if resps, err = c.adm.UpdatePartitions(ctx, made, c.topic); err == nil {
			err = resps.Error()
		}
	}
	return err
}

// ends are the ends of the topic's partitions: the offsets that come next.
func (c *cluster) ends(ctx context.Context) (map[int32]int64, error) {
	return c.listed(c.adm.ListEndOffsets(ctx, c.topic))
}

// stable are the ends of what readers of committed records see.
func (c *cluster) stable(ctx context.Context) (map[int32]int64, error) {
	return c.listed(c.adm.ListCommittedOffsets(ctx, c.topic))
}

func (c *cluster) listed(list kadm.ListedOffsets, err error) (map[int32]int64, error) {
	if err == nil {
		err = list.Error()
	}
	ends := make(map[int32]int64)
	list.Each(func(o kadm.ListedOffset) { ends[o.Partition] = o.Offset })
	return ends, err
}

// leaders are the addresses of the partitions' leaders.
func (c *cluster) leaders(ctx context.Context) (map[int32]string, error) {
	m, err := c.adm.Metadata(ctx, c.topic)
	if err != nil {
		return nil, err
	}
	brokers := make(map[int32]string)
	for _, b := range m.Brokers {
		brokers[b.NodeID] = net.JoinHostPort(b.Host, strconv.Itoa(int(b.Port)))
	}
	leaders := make(map[int32]string)
	for _, p := range m.Topics[c.topic].Partitions {
		if leaders[p.Partition] = brokers[p.Leader]; leaders[p.Partition] == "" {
			return nil, fmt.Errorf("partition %d has no leader", p.Partition)
		}
	}
	return leaders, nil
}

func sum(ends map[int32]int64) (n int64) {
	for _, end := range ends {
		n += end
	}
	return n
}

// holds waits until the topic's ends add up to want, which may take the cluster a moment
// where an answer does not wait for it, and fails if they do not, or go beyond.
func (c *cluster) holds(ctx context.Context, want int64, ends func(context.Context) (map[int32]int64, error)) error {
	deadline := time.Now().Add(10 * time.Second)
	for {
		list, err := ends(ctx)
		if err != nil {
			return fmt.Errorf("read the ends of the topic: %w", err)
		}
		if got := sum(list); got == want {
			return nil
		} else if got > want || time.Now().After(deadline) {
			return fmt.Errorf("the partitions end at %d together, but %d was acknowledged", got, want)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// close deletes the topic, also when the load was interrupted.
func (c *cluster) close() error {
	ctx, stop := context.WithTimeout(context.Background(), patience)
	defer stop()
	defer c.adm.Close()
	_, err := c.adm.DeleteTopic(ctx, c.topic)
	return err
}

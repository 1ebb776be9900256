package load

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strconv"
	"time"

	"github.com/odradek/odradek/sim/history"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Topic is one topic that clients use, and how.
type Topic struct {
	Name       string
	Partitions int32
	// Loose is one whose clients do not wait for all replicas, or may repeat themselves.
	Loose bool
	// Unsafe is one that may lose what it acknowledged, even what was read.
	Unsafe bool
	// Compact is one that keeps the last record of each key.
	Compact bool
	// Trimmed is one whose records are deleted from its start, by its clients.
	Trimmed bool
	Config  map[string]string
}

// The topics. Not all of them are in each mix.
const (
	Orders   = "orders"   // keeps what it acknowledges
	Copies   = "copies"   // of Orders, partition by partition, and other transactions
	Clicks   = "clicks"   // is loose
	Table    = "table"    // is compacted
	Trims    = "trims"    // loses its beginning to DeleteRecords
	Fleeting = "fleeting" // comes and goes, and is no Topic of a Mix
)

// DeleteRetention is how long tombstones stay.
const DeleteRetention = 3 * time.Second

// Mix is which clients a seed has.
type Mix struct {
	Topics []Topic
	// Pace is how long clients rest between two things, on average.
	Pace time.Duration
	// Large is how many bytes a large record has at most.
	Large int

	Producers, LooseProducers, Readers, Watchers    int
	Txns, Pipelines, Zombies                        int // per transactional id: two of each pipeline
	Registers, Keys                                 int
	Eager, Cooperative, Consumers, Sharers, Exactly int // groups' members
	Fleet                                           bool
}

// Draw draws a mix. Brokers is how many there are.
func Draw(rng *rand.Rand, brokers int) Mix {
	m := Mix{Pace: time.Duration(15<<rng.IntN(4)) * time.Millisecond, Large: 2000 << rng.IntN(7)}
	add := func(t Topic) {
		if t.Config == nil {
			t.Config = map[string]string{}
		}
		if rng.IntN(2) == 0 { // some hold a large record or two
			t.Config["internal.segment.bytes"] = strconv.Itoa(2*m.Large + 1000<<rng.IntN(6))
		}
		if rng.IntN(3) == 0 {
			t.Config["segment.ms"] = strconv.Itoa(200 << rng.IntN(6))
		}
		m.Topics = append(m.Topics, t)
	}
	add(Topic{Name: Orders, Partitions: 1 + rng.Int32N(4)})
	m.Producers, m.Readers, m.Watchers = 1+rng.IntN(2), 1+rng.IntN(2), 1
	// Each of the others is in some seeds, some two or three of them in most.
	in := func(of int) bool { return rng.IntN(of) == 0 }
	if in(2) {
		add(Topic{Name: Copies, Partitions: m.Topics[0].Partitions})
		m.Zombies = rng.IntN(3)
		if in(2) {
			m.Pipelines = 1 + rng.IntN(2)
		}
		if Grouping {
			m.Txns = rng.IntN(3)
		}
	}
	if in(4) {
		t := Topic{Name: Clicks, Partitions: 2, Loose: true, Config: map[string]string{}}
		if t.Unsafe = in(2); t.Unsafe {
			t.Config["odradek.durability"] = "os"
		}
		add(t)
		m.LooseProducers = 2
	}
	if in(4) {
		add(Topic{Name: Table, Partitions: 1 + rng.Int32N(2), Compact: true, Config: map[string]string{
			"cleanup.policy": "compact", "min.cleanable.dirty.ratio": "0.01", "segment.ms": "1000", "delete.retention.ms": strconv.FormatInt(DeleteRetention.Milliseconds(), 10)}})
	}
	if in(4) {
		add(Topic{Name: Trims, Partitions: 1 + rng.Int32N(2), Trimmed: true})
	}
	if in(2) {
		m.Registers = 2 + rng.IntN(3)
	}
	if in(3) {
		m.Keys = 2 + rng.IntN(2)
	}
	m.Fleet = in(3)
	if Grouping {
		switch rng.IntN(5) {
		case 0:
			m.Eager = 2 + rng.IntN(3)
		case 1:
			m.Cooperative = 2 + rng.IntN(3)
		case 2:
			m.Consumers = 2 + rng.IntN(3)
		case 3:
			m.Sharers = 2 + rng.IntN(2)
		}
	}
	return m
}

// String is the mix in a line.
func (m Mix) String() string {
	s := fmt.Sprintf("pace %v, large %d, %d producers, %d readers", m.Pace, m.Large, m.Producers, m.Readers)
	for _, t := range m.Topics {
		s += fmt.Sprintf(", %s(%d)", t.Name, t.Partitions)
	}
	for _, c := range []struct {
		n    int
		what string
	}{{m.Txns, "txns"}, {m.Pipelines, "pipelines"}, {m.Zombies, "zombies"}, {m.Registers, "registers"}, {m.Keys, "keys"},
		{m.Eager, "eager"}, {m.Cooperative, "cooperative"}, {m.Consumers, "consumers"}, {m.Sharers, "sharers"}} {
		if c.n > 0 {
			s += fmt.Sprintf(", %d %s", c.n, c.what)
		}
	}
	if m.Fleet {
		s += ", fleet"
	}
	return s
}

func (m Mix) topic(name string) Topic {
	for _, t := range m.Topics {
		if t.Name == name {
			return t
		}
	}
	return Topic{Name: name, Partitions: 1}
}

func (m Mix) isLoose(topic string) bool { return m.topic(topic).Loose }

// places are all partitions of the mix.
func (m Mix) places() (all []history.Place) {
	for _, t := range m.Topics {
		for n := range t.Partitions {
			all = append(all, history.Place{Topic: t.Name, Partition: n})
		}
	}
	return all
}

// Prepare makes the topics.
func (l *Load) Prepare(ctx context.Context) error {
	c := l.w.Client()
	defer c.Close()
	adm := kadm.NewClient(c)
	for _, t := range l.Mix.Topics {
		config := map[string]*string{}
		for k, v := range t.Config {
			config[k] = &v
		}
		if _, err := adm.CreateTopic(ctx, t.Partitions, 3, config, t.Name); err != nil {
			return fmt.Errorf("make topic %s: %w", t.Name, err)
		}
	}
	if l.Mix.Sharers > 0 {
		return l.setSharing(ctx, c)
	}
	return nil
}

// sharing is the share group.
const sharing = "sharers"

// setSharing has the share group begin at the beginning.
func (l *Load) setSharing(ctx context.Context, c *kgo.Client) error {
	req := kmsg.NewPtrIncrementalAlterConfigsRequest()
	r := kmsg.NewIncrementalAlterConfigsRequestResource()
	r.ResourceType, r.ResourceName = kmsg.ConfigResourceTypeGroupConfig, sharing
	for _, kv := range [][2]string{{"share.auto.offset.reset", "earliest"}, {"share.record.lock.duration.ms", "15000"}} {
		v := kmsg.NewIncrementalAlterConfigsRequestResourceConfig()
		v.Name, v.Value = kv[0], &kv[1]
		r.Configs = append(r.Configs, v)
	}
	req.Resources = append(req.Resources, r)
	resp, err := req.RequestWith(ctx, c)
	if err != nil {
		return err
	}
	return kerr.ErrorForCode(resp.Resources[0].ErrorCode)
}

// Static are settings of the brokers that clients count on: members that die are not waited
// for long.
func Static() map[string]string {
	return map[string]string{
		"group.consumer.min.session.timeout.ms": "6000", "group.consumer.session.timeout.ms": "6000",
		"group.consumer.min.heartbeat.interval.ms": "700", "group.consumer.heartbeat.interval.ms": "700",
		"group.share.min.session.timeout.ms": "6000", "group.share.session.timeout.ms": "6000",
		"group.share.min.heartbeat.interval.ms": "700", "group.share.heartbeat.interval.ms": "700",
	}
}

// Start starts all clients.
func (l *Load) Start() {
	m := l.Mix
	for _, t := range m.Topics {
		switch {
		case t.Loose:
			for i := range m.LooseProducers {
				l.write("loose", func(a *actor) { a.produce(t, []int8{1, -1, 0}[i%3]) })
			}
		case t.Name == Copies:
		case t.Name == Orders:
			for range m.Producers {
				l.write("producer", func(a *actor) { a.produce(t, -1) })
			}
		default:
			l.write("producer", func(a *actor) { a.produce(t, -1) })
		}
		if t.Trimmed {
			l.write("trimmer", func(a *actor) { a.trim(t) })
		}
		for i := range m.Readers {
			if i > 0 && (t.Loose || t.Trimmed) {
				continue
			}
			l.read("reader", func(a *actor) { a.readAll(t, i%2 == 0) })
		}
		for range m.Watchers {
			l.read("watcher", func(a *actor) { a.watch(t) })
		}
	}
	l.startTxns()
	for range m.Registers {
		l.write("register", func(a *actor) { a.registers() })
	}
	for range m.Keys {
		l.write("admin", func(a *actor) { a.administer() })
	}
	if m.Fleet {
		l.write("fleet", func(a *actor) { a.flicker() })
	}
	l.startGroups()
}

func (l *Load) startTxns() {
	m := l.Mix
	for i := range m.Txns {
		l.write("txn", func(a *actor) { a.transact(fmt.Sprint("txn-", i)) })
	}
	for i := range m.Zombies {
		l.write("zombie", func(a *actor) { a.haunt(fmt.Sprint("zombie-", i)) })
	}
	if m.Pipelines > 0 {
		for n := range m.topic(Copies).Partitions {
			for range 2 {
				l.write("pipeline", func(a *actor) { a.pipe(n) })
			}
		}
	}
}

package delivery

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/odradek/odradek/internal/base/bubble"
	"github.com/odradek/odradek/internal/base/vfs"
	"github.com/odradek/odradek/internal/coord/share"
	"github.com/odradek/odradek/internal/proto/model"
	"github.com/odradek/odradek/internal/proto/record"
	"github.com/odradek/odradek/internal/replica/partition"
	"github.com/odradek/odradek/internal/store/commitlog"
	"github.com/twmb/franz-go/pkg/kerr"
)

// broker is a Service over partitions of a disk in memory, with a journal that is at once
// and a coordinator that remembers.
type broker struct {
	*testing.T
	disk    *vfs.Mem
	mu      sync.Mutex
	parts   map[model.TopicPartition]*partition.Partition
	store   *coordinator
	service *Service
	set     Settings
	letters Letters
	stop    func()
	ended   chan struct{}
}

var (
	topicID = model.ID{7}
	t0      = model.TopicPartition{Topic: "t"}
)

// inBubble runs a test with a broker that leads t-0.
func inBubble(t *testing.T, test func(*broker)) {
	t.Helper()
	bubble.Test(t, func(t *testing.T) {
		b := &broker{T: t, disk: vfs.NewMem(), parts: map[model.TopicPartition]*partition.Partition{}, store: newCoordinator(t)}
		if err := vfs.MkdirAllDurable(b.disk, "/d", 0o755); err != nil {
			t.Fatal(err)
		}
		b.set.Reset.Earliest = true
		b.partition(t0)
		b.start()
		test(b)
		b.end()
	})
}

// start begins with a new Service, as a broker does; the partitions stay.
func (b *broker) start() {
	b.begin()
	synctest.Wait()
}

func (b *broker) begin() {
	ctx, cancel := context.WithCancel(context.Background())
	made := New(Config{
		Partition: b.replica, Persister: b.store, Letters: b.letters,
		Settings: func(string) Settings { b.mu.Lock(); defer b.mu.Unlock(); return b.set },
	})
	b.mu.Lock()
	b.service, b.stop, b.ended = made, cancel, make(chan struct{})
	ended := b.ended
	b.mu.Unlock()
	go func() {
		defer close(ended)
		if err := made.Run(ctx); err != nil {
			b.Errorf("Run: %v", err)
		}
	}()
}

func (b *broker) end() { b.stop(); <-b.ended }

func (b *broker) change(f func(*Settings)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	f(&b.set)
}

func (b *broker) replica(tp model.TopicPartition) (*partition.Partition, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if p := b.parts[tp]; p != nil {
		return p, nil
	}
	return nil, kerr.NotLeaderForPartition
}

func (b *broker) partition(tp model.TopicPartition) *partition.Partition {
	p := partition.New(partition.Config{TP: tp, ID: model.IDPartition{Topic: topicID, Partition: tp.Partition}, Home: b,
		Settings: &partition.Settings{Log: commitlog.Default(), Durable: true,
			Rules:         record.Rules{MaxMessageBytes: 1 << 20, BeforeMaxMs: math.MaxInt64, AfterMaxMs: math.MaxInt64},
			FlushMessages: math.MaxInt64, FlushMillis: math.MaxInt64, MinISR: 1, DeleteAllowed: true}})
	b.mu.Lock()
	b.parts[tp] = p
	b.mu.Unlock()
	b.lead(p, 1)
	return p
}

// lead gives a partition a leader epoch: this broker leads in odd ones.
func (b *broker) lead(p *partition.Partition, epoch int32) {
	leader := int32(1) + (epoch+1)%2
	p.Assign(partition.Role{Self: 1, Leader: leader, Leading: leader == 1, Epoch: epoch, ISR: []int32{1}, Replicas: []int32{1}})
}

func (b *broker) Open(p *partition.Partition) (partition.Opened, error) {
	log, err := commitlog.Open(commitlog.Options{FS: b.disk, Dir: "/d/" + p.TP().String(), ID: p.ID(), Config: p.Settings().Log})
	return partition.Opened{Log: log}, err
}

func (*broker) Commit(*partition.Partition) {}

func (b *broker) Submit(p *partition.Partition, _, end int64, _ []byte, _ bool) error {
	p.Durable(end)
	return nil
}

func (b *broker) Close(_ *partition.Partition, log *commitlog.Log) error      { return log.Close() }
func (b *broker) Truncated(*partition.Partition, *commitlog.Log, int64) error { return nil }
func (b *broker) Keep(*partition.Partition, *commitlog.Log) error             { return nil }
func (b *broker) Started(*partition.Partition, *commitlog.Log) error          { return nil }
func (b *broker) Broken(p *partition.Partition, err error)                    { b.Errorf("%v: %v", p.TP(), err) }
func (b *broker) append(tp model.TopicPartition, values ...string) (end int64) {
	return b.appendBatch(tp, record.BuilderConfig{}, values...)
}

func (b *broker) appendBatch(tp model.TopicPartition, cfg record.BuilderConfig, values ...string) int64 {
	b.Helper()
	builder := record.NewBuilder(cfg)
	for i, v := range values {
		builder.Append(record.Record{Offset: int64(i), Timestamp: time.Now().UnixMilli(), Value: []byte(v)})
	}
	batch, err := builder.Build()
	if err != nil {
		b.Fatal(err)
	}
	p, _ := b.replica(tp)
	appended, err := p.Append(batch, partition.AppendArgs{ProduceVersion: 11, Acks: 1})
	if err != nil {
		b.Fatal(err)
	}
	return appended.End
}

// stateOf is the state of a group's share partition, in words.
func (b *broker) stateOf(group string) string {
	b.Helper()
	sh := b.open(group)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	return sh.state.String()
}

// open waits until the share partition of a group is loaded.
func (b *broker) open(group string) *Share {
	b.Helper()
	sh, err := b.service.Open(group, t0, topicID)
	if err != nil {
		b.Fatal(err)
	}
	synctest.Wait()
	return sh
}

// take delivers to a member and tells what it got, with the values that came.
func (b *broker) take(group, member string, n int) string {
	b.Helper()
	return b.takeOf(b.open(group), member, n)
}

func (b *broker) takeOf(sh *Share, member string, n int) string {
	b.Helper()
	d, err := sh.Deliver(Ask{Member: member, MaxRecords: n, BatchSize: n, RecordLimit: true}, 1<<20, true)
	if err != nil {
		return name(err)
	}
	defer d.Release()
	var list []string
	for _, a := range d.Acquired {
		list = append(list, fmt.Sprintf("%s×%d", show(a.First, a.Last), a.Deliveries))
	}
	if d.Len > 0 {
		list = append(list, "of "+b.offsets(&d.Slice))
	}
	return strings.Join(list, " ")
}

// offsets shows which offsets a slice has.
func (b *broker) offsets(s *commitlog.Slice) string {
	bytes, err := s.ReadAll(nil)
	if err != nil {
		b.Fatal(err)
	}
	var list []string
	for batch, err := range commitlog.Batches(bytes) {
		if err != nil {
			b.Fatal(err)
		}
		list = append(list, show(batch.BaseOffset(), batch.LastOffset()))
	}
	return strings.Join(list, ",")
}

// ack acknowledges and waits for the verdict.
func (b *broker) ack(group, member string, first, last int64, kind int8) string {
	return b.verdict(b.service.Acknowledge(group, member, t0, topicID, []Ack{{first, last, []int8{kind}}}))
}

func (b *broker) verdict(v *Verdict) string {
	if err := v.Wait(b.Context()); err != nil {
		return name(err)
	}
	return "ok"
}

func (b *broker) want(got, want string) {
	b.Helper()
	if got != want {
		b.Errorf("got  %s\nwant %s", got, want)
	}
}

// coordinator remembers share partitions, as share.Persister does.
type coordinator struct {
	t      testing.TB
	mu     sync.Mutex
	states map[share.Key]*kept
	writes int
	delay  time.Duration                 // of every answer
	refuse func(share.Key) (error, bool) // an error, and whether what it is about is done even so
}

type kept struct {
	epoch, leader int32
	start         int64
	of            map[int64]share.StateBatch
}

func newCoordinator(t testing.TB) *coordinator {
	return &coordinator{t: t, states: map[share.Key]*kept{}}
}

func (c *coordinator) state(k share.Key) *kept {
	if c.states[k] == nil {
		c.states[k] = &kept{start: share.NoStart, of: map[int64]share.StateBatch{}}
	}
	return c.states[k]
}

func (c *coordinator) wait(ctx context.Context) error {
	c.mu.Lock()
	delay := c.delay
	c.mu.Unlock()
	if delay == 0 {
		return nil
	}
	select {
	case <-time.After(delay):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (c *coordinator) ReadState(ctx context.Context, k share.Key, leader int32) (share.PartitionState, error) {
	if err := c.wait(ctx); err != nil {
		return share.PartitionState{}, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.refuse != nil {
		if err, _ := c.refuse(k); err != nil {
			return share.PartitionState{}, err
		}
	}
	s := c.state(k)
	if leader < s.leader {
		return share.PartitionState{}, kerr.FencedLeaderEpoch
	}
	s.leader = leader
	p := share.PartitionState{StateEpoch: s.epoch, Start: s.start}
	for _, b := range s.of {
		p.Batches = append(p.Batches, b)
	}
	slices.SortFunc(p.Batches, func(a, b share.StateBatch) int { return int(a.First - b.First) })
	return p, nil
}

func (c *coordinator) WriteState(ctx context.Context, k share.Key, stateEpoch, leader int32, start int64, completed int32, batches []share.StateBatch) error {
	if err := c.wait(ctx); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	var failure error
	if c.refuse != nil {
		err, done := c.refuse(k)
		if failure = err; err != nil && !done {
			return err
		}
	}
	s := c.state(k)
	switch {
	case stateEpoch != s.epoch:
		return kerr.FencedStateEpoch
	case leader < s.leader:
		return kerr.FencedLeaderEpoch
	case start < s.start:
		c.t.Errorf("the start of %v falls from %d to %d", k, s.start, start)
	}
	c.writes++
	s.leader, s.start = leader, start
	for _, b := range batches {
		for o := b.First; o <= b.Last; o++ {
			was, known := s.of[o]
			if !known || was.Deliveries < b.Deliveries || was.Deliveries == b.Deliveries && was.State < b.State {
				s.of[o] = share.StateBatch{First: o, Last: o, State: b.State, Deliveries: b.Deliveries}
			}
		}
	}
	for o := range s.of {
		if o < start {
			delete(s.of, o)
		}
	}
	return failure
}

func (c *coordinator) set(f func(*coordinator)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f(c)
}

func (c *coordinator) failing(err error) {
	c.set(func(c *coordinator) {
		c.refuse = func(share.Key) (error, bool) { return err, false }
		if err == nil {
			c.refuse = nil
		}
	})
}

var errLine = errors.New("the line is cut")

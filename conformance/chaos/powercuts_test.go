package chaos

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/odradek/odradek/conformance/chaos/clock"
	"github.com/odradek/odradek/sim/check"
	"github.com/odradek/odradek/sim/history"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

var powerCuts = flag.Int("power-cuts", 0, "how often TestPowerCuts takes the power from the whole cluster; needs root, mkfs.ext4 and loop devices")

const (
	cutTopic      = "cuts"
	cutPartitions = 4
)

// The power of all nodes is cut at one instant, again and again, while producers write with
// acks=all; the disks keep what was synced and nothing else. After each cut everything that
// was ever acknowledged is read back, at its offset, by a client that knows nothing; in the
// end the checkers of package check judge the whole history.
func TestPowerCuts(t *testing.T) {
	if *powerCuts == 0 {
		t.Skip("asked for with -power-cuts=10; needs root, mkfs.ext4 and loop devices")
	}
	r := startRig(t, Config{Dir: *keep, Without: []Need{Memory, Tracer}})
	if why := r.lacks[Disks]; why != "" {
		t.Skipf("SKIPPED: %s", why)
	}
	makeTopic(t, r, cutPartitions, cutTopic)
	p := newPromises(t, r, 3)
	rng, began := r.Rand(3), time.Now()
	var down, reading time.Duration
	for i := range *powerCuts {
		p.await(t, 1+rng.IntN(3000))
		cut := time.Now()
		h, err := r.Do(within(t), Named("power cut"), r.Nodes...)
		try(t, err)
		p.told.Note(faultOp(h))
		try(t, h.Undo(within(t)))
		try(t, r.Heal(within(t)))
		read := time.Now()
		n, wrong := p.readBack(t, r)
		down, reading = down+read.Sub(cut), reading+time.Since(read)
		report(t, wrong)
		if t.Failed() {
			t.Fatalf("after %d cuts; go test -run TestPowerCuts ./conformance/chaos -power-cuts=%d -rig-seed=%d", i+1, i+1, r.Seed)
		}
		if i%10 == 9 {
			t.Logf("%d cuts, %d records acknowledged and read back, %v", i+1, n, time.Since(began).Round(time.Second))
		}
	}
	p.end(t)
	n, wrong := p.readBack(t, r)
	report(t, wrong)
	ops := p.told.History()
	for _, v := range check.All(ops, check.Options{}) {
		t.Error(v)
	}
	t.Logf("the power of %d nodes was cut %d times: %d records acknowledged, none lost, moved or doubled; %d comparisons; whole again after %v, read in %v; %v in all",
		len(r.Nodes), *powerCuts, n, p.compared, (down / time.Duration(*powerCuts)).Round(time.Millisecond),
		(reading / time.Duration(*powerCuts)).Round(time.Millisecond), time.Since(began).Round(time.Second))
}

func faultOp(h *Harm) history.Op {
	o := history.Blank()
	o.Kind, o.Text, o.Nodes = history.Fault, h.Fault, h.IDs()
	return o
}

// promises is what producers were told, and the producers.
type promises struct {
	told *history.Recorder
	stop context.CancelFunc
	wg   sync.WaitGroup

	mu    sync.Mutex // guards what follows
	acked [cutPartitions]map[int64]history.Value
	left  int           // acknowledgements until reached
	reach chan struct{} // closed then

	readers  atomic.Int32 // numbers of processes
	compared int64
}

func newPromises(t *testing.T, r *Rig, producers int) *promises {
	ctx, stop := context.WithCancel(context.Background())
	p := &promises{told: history.NewRecorder(clock.Now), stop: stop, reach: make(chan struct{})}
	p.readers.Store(1000)
	for i := range p.acked {
		p.acked[i] = make(map[int64]history.Value)
	}
	for i := range producers {
		c := client(t, r, kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.MaxBufferedRecords(200),
			kgo.StopProducerOnDataLossDetected(), kgo.RequestRetries(1000), kgo.UnknownTopicRetries(-1),
			kgo.RetryBackoffFn(func(int) time.Duration { return 20 * time.Millisecond }))
		rng := r.Rand(100 + uint64(i))
		p.wg.Go(func() { p.produce(t, ctx, c, int32(i+1), rng) })
	}
	t.Cleanup(func() { stop(); p.wg.Wait() })
	return p
}

// produce sends as fast as records are acknowledged. What is under way when the power goes
// is sent again to the next life.
func (p *promises) produce(t *testing.T, ctx context.Context, c *kgo.Client, number int32, rng *rand.Rand) {
	for seq := int64(0); ctx.Err() == nil; seq++ {
		o := history.Blank()
		o.Kind, o.Process, o.Topic, o.Partition, o.Value = history.Send, number, cutTopic, rng.Int32N(cutPartitions), history.MakeValue(number, seq)
		op := p.told.Begin(o)
		c.Produce(context.WithoutCancel(ctx), &kgo.Record{Topic: cutTopic, Partition: o.Partition, Value: o.Value.Bytes(0)}, func(rec *kgo.Record, err error) {
			if err != nil {
				if ctx.Err() == nil {
					t.Errorf("producer %d gave up: %v", number, err)
				}
				op.Err = err.Error()
				p.told.End(op, history.Info)
				return
			}
			op.Offset = rec.Offset
			p.told.End(op, history.OK)
			p.ack(rec.Partition, rec.Offset, op.Value)
		})
	}
	flushing, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
	defer cancel()
	if err := c.Flush(flushing); err != nil && !t.Failed() {
		t.Errorf("producer %d: %v", number, err)
	}
}

func (p *promises) ack(partition int32, offset int64, v history.Value) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.acked[partition][offset] = v
	if p.left--; p.left == 0 {
		close(p.reach)
	}
}

// await waits for so many more acknowledgements.
func (p *promises) await(t *testing.T, n int) {
	t.Helper()
	p.mu.Lock()
	p.left, p.reach = n, make(chan struct{})
	reach := p.reach
	p.mu.Unlock()
	select {
	case <-reach:
	case <-within(t).Done():
		t.Fatalf("not %d more records are acknowledged in %v", n, patience)
	}
}

// end lets the producers finish what they have begun.
func (p *promises) end(t *testing.T) {
	t.Helper()
	p.stop()
	p.wg.Wait()
}

// readBack reads all partitions from start to end as a new client, and holds them against
// what had been acknowledged before.
func (p *promises) readBack(t *testing.T, r *Rig) (acked int, wrong []string) {
	t.Helper()
	p.mu.Lock()
	var promised [cutPartitions]map[int64]history.Value
	for i := range promised {
		promised[i] = make(map[int64]history.Value, len(p.acked[i]))
		for offset, v := range p.acked[i] {
			promised[i][offset] = v
		}
		acked += len(promised[i])
	}
	p.mu.Unlock()
	there := p.read(t, r)
	for i, all := range promised {
		for offset, v := range all {
			if got := there[i][offset]; got != v {
				wrong = append(wrong, fmt.Sprintf("partition %d: at %d record %v was acknowledged, and %v is there", i, offset, v, got))
			}
		}
		p.compared += int64(len(all))
	}
	return acked, wrong
}

func report(t *testing.T, wrong []string) {
	t.Helper()
	for _, w := range wrong[:min(20, len(wrong))] {
		t.Error(w)
	}
	if len(wrong) > 20 {
		t.Errorf("and %d more", len(wrong)-20)
	}
}

func (p *promises) read(t *testing.T, r *Rig) (there [cutPartitions]map[int64]history.Value) {
	t.Helper()
	ctx, process := within(t), p.readers.Add(1)
	c := client(t, r, kgo.MaxConcurrentFetches(1), kgo.FetchMaxPartitionBytes(8<<20))
	ends, err := kadm.NewClient(c).ListEndOffsets(ctx, cutTopic)
	for ; (err != nil || ends.Error() != nil) && ctx.Err() == nil; time.Sleep(20 * time.Millisecond) { // a node may not have heard of it yet
		ends, err = kadm.NewClient(c).ListEndOffsets(ctx, cutTopic)
	}
	try(t, err)
	open := make(map[int32]*history.Op)
	at := make(map[int32]kgo.Offset)
	ends.Each(func(e kadm.ListedOffset) {
		there[e.Partition] = make(map[int64]history.Value)
		if e.Offset == 0 {
			return
		}
		o := history.Blank()
		o.Kind, o.Process, o.Topic, o.Partition, o.Start, o.High = history.Drain, process, cutTopic, e.Partition, 0, e.Offset
		open[e.Partition], at[e.Partition] = p.told.Begin(o), kgo.NewOffset().At(0)
	})
	c.AddConsumePartitions(map[string]map[int32]kgo.Offset{cutTopic: at})
	since := p.told.Now()
	for len(open) > 0 {
		fs := c.PollFetches(ctx)
		try(t, ctx.Err())
		fs.EachPartition(func(f kgo.FetchTopicPartition) {
			o := open[f.Partition]
			if o == nil || len(f.Records) == 0 {
				return // it asks again; what came before an error counts
			}
			poll := history.Blank()
			poll.Kind, poll.Process, poll.Topic, poll.Partition, poll.Outcome = history.Poll, process, cutTopic, f.Partition, history.OK
			poll.Invoke, poll.Return, poll.High = since, p.told.Now(), f.HighWatermark
			for _, rec := range f.Records {
				v, _ := history.ParseValue(rec.Value)
				poll.Records = append(poll.Records, history.Read{Offset: rec.Offset, Value: v})
				there[f.Partition][rec.Offset] = v
			}
			p.told.Add(poll)
			if f.Records[len(f.Records)-1].Offset+1 >= o.High {
				p.told.End(o, history.OK)
				delete(open, f.Partition)
			}
		})
		since = p.told.Now()
	}
	return there
}

// What was acknowledged and is not there is missed, and so is what is another record.
func TestPromiseIsBroken(t *testing.T) {
	r := startRig(t, Config{Without: []Need{Network, Disks, Memory, Tracer}})
	makeTopic(t, r, cutPartitions, cutTopic)
	p := newPromises(t, r, 1)
	p.await(t, 100)
	p.end(t)
	if _, wrong := p.readBack(t, r); len(wrong) > 0 {
		t.Errorf("all is well, and this is told: %q", wrong)
	}
	p.ack(0, 1<<40, history.MakeValue(1, 1<<30)) // nobody wrote it
	for offset := range p.acked[1] {
		p.ack(1, offset, history.MakeValue(2, 0)) // another record is there
		break
	}
	if _, wrong := p.readBack(t, r); len(wrong) != 2 {
		t.Errorf("two promises are broken, and this is told: %q", wrong)
	}
}

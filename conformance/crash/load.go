package crash

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// The topics of the load, with their numbers of partitions.
var topics = map[string]int32{
	"small":   6, // records of 10 B to 30 KB
	"large":   2, // up to 600 KB
	"trimmed": 3, // small segments, and somebody deletes records from below
	"loose":   2, // a producer that asks for acks=1
}

const loose = "loose"

// Load is clients that outlive the node: producers, and a group that reads and commits.
// They retry for ever, so that an idempotent producer's batch that was written but not
// acknowledged is sent again to the node's next life.
type Load struct {
	LoadConfig
	ctx context.Context

	mu    sync.Mutex
	open  chan struct{} // closed while producers may send
	left  int           // acknowledgements until reached is closed
	reach chan struct{}
	fails []error

	committed chan struct{} // has an element after a commit of the readers

	clients []*kgo.Client
	workers sync.WaitGroup
}

// LoadConfig says what load to make.
type LoadConfig struct {
	Addrs   []string // of the nodes
	History *History // is told everything
	Seed    uint64
	Loose   bool          // also produce with acks=1
	Pace    time.Duration // between two records of a producer; 0 sends as fast as they go
}

// NewLoad makes the clients and starts them; producers wait for Resume. They end with ctx.
func NewLoad(ctx context.Context, cfg LoadConfig) (*Load, error) {
	l := &Load{LoadConfig: cfg, ctx: ctx, open: make(chan struct{}), committed: make(chan struct{}, 1)}
	codecs := []kgo.CompressionCodec{kgo.NoCompression(), kgo.GzipCompression(), kgo.SnappyCompression(), kgo.Lz4Compression(), kgo.ZstdCompression()}
	for i, codec := range codecs {
		// Every second one waits a little and sends larger batches.
		linger := time.Duration(i%2) * 3 * time.Millisecond
		if err := l.producer(uint16(i), false, kgo.ProducerLinger(linger), kgo.ProducerBatchCompression(codec)); err != nil {
			return nil, err
		}
	}
	if cfg.Loose {
		if err := l.producer(uint16(len(codecs)), true, kgo.RequiredAcks(kgo.LeaderAck()), kgo.DisableIdempotentWrite()); err != nil {
			return nil, err
		}
	}
	for range 2 {
		if err := l.reader(); err != nil {
			return nil, err
		}
	}
	return l, l.counter()
}

// patient are the options of every client: it asks again soon, and for ever.
func patient(addrs []string, opts ...kgo.Opt) []kgo.Opt {
	return append([]kgo.Opt{
		kgo.SeedBrokers(addrs...),
		kgo.RetryBackoffFn(func(int) time.Duration { return 20 * time.Millisecond }),
		kgo.MetadataMinAge(20 * time.Millisecond),
		kgo.FetchMaxWait(100 * time.Millisecond),
		// A node that is killed before its first answer is no sign of TLS or SASL.
		kgo.AlwaysRetryEOF(),
		// Of several nodes one may not have learnt of a topic yet.
		kgo.UnknownTopicRetries(-1),
		kgo.RequestRetries(1000),
	}, opts...)
}

func (l *Load) client(opts ...kgo.Opt) (*kgo.Client, error) {
	c, err := kgo.NewClient(patient(l.Addrs, opts...)...)
	if err == nil {
		l.clients = append(l.clients, c)
	}
	return c, err
}

// producer sends while the gate is open. An error that reaches a promise is a failure:
// nothing may make a patient producer give up.
func (l *Load) producer(number uint16, once bool, opts ...kgo.Opt) error {
	c, err := l.client(append(opts, kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.MaxBufferedRecords(200), kgo.StopProducerOnDataLossDetected())...)
	if err != nil {
		return err
	}
	rng := rand.New(rand.NewPCG(l.Seed, uint64(number)))
	l.workers.Go(func() {
		for seq := uint64(0); l.wait(); seq++ {
			r := record(rng, ID{number, seq}, once)
			c.Produce(l.ctx, r, l.promise(ID{number, seq}))
			l.rest()
		}
	})
	return nil
}

func record(rng *rand.Rand, id ID, isLoose bool) *kgo.Record {
	topic, class := "small", small
	switch dice := rng.IntN(100); {
	case isLoose:
		topic = loose
	case dice < 3:
		topic, class = "large", large
	case dice < 30:
		topic = "trimmed"
	}
	return &kgo.Record{Topic: topic, Partition: rng.Int32N(topics[topic]), Key: key(id, class), Value: value(id, class)}
}

func (l *Load) promise(id ID) func(*kgo.Record, error) {
	return func(r *kgo.Record, err error) {
		switch {
		case err == nil:
			l.History.Acked(Place{r.Topic, r.Partition}, r.Offset, id)
			l.count()
		case l.ctx.Err() == nil:
			l.fail(err)
		}
	}
}

// Resume lets the producers send, until Pause. The channel is closed after n more
// acknowledgements.
func (l *Load) Resume(n int) <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.left, l.reach = n, make(chan struct{})
	close(l.open)
	return l.reach
}

// Pause keeps the producers from sending more. What they have begun they go on retrying.
func (l *Load) Pause() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.open = make(chan struct{})
}

func (l *Load) count() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.left--; l.left == 0 {
		close(l.reach)
	}
}

// wait waits until the gate is open, and tells whether the load goes on.
func (l *Load) wait() bool {
	l.mu.Lock()
	open := l.open
	l.mu.Unlock()
	select {
	case <-open:
	case <-l.ctx.Done():
	}
	return l.ctx.Err() == nil
}

// rest keeps a producer to its pace.
func (l *Load) rest() {
	if l.Pace == 0 {
		return
	}
	select {
	case <-l.ctx.Done():
	case <-time.After(l.Pace):
	}
}

func (l *Load) fail(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.fails = append(l.fails, err)
}

// Failures are the errors that no client should have seen.
func (l *Load) Failures() []error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.fails
}

// Flush sends what is buffered and waits for its acknowledgements.
func (l *Load) Flush(ctx context.Context) error {
	for _, c := range l.clients {
		if err := c.Flush(ctx); err != nil {
			return err
		}
	}
	return nil
}

// Close waits for the goroutines, whose context must have ended, and closes the clients.
func (l *Load) Close() {
	l.workers.Wait()
	for _, c := range l.clients {
		c.CloseAllowingRebalance()
	}
}

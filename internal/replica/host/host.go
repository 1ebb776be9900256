// Package host keeps all the partitions of one broker: it follows the cluster's image,
// gives each partition its role, settings and place on disk, and does what is due over
// time: retention, compaction, syncs by age, checkpoints, deletions. It knows folders
// and journals; it does not know requests or clients. Run owns its goroutines, which
// docs/ARCHITECTURE.md lists.
package host

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/odradek/odradek/internal/base/clock"
	"github.com/odradek/odradek/internal/base/gate"
	"github.com/odradek/odradek/internal/base/planted"
	"github.com/odradek/odradek/internal/base/run"
	"github.com/odradek/odradek/internal/base/vfs"
	"github.com/odradek/odradek/internal/cluster/metadata"
	"github.com/odradek/odradek/internal/proto/model"
	"github.com/odradek/odradek/internal/proto/wire"
	"github.com/odradek/odradek/internal/replica/fetcher"
	"github.com/odradek/odradek/internal/replica/partition"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Config is what a host is made of.
type Config struct {
	NodeID int32
	FS     vfs.FS
	// Dirs are the log folders (log.dirs), made and identified already.
	Dirs []Dir
	Feed *metadata.Feed
	// Settings resolves the configs of a topic against an image.
	Settings func(image *metadata.Image, topic string) *partition.Settings
	// BrokerEpoch is the present registration of this broker, -1 if there is none: the
	// mark of a clean shutdown names it. Nil is -1.
	BrokerEpoch func() int64
	// Random draws bits. Safe for concurrent use.
	Random func() uint64
	Clock  clock.Clock
	Log    *slog.Logger

	RetentionInterval  time.Duration // log.retention.check.interval.ms; 5 min
	CheckpointInterval time.Duration // how often changed checkpoints are written; 5 s
	CleanerBackoff     time.Duration // log.cleaner.backoff.ms; 15 s
	SyncInterval       time.Duration // log.flush.scheduler.interval.ms; 1 s
	DeleteDelay        time.Duration // file.delete.delay.ms; 1 min

	ScrubInterval time.Duration // odradek.scrub.interval.ms: in which every log is read against its checksums; 0 never
	ScrubRate     int64         // odradek.scrub.bytes.per.second; 0 is without bound

	JournalFileBytes  int64 // odradek.journal.file.bytes
	JournalSmallBytes int   // odradek.journal.small.bytes

	Replication
}

// Replication is what a host needs that has peers. All of it may be left out: such a host
// leads what it is told to lead, and follows nobody.
type Replication struct {
	// Dial reaches other brokers, at their endpoint of the listener InterBroker
	// (inter.broker.listener.name).
	Dial        wire.Dialer
	InterBroker string
	// Ask puts a request to the active controller, and returns once this node's Feed has
	// what the controller decided by it.
	Ask func(ctx context.Context, req kmsg.Request) (kmsg.Response, error)
	// Lease reports whether the controller has heard of this broker lately enough that
	// it may acknowledge; nil is always.
	Lease func() bool

	LagMax           time.Duration // replica.lag.time.max.ms; 30 s
	Fetchers         int           // num.replica.fetchers; 1
	FetchWait        time.Duration // replica.fetch.wait.max.ms; 500 ms
	FetchMinBytes    int           // replica.fetch.min.bytes; 1
	FetchMaxBytes    int           // replica.fetch.max.bytes, of one partition; 1 MiB
	FetchAnswerBytes int           // replica.fetch.response.max.bytes; 10 MiB
	FetchBackoff     time.Duration // replica.fetch.backoff.ms; 1 s
	FetchTimeout     time.Duration // replica.socket.timeout.ms; 30 s
}

func (c *Config) setDefaults() {
	def := func(d *time.Duration, v time.Duration) {
		if *d == 0 {
			*d = v
		}
	}
	def(&c.RetentionInterval, 5*time.Minute)
	def(&c.CheckpointInterval, 5*time.Second)
	def(&c.CleanerBackoff, 15*time.Second)
	def(&c.SyncInterval, time.Second)
	def(&c.DeleteDelay, time.Minute)
	def(&c.LagMax, 30*time.Second)
	def(&c.FetchWait, 500*time.Millisecond)
	def(&c.FetchBackoff, time.Second)
	def(&c.FetchTimeout, 30*time.Second)
	count := func(n *int, v int) {
		if *n == 0 {
			*n = v
		}
	}
	count(&c.Fetchers, 1)
	count(&c.FetchMinBytes, 1)
	count(&c.FetchMaxBytes, 1<<20)
	count(&c.FetchAnswerBytes, 10<<20)
	if c.BrokerEpoch == nil {
		c.BrokerEpoch = func() int64 { return -1 }
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
}

// Host keeps the partitions of a broker. Safe for concurrent use.
type Host struct {
	cfg  Config
	dirs []*folder

	opens    atomic.Int64  // counts logs that were opened
	discards chan struct{} // kicks the deleter
	over     chan error    // why the host cannot go on

	fleet *fetcher.Fleet // fetches from other brokers; nil without Dial
	eager eagers
	// Of the partitions, some have batches that cannot be read, some are taken for lost.
	doubts, ill eagers
	moves       moves

	// following is held while the image is followed; not while anyone waits for more.
	following gate.Gate
	image     atomic.Pointer[metadata.Image]
	swept     bool // strays were set aside; guarded by following

	// mu guards byTP and byID, for moments only.
	mu   sync.RWMutex
	byTP map[model.TopicPartition]*replica
	byID map[model.IDPartition]*replica
}

// replica is a partition and where it lives.
type replica struct {
	*partition.Partition
	at atomic.Pointer[folder] // see dir

	leader, epoch int32         // whom it was told to follow last; guarded by Host.following
	proposePause  time.Duration // after a proposal that came to nothing; of keepISRs alone
}

// dir is the folder that it lives in, which changes when it is moved.
func (r *replica) dir() *folder { return r.at.Load() }

// Open locks the folders, replays their journals and prepares to serve. Every partition
// opens when it is first used. Close must follow.
func Open(cfg Config) (*Host, error) {
	cfg.setDefaults()
	h := &Host{
		cfg: cfg, following: gate.New(), discards: make(chan struct{}, 1), over: make(chan error, 1),
		eager: newEagers(), doubts: newEagers(), ill: newEagers(), moves: newMoves(),
		byTP: make(map[model.TopicPartition]*replica),
		byID: make(map[model.IDPartition]*replica),
	}
	h.image.Store(metadata.Empty())
	h.fleet = newFleet(h)
	for _, d := range cfg.Dirs {
		f := openFolder(h, d)
		if err := f.err(); err != nil {
			cfg.Log.Error("log folder is offline", "dir", d.Path, "err", err)
		}
		h.dirs = append(h.dirs, f)
	}
	h.resume()
	if planted.Is(planted.DeleteAbsentFromMetadata) {
		h.sweep() // what the metadata does not have, of which nothing was read yet
	}
	if err := h.unusable(); err != nil {
		for _, f := range h.dirs {
			f.release()
		}
		return nil, err
	}
	return h, nil
}

// Run does what is due until ctx ends, then closes every partition in order. It returns
// an error if no folder is left that works.
func (h *Host) Run(ctx context.Context) error {
	g := run.New(ctx, "host")
	for _, f := range h.dirs {
		if f.err() == nil {
			g.Go("journal "+f.Path, func(ctx context.Context) error { return h.runJournal(ctx, f) })
		}
	}
	g.Go("end", h.awaitEnd)
	g.Go("follow", h.follow)
	g.Go("deleter", h.deleteLoop)
	if h.fleet != nil {
		g.Go("fetchers", h.fleet.Run)
	}
	if h.cfg.Ask != nil {
		g.Go("isr", h.keepISRs)
		g.Go("healer", h.keepHealing)
	}
	g.Go("scrubber", h.keepScrubbing)
	if len(h.dirs) > 1 || h.cfg.Ask != nil {
		g.Go("mover", h.keepMoving)
	}
	h.every(g, "retention", h.cfg.RetentionInterval, h.retain)
	h.every(g, "checkpoint", h.cfg.CheckpointInterval, h.checkpoint)
	h.every(g, "cleaner", h.cfg.CleanerBackoff, h.compact)
	h.every(g, "sync", h.cfg.SyncInterval, h.syncByAge)
	err := g.Wait()
	if ctx.Err() != nil {
		err = nil
	}
	return errors.Join(err, h.close())
}

// every runs do at intervals until the group ends.
func (h *Host) every(g *run.Group, name string, interval time.Duration, do func(context.Context)) {
	g.Go(name, func(ctx context.Context) error {
		t := time.NewTicker(interval)
		defer t.Stop()
		for {
			select {
			case <-t.C:
				do(ctx)
			case <-ctx.Done():
				return nil
			}
		}
	})
}

// Partition returns the replica of a partition on this broker.
// It returns kerr.UnknownTopicOrPartition if the cluster has no such partition and
// kerr.NotLeaderForPartition if it has, but not here.
func (h *Host) Partition(tp model.TopicPartition) (*partition.Partition, error) {
	h.catchUp()
	h.mu.RLock()
	r := h.byTP[tp]
	h.mu.RUnlock()
	if r != nil {
		return r.Partition, nil
	}
	if _, _, ok := h.image.Load().Partition(tp.Topic, tp.Partition); ok {
		return nil, kerr.NotLeaderForPartition
	}
	return nil, kerr.UnknownTopicOrPartition
}

// PartitionByID is Partition by topic id; an unknown id is kerr.UnknownTopicID.
func (h *Host) PartitionByID(id model.IDPartition) (*partition.Partition, error) {
	h.catchUp()
	if r := h.replica(id); r != nil {
		return r.Partition, nil
	}
	t, ok := h.image.Load().TopicByID(id.Topic)
	switch {
	case !ok:
		return nil, kerr.UnknownTopicID
	case int(id.Partition) >= len(t.Partitions) || id.Partition < 0:
		return nil, kerr.UnknownTopicOrPartition
	}
	return nil, kerr.NotLeaderForPartition
}

func (h *Host) replica(id model.IDPartition) *replica {
	h.mu.RLock()
	defer h.mu.RUnlock()
	return h.byID[id]
}

// replicas are the partitions of this broker at one moment, in no order.
func (h *Host) replicas() []*replica {
	h.mu.RLock()
	defer h.mu.RUnlock()
	list := make([]*replica, 0, len(h.byTP))
	for _, r := range h.byTP {
		list = append(list, r)
	}
	return list
}

// close ends every partition and leaves the folders marked as closed in order. What a
// full disk does not take is made up for by the next start, from the journal.
func (h *Host) close() error {
	var errs []error
	for _, r := range h.replicas() {
		r.Stop()
	}
	for _, f := range h.dirs {
		if f.err() == nil {
			errs = append(errs, f.journal.Close())
		}
	}
	errs = append(errs, h.closeAll()...)
	for _, f := range h.dirs {
		errs = append(errs, f.discardAll(context.Background(), false), f.close(h.cfg.BrokerEpoch()))
	}
	h.mu.Lock()
	clear(h.byID)
	h.mu.Unlock()
	errs = slices.DeleteFunc(errs, func(err error) bool { return err == nil })
	if len(errs) > 0 && !slices.ContainsFunc(errs, func(err error) bool { return !errors.Is(err, vfs.ErrNoSpace) }) {
		h.cfg.Log.Warn("closed on a full disk: the next start takes longer", "err", errors.Join(errs...))
		return nil
	}
	return errors.Join(errs...)
}

// closers is how many logs are closed at the same time, which waits for the disk.
const closers = 8

func (h *Host) closeAll() (errs []error) {
	var group sync.WaitGroup
	var mu sync.Mutex // guards errs
	todo := make(chan *replica)
	for range closers {
		group.Go(func() {
			for r := range todo {
				if err := r.Close(); err != nil && r.dir().err() == nil {
					mu.Lock()
					errs = append(errs, err)
					mu.Unlock()
				}
			}
		})
	}
	for _, r := range h.replicas() {
		todo <- r
	}
	close(todo)
	group.Wait()
	return errs
}

package quorum

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"go.etcd.io/raft/v3/raftpb"

	"github.com/odradek/odradek/internal/base/vfs"
)

// Config is what a Quorum needs. The functions are called by Run's goroutine, never
// two at a time, and must not call back into the Quorum.
type Config struct {
	FS   vfs.FS
	Dir  string // folder of the log and its snapshots; made if missing
	Node int32  // this node's id, 0 or more
	// Voters are the ids of the first voters, this node among them. Used only when Dir
	// has no log yet. Default: this node alone.
	Voters []int32
	// Join says that a Dir without a log is that of a node that no voter knows yet: it
	// waits until AddVoter is called on the leader. Voters is not used then.
	Join bool

	// Apply takes committed entries in order, each once since the last Restore. Those of
	// Raft itself, a new leader's first and changes of voters, come as empty entries. An
	// error stops the node: it does not know what the cluster agreed on.
	Apply func(offset int64, entry []byte) error
	// Snapshot is the state that Apply has made so far, or a later one: a node may follow
	// the log by its Tail as well. Restore puts one back.
	Snapshot func() []byte
	Restore  func(data []byte) error

	// Lead is called when this node leads a term and has applied all entries of those
	// before, Resign when it stops. Default: nothing.
	Lead   func(term int64)
	Resign func()
	// Send hands messages to other voters; it must not wait, and may be called from two
	// goroutines: heartbeats go out while the disk stalls. Never called with one voter.
	// Default: drops them.
	Send func([]*raftpb.Message)

	Tick  time.Duration // of heartbeats; default 100 ms
	Phase time.Duration // of the first tick, so that nodes do not tick as one
	// ElectionTicks is after how many ticks of silence a voter holds the leader for dead:
	// from this many to twice as many, drawn anew each time. Default 7.
	ElectionTicks int
	SnapshotBytes int64         // log bytes after which a snapshot is taken; default 4 MiB
	SegmentBytes  int64         // a log file is closed at this size; default 4 MiB
	MaxEntryBytes int           // default 64 MiB
	Rand          func() uint64 // salts the checksums of log files, and jitter; required
	Log           *slog.Logger  // default: discards

	pause func() // of tests: blocks while the process is stopped
}

func (c *Config) validate() error {
	var errs []error
	for _, need := range []struct {
		missing bool
		what    string
	}{
		{c.FS == nil, "FS"}, {c.Dir == "", "Dir"}, {c.Apply == nil, "Apply"}, {c.Snapshot == nil, "Snapshot"},
		{c.Restore == nil, "Restore"}, {c.Rand == nil, "Rand"},
	} {
		if need.missing {
			errs = append(errs, fmt.Errorf("%s is not set", need.what))
		}
	}
	if c.Node < 0 {
		errs = append(errs, fmt.Errorf("node id %d is negative", c.Node))
	}
	if (len(c.Voters) > 1 || c.Join) && c.Send == nil {
		errs = append(errs, errors.New("no Send, and there are other voters"))
	}
	c.defaults()
	if !c.Join && !slices.Contains(c.Voters, c.Node) {
		errs = append(errs, fmt.Errorf("node %d is not among the voters %v", c.Node, c.Voters))
	}
	return errors.Join(errs...)
}

func (c *Config) defaults() {
	if c.Join {
		c.Voters = nil
	} else if len(c.Voters) == 0 {
		c.Voters = []int32{c.Node}
	}
	if c.Lead == nil {
		c.Lead = func(int64) {}
	}
	if c.Resign == nil {
		c.Resign = func() {}
	}
	if c.Send == nil {
		c.Send = func([]*raftpb.Message) {}
	}
	c.Tick = cmp.Or(c.Tick, 100*time.Millisecond)
	c.ElectionTicks = cmp.Or(c.ElectionTicks, 7)
	c.SnapshotBytes = cmp.Or(c.SnapshotBytes, 4<<20)
	c.SegmentBytes = cmp.Or(c.SegmentBytes, 4<<20)
	c.MaxEntryBytes = cmp.Or(c.MaxEntryBytes, 64<<20)
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
}

// Wait waits for a proposal to be applied here and returns its offset. Many may wait.
type Wait = func(context.Context) (offset int64, err error)

package quorum

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"slices"
	"sync"
	"testing"
	"testing/cryptotest"
	"testing/synctest"
	"time"

	"go.etcd.io/raft/v3/raftpb"
	"google.golang.org/protobuf/proto"

	"github.com/odradek/odradek/internal/base/bubble"
	"github.com/odradek/odradek/internal/base/vfs"
)

// world is some nodes, the network between them, and the judge of what they say: it knows
// what was committed at each offset, and who led each term.
type world struct {
	t      *testing.T
	rng    *rand.Rand // under mu
	voters []int32

	mu      sync.Mutex // guards what follows
	nodes   map[int32]*host
	cuts    map[[2]int32]bool // from, to
	notice  bool              // a kill is noticed by the others' links at once
	lossy   float64
	links   map[[2]int32]time.Time // when the last message on a link arrives
	log     map[int64]string       // committed
	leaders map[int64]int32        // by term
	led     []int64                // terms, in order
	ledAt   time.Time
	acked   map[int64]string
	sent    map[int32]int // messages
	votes   map[int32]int // asked for, of any kind
	faults  []string
}

// host is one node: its disk outlives its process.
type host struct {
	disk    *vfs.Mem
	fs      *vfs.Faulty
	join    bool
	process *process // nil while it is down
}

type process struct {
	q     *Quorum
	m     *judged
	end   context.CancelFunc
	ended chan error

	mu      sync.Mutex
	paused  chan struct{} // closed when it goes on; nil while it runs
	resumed time.Time
}

func (p *process) pause() {
	for {
		p.mu.Lock()
		ch := p.paused
		p.mu.Unlock()
		if ch == nil {
			return
		}
		<-ch
	}
}

// inWorld runs a story among the voters 1 to n, by seed.
func inWorld(t *testing.T, seed uint64, n int, story func(*world)) {
	t.Helper()
	bubble.Test(t, func(t *testing.T) {
		cryptotest.SetGlobalRandom(t, seed)
		w := &world{
			t: t, rng: rand.New(rand.NewPCG(seed, 77)), nodes: map[int32]*host{}, cuts: map[[2]int32]bool{},
			links: map[[2]int32]time.Time{}, log: map[int64]string{}, leaders: map[int64]int32{}, acked: map[int64]string{}, sent: map[int32]int{}, votes: map[int32]int{},
		}
		for id := int32(1); id <= int32(n); id++ {
			w.voters = append(w.voters, id)
		}
		for _, id := range w.voters {
			w.start(id)
		}
		story(w)
		w.mu.Lock()
		ids := slices.Collect(mapKeys(w.nodes))
		w.mu.Unlock()
		for _, id := range ids {
			w.stop(id)
		}
		for _, f := range w.faults {
			t.Error(f)
		}
		if t.Failed() {
			t.Logf("seed %d", seed)
		}
	})
}

func mapKeys[K comparable, V any](m map[K]V) func(func(K) bool) {
	return func(yield func(K) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

func (w *world) fault(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.faults = append(w.faults, fmt.Sprintf(format, args...))
}

// host returns a node's, made new if it is not there; one beyond the voters joins.
func (w *world) host(id int32) *host {
	w.mu.Lock()
	defer w.mu.Unlock()
	h := w.nodes[id]
	if h == nil {
		h = &host{disk: vfs.NewMem(), join: !slices.Contains(w.voters, id)}
		h.fs = vfs.NewFaulty(h.disk, nil)
		w.nodes[id] = h
	}
	return h
}

func (w *world) start(id int32) *Quorum {
	h := w.host(id)
	p := &process{m: &judged{w: w, node: id}, ended: make(chan error, 1)}
	w.mu.Lock()
	seed := w.rng.Uint64()
	w.mu.Unlock()
	c := Config{
		FS: h.fs, Dir: "/data/quorum", Node: id, Voters: w.voters, Join: h.join,
		Apply: p.m.apply, Snapshot: p.m.snapshot, Restore: p.m.restore,
		Lead: func(term int64) { w.lead(id, term) }, Send: func(list []*raftpb.Message) { w.send(p, id, list) },
		SnapshotBytes: 16 << 10, SegmentBytes: 4 << 10,
		Phase: time.Duration(id)*7*time.Millisecond + time.Duration(id), Rand: rand.New(rand.NewPCG(seed, 1)).Uint64, pause: p.pause,
	}
	if os.Getenv("QUORUM_LOG") != "" {
		c.Log = slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelDebug})).With("n", id)
	}
	q, err := Open(c)
	if err != nil {
		w.t.Fatalf("node %d: %v", id, err)
	}
	p.q = q
	ctx, cancel := context.WithCancel(context.Background())
	p.end = cancel
	w.mu.Lock()
	h.process = p
	w.mu.Unlock()
	go func() { p.ended <- q.Run(ctx) }()
	return q
}

// send takes messages to where they go, in order on each link, unless it is cut by the
// time they would arrive.
func (w *world) send(p *process, from int32, list []*raftpb.Message) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.nodes[from].process != p {
		return
	}
	for _, m := range list {
		w.sent[from]++
		if t := m.GetType(); t == raftpb.MsgVote || t == raftpb.MsgPreVote {
			w.votes[from]++
		}
		if m.GetFrom() != raftID(from) {
			w.faults = append(w.faults, fmt.Sprintf("node %d speaks for %d", from, nodeID(m.GetFrom())))
		}
		m, link := proto.CloneOf(m), [2]int32{from, nodeID(m.GetTo())}
		if w.lossy > 0 && w.rng.Float64() < w.lossy {
			continue
		}
		at := time.Now().Add(200*time.Microsecond + time.Duration(w.rng.IntN(800_000)))
		if last := w.links[link]; !at.After(last) {
			at = last.Add(time.Nanosecond)
		}
		w.links[link] = at
		time.AfterFunc(time.Until(at), func() { w.arrive(link, m) })
	}
}

func (w *world) arrive(link [2]int32, m *raftpb.Message) {
	w.mu.Lock()
	var q *Quorum
	if h := w.nodes[link[1]]; h != nil && h.process != nil && !w.cuts[link] {
		q = h.process.q
	}
	w.mu.Unlock()
	if q != nil {
		q.Step(m)
	}
}

// kill ends a process; what its disk had not synced is gone, in part.
func (w *world) kill(id int32) {
	w.mu.Lock()
	h := w.nodes[id]
	p, notice := h.process, w.notice
	h.process = nil
	crashed := h.disk.Crash(w.rng)
	h.disk = crashed
	h.fs = vfs.NewFaulty(crashed, nil)
	w.mu.Unlock()
	p.resume()
	p.end()
	<-p.ended
	if notice {
		w.others(id, func(q *Quorum) {
			time.AfterFunc(time.Millisecond+time.Duration(w.roll(3_000_000)), func() { q.LeaderGone(id) })
		})
	}
}

func (w *world) roll(n int) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.rng.IntN(n)
}

func (w *world) others(id int32, f func(*Quorum)) {
	w.mu.Lock()
	var list []*Quorum
	for other, h := range w.nodes {
		if other != id && h.process != nil {
			list = append(list, h.process.q)
		}
	}
	w.mu.Unlock()
	for _, q := range list {
		f(q)
	}
}

// stop ends a process in order.
func (w *world) stop(id int32) {
	w.mu.Lock()
	p := w.nodes[id].process
	w.nodes[id].process = nil
	w.mu.Unlock()
	if p == nil {
		return
	}
	p.resume()
	p.end()
	if err := <-p.ended; err != nil {
		w.fault("node %d: %v", id, err)
	}
}

func (p *process) resume() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.paused != nil {
		close(p.paused)
		p.paused, p.resumed = nil, time.Now()
	}
}

// stopped reports whether a process has not run all the time lately.
func (p *process) stopped(lately time.Duration) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.paused != nil || time.Since(p.resumed) < lately
}

// pause stops a process as SIGSTOP does: what is sent to it waits for it.
func (w *world) pause(id int32, on bool) {
	p := w.process(id)
	if p == nil {
		return
	}
	if !on {
		p.resume()
		return
	}
	p.mu.Lock()
	if p.paused == nil {
		p.paused = make(chan struct{})
	}
	p.mu.Unlock()
	_ = p.q.do(func() {}) // it may be asleep: now it stops here
}

func (w *world) process(id int32) *process {
	w.mu.Lock()
	defer w.mu.Unlock()
	if h := w.nodes[id]; h != nil {
		return h.process
	}
	return nil
}

func (w *world) q(id int32) *Quorum { return w.process(id).q }

// isolate cuts a node off from all others, or heals it.
func (w *world) isolate(id int32, on bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for other := range w.nodes {
		w.cuts[[2]int32{id, other}], w.cuts[[2]int32{other, id}] = on, on
	}
}

// part cuts the nodes of a group off from all others.
func (w *world) part(group ...int32) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for a := range w.nodes {
		for b := range w.nodes {
			w.cuts[[2]int32{a, b}] = slices.Contains(group, a) != slices.Contains(group, b)
		}
	}
}

func (w *world) heal() {
	w.mu.Lock()
	defer w.mu.Unlock()
	clear(w.cuts)
}

// lead is told who leads which term: nobody else may lead it, and he twice only.
func (w *world) lead(id int32, term int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if other, ok := w.leaders[term]; ok && other != id {
		w.faults = append(w.faults, fmt.Sprintf("nodes %d and %d both lead term %d", other, id, term))
	}
	w.leaders[term] = id
	w.led = append(w.led, term)
	w.ledAt = time.Now()
}

// leader waits until one node leads the newest term of all, of those that are up and
// run, and returns it. It fails the story if that takes longer than within.
func (w *world) leader(within time.Duration) (int32, *Quorum) {
	w.t.Helper()
	began := time.Now()
	for {
		if id, q := w.leads(); q != nil {
			return id, q
		}
		if time.Since(began) > within {
			w.dump()
			w.t.Fatalf("nobody leads after %v", within)
		}
		time.Sleep(time.Millisecond)
	}
}

func (w *world) leads() (int32, *Quorum) {
	w.mu.Lock()
	defer w.mu.Unlock()
	newest := int64(0)
	for _, h := range w.nodes {
		if h.process != nil {
			newest = max(newest, h.process.q.Status().Term)
		}
	}
	for id, h := range w.nodes {
		if h.process != nil && h.process.q.term.Load() == newest {
			return id, h.process.q
		}
	}
	return 0, nil
}

func (w *world) dump() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, id := range slices.Sorted(mapKeys(w.nodes)) {
		if h := w.nodes[id]; h.process != nil {
			w.t.Logf("node %d: %+v", id, h.process.q.Status())
		}
	}
}

// propose has a node propose, and notes what was acknowledged.
func (w *world) propose(q *Quorum, entry string, within time.Duration) error {
	ctx, cancel := context.WithTimeout(w.t.Context(), within)
	defer cancel()
	offset, err := q.Propose(ctx, []byte(entry))
	if err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.acked[offset] = entry
	if w.log[offset] != entry {
		w.faults = append(w.faults, fmt.Sprintf("%q was acknowledged at %d, but %q is there", entry, offset, w.log[offset]))
	}
	return nil
}

// agree proposes to whoever leads until it is agreed on.
func (w *world) agree(entry string, within time.Duration) {
	w.t.Helper()
	until := time.Now().Add(within)
	for {
		_, q := w.leader(time.Until(until))
		err := w.propose(q, entry, time.Until(until))
		if err == nil {
			return
		}
		if !time.Now().Before(until) {
			w.dump()
			w.t.Fatalf("%q was not agreed on within %v: %v", entry, within, err)
		}
		time.Sleep(time.Millisecond)
	}
}

// settle waits until all nodes that are up have applied the same, and checks that all
// that was acknowledged is in it.
func (w *world) settle(within time.Duration, ids ...int32) {
	w.t.Helper()
	began := time.Now()
	for {
		synctest.Wait()
		_, q := w.leads()
		if q != nil && w.even(q.Status().Commit, ids) {
			break
		}
		if time.Since(began) > within {
			w.dump()
			w.t.Fatalf("the nodes are not even after %v", within)
		}
		time.Sleep(10 * time.Millisecond)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for offset, e := range w.acked {
		if w.log[offset] != e {
			w.faults = append(w.faults, fmt.Sprintf("%q at %d was acknowledged and is lost: %q", e, offset, w.log[offset]))
		}
	}
}

func (w *world) even(commit int64, ids []int32) bool {
	if len(ids) == 0 {
		ids = w.voters
	}
	for _, id := range ids {
		p := w.process(id)
		if p == nil || p.m.offset() != commit {
			return false
		}
	}
	return true
}

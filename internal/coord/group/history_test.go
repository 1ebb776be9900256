package group

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/odradek/odradek/internal/coord/runtime"
	"github.com/odradek/odradek/internal/proto/record"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

var historySeed = flag.Uint64("history.seed", 0, "run only this history")

// Random histories: clients join, crash, come back, commit and leave while the log
// stalls, fails and changes leaders. A checker that knows only requests and answers
// holds the group to its word:
//
//   - of one generation no partition is assigned to two clients
//   - once a generation was assigned, nobody is sent into an earlier one
//   - committed offsets are a register: a fetch sees the last commit before it, or one
//     that was under way
//
// And at any time loading the log again gives the same groups and offsets.
func TestHistories(t *testing.T) {
	seeds := []uint64{*historySeed}
	if *historySeed == 0 {
		seeds = seeds[:0]
		for seed := range uint64(24) {
			seeds = append(seeds, seed+1)
		}
	}
	for _, seed := range seeds {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			defer func() {
				if t.Failed() {
					t.Logf("again: go test ./internal/coord/group -run TestHistories -history.seed=%d", seed)
				}
			}()
			set := Settings{InitialRebalanceDelay: time.Second, MinSessionTimeout: time.Second}
			withService(t, set, func(h *house) { newHistory(h, seed).run() })
		})
	}
}

const historyPartitions = 4

type history struct {
	*house
	rng  *rand.Rand // of the history itself; each client has one of its own
	wg   sync.WaitGroup
	over context.Context

	mu       sync.Mutex
	clock    int
	settled  int32                         // latest generation whose assignment reached somebody
	owners   map[int32]map[int32]string    // by generation and partition: the client
	commits  map[int32]map[int64]*interval // by partition and offset
	next     int64
	problems []string
	synced   int // answers of each kind, to know that something happened
	fetched  int
	acked    int
	compared int
}

// interval is when a commit was asked for and acknowledged; end is far away until then.
type interval struct{ start, end int }

func newHistory(h *house, seed uint64) *history {
	return &history{
		house: h, rng: rand.New(rand.NewPCG(seed, 0)),
		owners: map[int32]map[int32]string{}, commits: map[int32]map[int64]*interval{},
	}
}

func (h *history) run() {
	ctx, cancel := context.WithCancel(context.Background())
	h.over = ctx
	for i := range 4 {
		c := &client{history: h, name: fmt.Sprintf("c%d", i), rng: rand.New(rand.NewPCG(h.rng.Uint64(), 1))}
		if i%2 == 1 {
			c.instance = &c.name
		}
		h.wg.Go(c.live)
	}
	for range 200 {
		h.chaos()
		h.pause(h.rng, 2000)
		h.compareWithReload()
	}
	cancel()
	h.logDoes("commits")
	h.wg.Wait()
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, p := range h.problems {
		h.Error(p)
	}
	if h.synced < 20 || h.acked < 20 || h.fetched < 20 || h.compared < 20 {
		h.Errorf("a dull history: %d syncs, %d commits, %d fetches, %d comparisons", h.synced, h.acked, h.fetched, h.compared)
	}
}

func (h *history) pause(rng *rand.Rand, millis int) {
	time.Sleep(time.Duration(rng.IntN(millis)+1) * time.Millisecond)
}

// chaos does something to the log.
func (h *history) chaos() {
	switch h.rng.IntN(14) {
	case 0, 6, 7:
		h.log.Hold()
	case 1:
		h.log.FailAppend(errors.New("append fails"))
	case 2:
		h.log.FailCommits(errors.New("commit fails"))
		h.pause(h.rng, 100)
		h.log.FailCommits(nil)
	case 3, 4: // another leader, that has all or only what was committed
		h.epoch++
		h.log.Lead(h.epoch, h.rng.IntN(2) == 0)
		h.pause(h.rng, 300)
		h.service.Load().Lead(0, h.epoch, h.log)
	case 5:
		h.service.Load().Resign(0)
		h.epoch++
		h.log.Lead(h.epoch, true)
		h.service.Load().Lead(0, h.epoch, h.log)
	case 12, 13:
		h.move(h.rng.IntN(2) == 0, h.rng.IntN(2) == 0)
	default:
		h.log.Commit()
	}
}

// compareWithReload loads the log into a fresh machine and compares it with the live
// one, whose invariants are checked too. While one looks, another machine may take the
// place of the one that is looked at, and write: what differs must differ twice.
func (h *history) compareWithReload() {
	if diff := h.compareOnce(); diff != "" && h.compareOnce() != "" {
		h.Error(diff)
	}
}

func (h *history) compareOnce() (diff string) {
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond) // the log may be held
	defer cancel()
	_, err := runtime.Do(ctx, h.service.Load().runtime, 0, runtime.Alone, func(st *state, _ *runtime.Turn) (struct{}, error) {
		for _, g := range st.groups {
			g.verify(h)
		}
		for _, g := range st.consumers {
			g.verify(h)
			if st.groups[g.id] != nil {
				h.Errorf("group %s is of two kinds", g.id)
			}
		}
		diff = sameState(st, h.load())
		return struct{}{}, nil
	})
	if err == nil {
		h.compared++
	}
	return diff
}

// load replays the log into a fresh machine.
func (h *house) load() *state {
	st := newState(doors{settings: h.service.Load().settings, image: h.image.Load, newID: h.service.Load().newID, log: h.service.Load().cfg.Log})
	bytes, _, _ := h.log.ReadLog(0, math.MaxInt)
	for len(bytes) > 0 {
		b, rest, err := record.Split(bytes)
		if err != nil {
			h.Fatal(err)
		}
		for r, err := range b.Records(record.Limits{}) {
			if err != nil {
				h.Fatal(err)
			}
			e := runtime.Entry{Offset: r.Offset, ProducerID: b.ProducerID(), Transactional: b.Transactional(), Control: b.Control(), Key: r.Key, Value: r.Value}
			if err := st.Replay(e); err != nil {
				h.Fatal(err)
			}
		}
		bytes = rest
	}
	st.Loaded(runtime.NewTurn(time.Now()))
	return st
}

// sameState compares what the log must remember.
func sameState(live, loaded *state) string {
	if !reflect.DeepEqual(live.offsets, loaded.offsets) {
		return fmt.Sprintf("offsets are %v, loaded %v", live.offsets, loaded.offsets)
	}
	if diff := sameConsumers(live, loaded); diff != "" {
		return diff
	}
	if len(live.groups) != len(loaded.groups) {
		return fmt.Sprintf("%d groups, loaded %d", len(live.groups), len(loaded.groups))
	}
	for id, g := range live.groups {
		l := loaded.groups[id]
		if l == nil || !reflect.DeepEqual(g.saved, l.saved) {
			return fmt.Sprintf("group %s has the record %+v, loaded %+v", id, g.saved, l)
		}
		if g.saved == nil || g.phase != stable && g.phase != empty {
			continue
		}
		of := func(m *member) []byte { return m.assignment }
		if a, b := g.record(of).append(nil), l.record(of).append(nil); g.phase != l.phase || !slices.Equal(a, b) {
			return fmt.Sprintf("group %s is %v %+v, loaded %v %+v", id, g.phase, g.record(of), l.phase, l.record(of))
		}
	}
	return ""
}

// client is a consumer as they are: it joins, syncs, works, and sometimes dies.
type client struct {
	*history
	name     string
	instance *string
	rng      *rand.Rand
	id       string
	gen      int32
	owned    []int32
}

// coordinator is whom the client takes for the coordinator. It may be wrong.
func (c *client) coordinator() *Service {
	if c.rng.IntN(10) == 0 {
		return c.stale.Load()
	}
	return c.service.Load()
}

func (c *client) caller() Caller { return Caller{ClientID: c.name, ClientHost: "/h"} }

func (c *client) live() {
	for c.over.Err() == nil {
		if c.join() && c.work() && c.rng.IntN(4) == 0 {
			c.leave()
		}
		c.pause(c.rng, 500)
		if c.rng.IntN(12) == 0 { // dies, and comes back as another process
			c.id = ""
			c.pause(c.rng, 8000)
		}
	}
}

// join gets into a generation and its assignment.
func (c *client) join() bool {
	ctx, cancel := context.WithTimeout(c.over, time.Duration(c.rng.IntN(20)+1)*time.Second)
	defer cancel()
	req := kmsg.NewPtrJoinGroupRequest()
	req.Version, req.Group, req.MemberID, req.InstanceID, req.ProtocolType = 9, "g", c.id, c.instance, "consumer"
	req.SessionTimeoutMillis, req.RebalanceTimeoutMillis = 4000, 6000
	if c.rng.IntN(5) == 0 && c.instance == nil {
		req.Version = 3
	}
	meta := kmsg.NewConsumerMemberMetadata()
	meta.Topics = []string{"t", []string{"u", "v"}[c.rng.IntN(10)/9]}
	req.Protocols = []kmsg.JoinGroupRequestProtocol{{Name: "range", Metadata: meta.AppendTo(nil)}}
	floor := c.assigned()
	resp := c.coordinator().JoinGroup(ctx, c.caller(), req)
	switch err := kerr.ErrorForCode(resp.ErrorCode); {
	case errors.Is(err, kerr.MemberIDRequired):
		c.id = resp.MemberID
		return false
	case errors.Is(err, kerr.UnknownMemberID), errors.Is(err, kerr.FencedInstanceID):
		c.id = ""
		return false
	case err != nil:
		return false
	}
	if resp.Generation < floor {
		c.problem("%s joined generation %d after generation %d was assigned", c.name, resp.Generation, floor)
	}
	c.id, c.gen = resp.MemberID, resp.Generation
	return c.sync(ctx, resp)
}

func (c *client) sync(ctx context.Context, joined *kmsg.JoinGroupResponse) bool {
	req := kmsg.NewPtrSyncGroupRequest()
	req.Version, req.Group, req.MemberID, req.Generation, req.InstanceID = 5, "g", c.id, c.gen, c.instance
	if len(joined.Members) > 0 && !joined.SkipAssignment {
		req.GroupAssignment = assignRandomly(c.rng, joined.Members)
	}
	resp := c.coordinator().SyncGroup(ctx, c.caller(), req)
	if resp.ErrorCode != 0 {
		return false
	}
	c.owned = nil
	for _, b := range resp.MemberAssignment {
		c.owned = append(c.owned, int32(b))
	}
	c.own()
	return true
}

func assignRandomly(rng *rand.Rand, members []kmsg.JoinGroupResponseMember) []kmsg.SyncGroupRequestGroupAssignment {
	as := make([]kmsg.SyncGroupRequestGroupAssignment, len(members))
	for i, m := range members {
		as[i].MemberID = m.MemberID
	}
	for p := range historyPartitions {
		to := &as[rng.IntN(len(as))]
		to.MemberAssignment = append(to.MemberAssignment, byte(p))
	}
	return as
}

// own notes the assignment that has been received.
func (c *client) own() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.synced++
	c.settled = max(c.settled, c.gen)
	if c.owners[c.gen] == nil {
		c.owners[c.gen] = map[int32]string{}
	}
	for _, p := range c.owned {
		if o := c.owners[c.gen][p]; o != "" && o != c.name {
			c.problems = append(c.problems, fmt.Sprintf("generation %d: partition %d belongs to %s and %s", c.gen, p, o, c.name))
		}
		c.owners[c.gen][p] = c.name
	}
}

func (c *client) assigned() int32 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.settled
}

func (c *client) problem(format string, args ...any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.problems = append(c.problems, fmt.Sprintf(format, args...))
}

// work heartbeats, commits and fetches until the group wants something else; it reports
// whether the client is still a member.
func (c *client) work() bool {
	for range c.rng.IntN(20) {
		c.pause(c.rng, 1000)
		if c.over.Err() != nil {
			return false
		}
		req := kmsg.NewPtrHeartbeatRequest()
		req.Version, req.Group, req.MemberID, req.Generation, req.InstanceID = 4, "g", c.id, c.gen, c.instance
		switch err := kerr.ErrorForCode(c.coordinator().Heartbeat(c.over, c.caller(), req).ErrorCode); {
		case errors.Is(err, kerr.UnknownMemberID), errors.Is(err, kerr.FencedInstanceID):
			c.id = ""
			return false
		case errors.Is(err, kerr.RebalanceInProgress), errors.Is(err, kerr.IllegalGeneration):
			return true
		}
		if len(c.owned) > 0 {
			c.commit(c.owned[c.rng.IntN(len(c.owned))])
		}
		c.fetch(int32(c.rng.IntN(historyPartitions)))
	}
	return true
}

func (c *client) commit(partition int32) {
	c.mu.Lock()
	c.next++
	at := c.next
	c.clock++
	in := &interval{c.clock, math.MaxInt}
	if c.commits[partition] == nil {
		c.commits[partition] = map[int64]*interval{}
	}
	c.commits[partition][at] = in
	c.mu.Unlock()
	req := commitRequest("g", map[string]string{"offsets": fmt.Sprintf("t/%d@%d", partition, at)})
	req.MemberID, req.Generation, req.InstanceID = c.id, c.gen, c.instance
	resp := c.coordinator().OffsetCommit(c.over, c.caller(), req)
	c.mu.Lock()
	defer c.mu.Unlock()
	if resp.Topics[0].Partitions[0].ErrorCode == 0 {
		c.clock++
		in.end = c.clock
		c.acked++
	}
}

func (c *client) fetch(partition int32) {
	c.mu.Lock()
	c.clock++
	start := c.clock
	c.mu.Unlock()
	resp := c.coordinator().OffsetFetch(c.over, c.caller(), fetchRequest("g", map[string]string{"topics": fmt.Sprintf("t/%d", partition)}))
	if resp.Groups[0].ErrorCode != 0 {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.fetched++
	got := resp.Groups[0].Topics[0].Partitions[0].Offset
	seen := c.commits[partition][got]
	if seen == nil {
		if got != -1 {
			c.problems = append(c.problems, fmt.Sprintf("partition %d: fetched %d, which nobody committed", partition, got))
			return
		}
		seen = &interval{0, 0}
	}
	for at, in := range c.commits[partition] {
		if in.end < start && seen.end < in.start {
			c.problems = append(c.problems, fmt.Sprintf("partition %d: fetched %d although %d was committed after it and before the fetch", partition, got, at))
		}
	}
}

func (c *client) leave() {
	req := kmsg.NewPtrLeaveGroupRequest()
	req.Version, req.Group = 5, "g"
	req.Members = []kmsg.LeaveGroupRequestMember{{MemberID: c.id, InstanceID: c.instance}}
	c.coordinator().LeaveGroup(c.over, c.caller(), req)
	c.id = ""
}

// The checker itself: an assignment to two does not get past it.
func TestHistoryCheckerSees(t *testing.T) {
	h := &history{owners: map[int32]map[int32]string{}, commits: map[int32]map[int64]*interval{}}
	a, b := &client{history: h, name: "a", gen: 1, owned: []int32{0}}, &client{history: h, name: "b", gen: 1, owned: []int32{0}}
	a.own()
	b.own()
	if len(h.problems) != 1 || !strings.Contains(h.problems[0], "belongs to a and b") {
		t.Fatalf("problems: %v", h.problems)
	}
}

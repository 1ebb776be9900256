package group

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/odradek/odradek/internal/coord/runtime"
	"github.com/odradek/odradek/internal/coord/share"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Random histories of a share group: members come, read, change their minds, fall silent
// and leave while topics grow, the log stalls, fails and moves, and the share coordinator
// is slow, stalls, fails and loses answers; now and then the group is altered, forgets and is
// deleted. A checker that knows only answers and what the share coordinator keeps holds the
// group to its word:
//
//   - nobody is given a partition whose state has not begun
//   - a state that somebody may have read with does not begin again by itself
//   - when all is quiet every partition has members, and nobody has what he does not want
//
// And at any time loading the log again gives the same group.
func TestShareHistories(t *testing.T) {
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
					t.Logf("again: go test ./internal/coord/group -run TestShareHistories -history.seed=%d", seed)
				}
			}()
			set := Settings{ShareSession: 10 * time.Second, ShareHeartbeat: time.Second}
			withService(t, set, func(h *house) { newShareHistory(h, seed).run() })
		})
	}
}

type shareHistory struct {
	*house
	rng  *rand.Rand
	wg   sync.WaitGroup
	over chan struct{}

	mu       sync.Mutex
	quiet    bool // nobody disturbs any more
	closed   bool // all members leave
	members  map[string]*sharer
	inUse    map[share.Key]bool // states that somebody may have read with
	problems []string
	given    int
	compared int
	altered  int
	begun    int
}

// sharer is a member as its client sees it.
type sharer struct {
	epoch  int32
	topics []string
	parts  map[string][]int32
}

func newShareHistory(h *house, seed uint64) *shareHistory {
	return &shareHistory{house: h, rng: rand.New(rand.NewPCG(seed, 7)), over: make(chan struct{}), members: map[string]*sharer{}, inUse: map[share.Key]bool{}}
}

func (h *shareHistory) run() {
	h.topic("t", 2)
	h.topic("u", 1)
	h.shares.watch = h.watch
	h.shares.pace = h.pacer(rand.New(rand.NewPCG(h.rng.Uint64(), 10)))
	for i := range 4 {
		rng := rand.New(rand.NewPCG(h.rng.Uint64(), 8))
		h.wg.Go(func() { h.live(fmt.Sprint("m", i), rng) })
	}
	admin := rand.New(rand.NewPCG(h.rng.Uint64(), 9))
	h.wg.Go(func() { h.administer(admin) })
	for i := range 300 {
		h.mu.Lock()
		h.closed = i%60 >= 40 // in the night
		h.mu.Unlock()
		h.disturb()
		h.compareShares()
		time.Sleep(time.Duration(h.rng.IntN(1500)) * time.Millisecond)
	}
	h.mu.Lock()
	h.quiet, h.closed = true, false
	h.mu.Unlock()
	h.log.Commit()
	h.shares.does([]string{"flows"})
	time.Sleep(3 * time.Minute)
	h.settled()
	close(h.over)
	h.wg.Wait()
	for _, p := range h.problems {
		h.Error(p)
	}
	if h.given < 20 || h.compared < 20 || h.begun < 5 || h.altered < 1 {
		h.Errorf("a dull history: %d assignments, %d comparisons, %d states, %d administered", h.given, h.compared, h.begun, h.altered)
	}
}

func (h *shareHistory) problem(format string, args ...any) {
	h.problems = append(h.problems, fmt.Sprintf(format, args...))
}

// disturb does something to the log, the coordinator of states or the topics.
func (h *shareHistory) disturb() {
	switch h.rng.IntN(12) {
	case 0:
		h.logDoes("holds")
	case 1:
		h.log.FailAppend(errors.New("the disk is gone"))
	case 2:
		h.move(true, h.rng.IntN(2) == 0)
	case 3:
		h.move(false, h.rng.IntN(2) == 0)
	case 4:
		h.shares.does([]string{"fails"})
	case 5:
		h.shares.does([]string{"holds"})
	case 6:
		if n := h.partitionsOf("u"); n < 6 {
			h.topic("u", n+1)
		}
	case 7, 8:
		h.shares.does([]string{"flows"})
	default:
		h.log.Commit()
	}
}

func (h *shareHistory) partitionsOf(topic string) int32 {
	t, _ := h.image.Load().Topic(topic)
	return int32(len(t.Partitions))
}

// pacer is how states begin: mostly at once, at times late, or told of late, or not at all.
func (h *shareHistory) pacer(rng *rand.Rand) func() (begins, told time.Duration, lost bool) {
	var mu sync.Mutex // guards rng
	some := func() time.Duration {
		if rng.IntN(2) == 0 {
			return 0
		}
		return time.Duration(rng.IntN(5000)) * time.Millisecond
	}
	return func() (begins, told time.Duration, lost bool) {
		mu.Lock()
		defer mu.Unlock()
		return some(), some(), rng.IntN(8) == 0
	}
}

// watch is told of states that begin over others, by the share coordinator.
func (h *shareHistory) watch(k share.Key, was *share.Summary, is share.Summary) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.begun++
	if was != nil && is.Start == share.NoStart && h.inUse[k] {
		h.problem("the state of %v begins again in epoch %d, after %d", k, is.StateEpoch, was.StateEpoch)
	}
}

// live is the life of a member.
func (h *shareHistory) live(name string, rng *rand.Rand) {
	var me *sharer
	for {
		select {
		case <-h.over:
			return
		case <-time.After(time.Duration(rng.IntN(1000)+500) * time.Millisecond):
		}
		h.mu.Lock()
		quiet, closed := h.quiet, h.closed
		h.mu.Unlock()
		if closed && me == nil {
			continue
		}
		req := kmsg.NewPtrShareGroupHeartbeatRequest()
		req.Version, req.GroupID, req.MemberID = 1, "g", name
		switch {
		case closed:
			req.MemberEpoch = leaveEpoch
		case me == nil || !quiet && rng.IntN(20) == 0:
			me = &sharer{topics: [][]string{{"t"}, {"t", "u"}, {"u"}}[rng.IntN(3)]}
			req.SubscribedTopicNames = me.topics
		case !quiet && rng.IntN(30) == 0: // it falls silent
			time.Sleep(time.Duration(rng.IntN(20)) * time.Second)
			continue
		case !quiet && rng.IntN(15) == 0:
			req.MemberEpoch = leaveEpoch
		default:
			req.MemberEpoch = me.epoch
		}
		asked := time.Now()
		resp := h.service.Load().ShareGroupHeartbeat(context.Background(), Caller{ClientID: name, ClientHost: "/1"}, req)
		h.heard(name, me, resp, time.Since(asked))
		switch {
		case resp.ErrorCode == kerr.UnknownMemberID.Code || resp.ErrorCode == kerr.FencedMemberEpoch.Code || resp.ErrorCode == kerr.GroupIDNotFound.Code,
			resp.ErrorCode == 0 && resp.MemberEpoch == leaveEpoch, resp.ErrorCode != 0 && me.epoch == 0:
			me = nil
		case resp.ErrorCode == 0:
			me.epoch = resp.MemberEpoch
		}
	}
}

// heard checks what a member is told. After a long wait the group may have dropped it and
// forgotten its states.
func (h *shareHistory) heard(name string, me *sharer, resp *kmsg.ShareGroupHeartbeatResponse, waited time.Duration) {
	if resp.ErrorCode != 0 || resp.MemberEpoch == leaveEpoch {
		h.mu.Lock()
		if resp.ErrorCode == 0 {
			delete(h.members, name)
		}
		h.mu.Unlock()
		return
	}
	if resp.Assignment != nil {
		me.parts = map[string][]int32{}
	}
	if a := resp.Assignment; a != nil {
		for _, t := range a.TopicPartitions {
			topic, _, _ := strings.Cut(string(t.TopicID[:]), "\x00")
			me.parts[topic] = t.Partitions
			for _, p := range t.Partitions {
				k := share.Key{Group: "g", TopicID: t.TopicID, Partition: p}
				there := h.shares.has(k)
				h.mu.Lock()
				h.given++
				if !there && waited < time.Second {
					h.problem("%s is given %v, whose state has not begun", name, k)
				}
				h.inUse[k] = true
				h.mu.Unlock()
			}
		}
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	c := *me
	h.members[name] = &c
}

// administer alters the group, has it forget, and deletes it, when it has no members.
func (h *shareHistory) administer(rng *rand.Rand) {
	for {
		select {
		case <-h.over:
			return
		case <-time.After(time.Duration(rng.IntN(5000)+1) * time.Millisecond):
		}
		h.mu.Lock()
		quiet := h.quiet
		h.mu.Unlock()
		if quiet {
			return
		}
		s, ctx := h.service.Load(), context.Background()
		code := kerr.NonEmptyGroup.Code
		switch rng.IntN(6) {
		case 0, 1, 2:
			req := kmsg.NewPtrAlterShareGroupOffsetsRequest()
			req.GroupID = "g"
			req.Topics = []kmsg.AlterShareGroupOffsetsRequestTopic{{Topic: "t", Partitions: []kmsg.AlterShareGroupOffsetsRequestTopicPartition{{Partition: rng.Int32N(2), StartOffset: rng.Int64N(9)}}}}
			code = s.AlterShareGroupOffsets(ctx, Caller{}, req).ErrorCode
		case 3, 4:
			req := kmsg.NewPtrDeleteShareGroupOffsetsRequest()
			req.GroupID = "g"
			req.Topics = []kmsg.DeleteShareGroupOffsetsRequestTopic{{Topic: "t"}}
			h.forgotten()
			code = s.DeleteShareGroupOffsets(ctx, Caller{}, req).ErrorCode
			h.forgotten() // members may have read until it came to pass
		case 5:
			req := kmsg.NewPtrDeleteGroupsRequest()
			req.Groups = []string{"g"}
			h.forgotten()
			code = s.DeleteGroups(ctx, Caller{}, req).Groups[0].ErrorCode
			h.forgotten()
		}
		h.mu.Lock()
		if code == 0 {
			h.altered++
		}
		h.mu.Unlock()
	}
}

// forgotten notes that states may end, whatever comes of it.
func (h *shareHistory) forgotten() {
	h.mu.Lock()
	defer h.mu.Unlock()
	clear(h.inUse)
}

// settled checks what must be when nothing has happened for a while.
func (h *shareHistory) settled() {
	h.shares.mu.Lock() // before h.mu, as when it tells of states
	defer h.shares.mu.Unlock()
	h.mu.Lock()
	defer h.mu.Unlock()
	shared := map[string]int{}
	wanted := map[string]bool{}
	for name, m := range h.members {
		for _, topic := range m.topics {
			wanted[topic] = true
		}
		for topic, partitions := range m.parts {
			if !slices.Contains(m.topics, topic) {
				h.problem("%s reads %s, to which it does not subscribe", name, topic)
			}
			for _, p := range partitions {
				shared[fmt.Sprintf("%s/%d", topic, p)]++
				if k := (share.Key{Group: "g", TopicID: scriptTopicID(topic), Partition: p}); h.shares.states[k] == (share.Summary{}) {
					h.problem("%s reads %v, which has no state", name, k)
				}
			}
		}
	}
	for _, topic := range slices.Sorted(maps.Keys(wanted)) {
		for p := range h.partitionsOf(topic) {
			if at := fmt.Sprintf("%s/%d", topic, p); shared[at] == 0 {
				h.problem("nobody reads %s when all is quiet", at)
			}
		}
	}
}

// compareShares compares the group with what the log says.
func (h *shareHistory) compareShares() {
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond) // the log may be held
	defer cancel()
	_, err := runtime.Do(ctx, h.service.Load().runtime, 0, runtime.Alone, func(st *state, _ *runtime.Turn) (struct{}, error) {
		loaded := h.load()
		h.mu.Lock()
		defer h.mu.Unlock()
		if len(loaded.shares) != len(st.shares) {
			h.problem("%d groups, loaded %d", len(st.shares), len(loaded.shares))
		}
		for id, g := range st.shares {
			if l := loaded.shares[id]; l == nil || !reflect.DeepEqual(hardOf(g), hardOf(l)) {
				h.problem("group is %+v,\nloaded %+v", hardOf(g), hardOf(l))
			}
		}
		return struct{}{}, nil
	})
	if err == nil {
		h.compared++
	}
}

// hardOf is what the log says of a group.
func hardOf(g *shareGroup) any {
	if g == nil {
		return nil
	}
	return struct {
		epoch, targetEpoch int32
		hash               int64
		target             map[string]parts
		topics             map[string]subscribers
		members            map[string]*shareMember
		states             shareStates
	}{g.epoch, g.targetEpoch, g.hash, g.target, g.topics, g.members, g.states}
}

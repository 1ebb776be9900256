package group

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/odradek/odradek/internal/cluster/metadata"
	"github.com/odradek/odradek/internal/coord/runtime"
	"github.com/odradek/odradek/internal/proto/model"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Random histories of consumer groups: clients of the consumer protocol, static and not,
// some by patterns, join, change their minds, revoke slowly, die and come back, while
// topics come and go and the log stalls, fails and changes leaders. In histories of
// migrations each process of a client chooses its protocol.
//
//   - the coordinator never has a partition with two members (verify)
//   - a client that gets a partition is the only one that uses it, but for those that the
//     coordinator has fenced already
//   - the epoch of the group only grows
//   - loading the log gives the same groups
//   - when all is quiet, each partition that somebody subscribes to is used by one client
func TestConsumerHistories(t *testing.T) { consumerHistories(t, false) }

func TestMigrationHistories(t *testing.T) { consumerHistories(t, true) }

func consumerHistories(t *testing.T, migrate bool) {
	seeds := []uint64{*historySeed}
	if *historySeed == 0 {
		seeds = seeds[:0]
		for seed := range uint64(10) {
			seeds = append(seeds, seed+1)
		}
	}
	ran, moves := 0, 0
	for _, seed := range seeds {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			defer func() {
				if t.Failed() {
					name, _, _ := strings.Cut(t.Name(), "/")
					t.Logf("again: go test ./internal/coord/group -run %s -history.seed=%d", name, seed)
				}
			}()
			set := Settings{InitialRebalanceDelay: time.Second, MinSessionTimeout: time.Second, ConsumerSession: 6 * time.Second, ConsumerHeartbeat: time.Second}
			withService(t, set, func(h *house) {
				c := newConsumerHistory(h, seed, migrate)
				c.run()
				ran++
				moves += c.upgrades + c.downgrades
			})
		})
	}
	if migrate && ran >= 10 && moves < 2 {
		t.Errorf("dull histories: %d of them with %d migrations", ran, moves)
	}
}

type consumerHistory struct {
	*history
	migrate bool
	clients []*worker
	quiet   bool // no more mischief of clients; guarded by mu
	classic bool // the protocol that is in fashion; guarded by mu

	gains, fenced, upgrades, downgrades int // to know that something happened
	epoch                               int32
	kind                                string
}

func newConsumerHistory(h *house, seed uint64, migrate bool) *consumerHistory {
	c := &consumerHistory{history: newHistory(h, seed), migrate: migrate}
	for i := range 5 {
		w := &worker{consumerHistory: c, name: fmt.Sprintf("w%d", i), rng: rand.New(rand.NewPCG(c.rng.Uint64(), 1)), uses: map[model.IDPartition]bool{}}
		if i%2 == 1 {
			w.instance = &w.name
		}
		c.clients = append(c.clients, w)
	}
	return c
}

var historyTopics = []string{"ta", "tb", "u"}

func (h *consumerHistory) run() {
	ctx, cancel := context.WithCancel(context.Background())
	h.over = ctx
	for _, name := range historyTopics {
		h.topic(name, int32(1+h.rng.IntN(6)))
	}
	for _, w := range h.clients {
		h.wg.Go(w.live)
	}
	for i := range 150 {
		h.chaos()
		h.mu.Lock()
		h.classic = i/30%2 == 0
		h.mu.Unlock()
		if h.rng.IntN(12) == 0 {
			h.topic(historyTopics[h.rng.IntN(3)], int32(h.rng.IntN(9)))
		}
		h.pause(h.rng, 2000)
		h.compareWithReload()
		h.watch()
	}
	h.settle()
	cancel()
	h.wg.Wait()
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, p := range h.problems {
		h.Error(p)
	}
	if h.gains < 30 || h.compared < 20 {
		h.Errorf("a dull history: %d gains, %d fenced, %d comparisons, %d upgrades, %d downgrades", h.gains, h.fenced, h.compared, h.upgrades, h.downgrades)
	}
}

// settle lets everybody do as they should, and looks at what comes of it.
func (h *consumerHistory) settle() {
	h.mu.Lock()
	h.quiet = true
	h.mu.Unlock()
	h.log.FailCommits(nil)
	h.log.Commit()
	for _, name := range historyTopics {
		h.topic(name, 9)
	}
	for range 50 {
		time.Sleep(2 * time.Second)
		h.log.Commit()
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	users := map[model.IDPartition][]string{}
	want := map[string]bool{}
	for _, w := range h.clients {
		for tp := range w.uses {
			users[tp] = append(users[tp], w.name)
		}
		for _, name := range w.wants() {
			want[name] = true
		}
	}
	for name := range want {
		t, _ := h.image.Load().Topic(name)
		for n := range t.Partitions {
			if u := users[model.IDPartition{Topic: t.ID, Partition: int32(n)}]; len(u) != 1 {
				h.problems = append(h.problems, fmt.Sprintf("partition %d of %s is used by %v when all is quiet", n, name, u))
			}
		}
	}
}

// watch looks at the group from time to time.
func (h *consumerHistory) watch() {
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	type seen struct {
		kind  string
		epoch int32
		empty bool
	}
	s, err := runtime.Do(ctx, h.service.Load().runtime, 0, runtime.Alone, func(st *state, _ *runtime.Turn) (seen, error) {
		if g := st.consumers["g"]; g != nil {
			return seen{consumerType, g.epoch, g.empty()}, nil
		}
		if g := st.groups["g"]; g != nil {
			return seen{classicType, g.generation, g.phase == empty}, nil
		}
		return seen{}, nil
	})
	if err != nil {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case h.kind == classicType && s.kind == consumerType:
		h.upgrades++
	case h.kind == consumerType && s.kind == classicType:
		h.downgrades++
	}
	// An empty group that changes its kind begins anew; and nobody saw the classic
	// generations that were never assigned.
	if h.kind == consumerType && s.kind == consumerType && !h.migrate && s.epoch < h.epoch {
		h.problems = append(h.problems, fmt.Sprintf("the epoch fell from %d to %d", h.epoch, s.epoch))
	}
	h.kind, h.epoch = s.kind, s.epoch
}

// worker is a client, one process after the other.
type worker struct {
	*consumerHistory
	name     string
	instance *string
	rng      *rand.Rand

	// Guarded by mu, for whoever checks: who it is, and what it uses.
	id    string
	uses  map[model.IDPartition]bool
	names []string
	regex string

	epoch   int32
	led     *metadata.Image // what it assigned as the leader of a classic group
	changed bool            // its subscription, since the last answer
	losing  map[model.IDPartition]bool
}

// wants are the topics that it subscribes to; mu is held.
func (w *worker) wants() []string {
	if w.regex != "" {
		return []string{"ta", "tb"}
	}
	return w.names
}

func (w *worker) live() {
	for w.over.Err() == nil {
		if w.migrate && w.fashion() == (w.rng.IntN(20) > 0) {
			w.classicLife()
		} else {
			w.consumerLife()
		}
		w.drop()
		w.pause(w.rng, 9000)
	}
}

func (w *worker) mischief(oneIn int) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return !w.quiet && w.rng.IntN(oneIn) == 0
}

// fashion is whether clients prefer the classic protocol now.
func (w *worker) fashion() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.classic
}

// ends reports whether a process ends now: rarely, and sooner if it is out of fashion.
func (w *worker) ends(classic bool) bool {
	return w.mischief(25) || w.migrate && w.fashion() != classic && w.mischief(5)
}

func (w *worker) coordinator() *Service {
	if w.rng.IntN(10) == 0 {
		return w.stale.Load()
	}
	return w.service.Load()
}

func (w *worker) caller() Caller { return Caller{ClientID: w.name, ClientHost: "/h"} }

// drop stops using everything.
func (w *worker) drop() {
	w.mu.Lock()
	defer w.mu.Unlock()
	clear(w.uses)
	w.losing = nil
}

func (w *worker) subscribe(classic bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.names, w.regex, w.changed = nil, "", true
	if !classic && w.rng.IntN(4) == 0 {
		w.regex = "t."
		return
	}
	w.names = append(w.names, historyTopics[w.rng.IntN(3)])
	if other := historyTopics[w.rng.IntN(3)]; other != w.names[0] {
		w.names = append(w.names, other)
	}
}

// consumerLife is that of a process which speaks the consumer protocol.
func (w *worker) consumerLife() {
	w.mu.Lock()
	w.id = fmt.Sprintf("%s.%d", w.name, w.rng.Uint32())
	w.mu.Unlock()
	w.epoch = 0
	w.subscribe(false)
	for w.over.Err() == nil {
		if w.mischief(12) {
			w.subscribe(false)
		}
		switch err := w.beat(); err {
		case kerr.FencedInstanceID:
			return // another process has its place, or the coordinator takes it for one
		case nil:
		default:
			if again(err) {
				break
			}
			w.drop()
			w.epoch = 0
			w.note(&w.fenced)
		}
		if w.ends(false) {
			if w.rng.IntN(2) == 0 {
				w.leave()
			}
			return
		}
		w.pause(w.rng, 1500)
		if w.mischief(20) { // hangs, and knows nothing of what becomes of it
			w.pause(w.rng, 15000)
		}
	}
	w.leave()
}

func (w *worker) note(n *int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	*n++
}

// again reports whether a request may be sent again as it was.
func again(err error) bool {
	switch err {
	case kerr.NotCoordinator, kerr.CoordinatorLoadInProgress, kerr.CoordinatorNotAvailable, kerr.UnreleasedInstanceID, kerr.UnknownServerError:
		return true
	}
	return false
}

func (w *worker) leave() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	w.drop()
	req := kmsg.NewPtrConsumerGroupHeartbeatRequest()
	req.Version, req.Group, req.MemberID, req.InstanceID, req.MemberEpoch = 1, "g", w.id, w.instance, leaveEpoch
	if w.instance != nil && w.rng.IntN(2) == 0 {
		req.MemberEpoch = leaveStaticEpoch
	}
	w.coordinator().ConsumerGroupHeartbeat(ctx, w.caller(), req)
}

// beat sends a heartbeat and does what the answer says.
func (w *worker) beat() error {
	ctx, cancel := context.WithTimeout(w.over, time.Duration(w.rng.IntN(5)+1)*time.Second)
	defer cancel()
	w.mu.Lock()
	for tp := range w.losing { // it has revoked by now, or needs another round
		if w.quiet || w.rng.IntN(2) == 0 {
			delete(w.uses, tp)
			delete(w.losing, tp)
		}
	}
	req := kmsg.NewPtrConsumerGroupHeartbeatRequest()
	req.Version, req.Group, req.MemberID, req.InstanceID, req.MemberEpoch = 1, "g", w.id, w.instance, w.epoch
	if w.epoch == 0 || w.changed || w.rng.IntN(4) == 0 {
		req.RebalanceTimeoutMillis = 10000
		req.SubscribedTopicNames = append([]string{}, w.names...)
		req.SubscribedTopicRegex = &w.regex
	}
	if w.epoch == 0 {
		req.Topics = []kmsg.ConsumerGroupHeartbeatRequestTopic{}
	} else {
		req.Topics = owned(w.uses)
	}
	w.mu.Unlock()
	resp := w.coordinator().ConsumerGroupHeartbeat(ctx, w.caller(), req)
	if ctx.Err() != nil {
		return nil // the answer was lost, whatever it was
	}
	if err := kerr.ErrorForCode(resp.ErrorCode); err != nil {
		return err
	}
	w.epoch, w.changed = resp.MemberEpoch, false
	if resp.Assignment != nil {
		w.use(resp.Assignment.Topics)
	}
	return nil
}

func owned(uses map[model.IDPartition]bool) []kmsg.ConsumerGroupHeartbeatRequestTopic {
	p := parts{}
	for tp := range uses {
		p.add(tp.Topic, []int32{tp.Partition})
	}
	topics := []kmsg.ConsumerGroupHeartbeatRequestTopic{}
	for _, id := range p.topics() {
		topics = append(topics, kmsg.ConsumerGroupHeartbeatRequestTopic{TopicID: id, Partitions: p[id]})
	}
	return topics
}

// use takes over an assignment: what is not in it is given up, in time.
func (w *worker) use(topics []kmsg.ConsumerGroupHeartbeatResponseAssignmentTopic) {
	assigned := map[model.IDPartition]bool{}
	for _, t := range topics {
		for _, n := range t.Partitions {
			assigned[model.IDPartition{Topic: t.TopicID, Partition: n}] = true
		}
	}
	w.mu.Lock()
	w.losing = map[model.IDPartition]bool{}
	for tp := range w.uses {
		if !assigned[tp] {
			w.losing[tp] = true
		}
	}
	w.mu.Unlock()
	w.gain(assigned)
}

// gain begins to use partitions. Nobody else may, who is a member still and was not told.
func (w *worker) gain(assigned map[model.IDPartition]bool) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
	defer cancel()
	w.mu.Lock()
	defer w.mu.Unlock()
	var fresh []model.IDPartition
	for tp := range assigned {
		if !w.uses[tp] {
			fresh = append(fresh, tp)
			w.uses[tp] = true
			w.gains++
		}
	}
	type claim struct {
		w  *worker
		id string
		tp model.IDPartition
	}
	var claims []claim
	for _, tp := range fresh {
		for _, o := range w.clients {
			if o != w && o.uses[tp] {
				claims = append(claims, claim{o, o.id, tp})
			}
		}
	}
	if len(claims) == 0 {
		return
	}
	var found []string
	w.mu.Unlock() // the command may wait for others
	_, _ = runtime.Do(ctx, w.service.Load().runtime, 0, runtime.Alone, func(st *state, _ *runtime.Turn) (struct{}, error) {
		g := st.consumers["g"]
		if g == nil {
			return struct{}{}, nil
		}
		for _, c := range claims {
			if m := g.members[c.id]; m != nil && m.epoch >= 0 && g.owners[c.tp.Topic][c.tp.Partition] != c.id {
				found = append(found, fmt.Sprintf("%s (%s) gets %v, which %s (%s) uses: member %+v", w.name, w.id, c.tp, c.w.name, c.id, m))
			}
		}
		return struct{}{}, nil
	})
	w.mu.Lock()
	w.problems = append(w.problems, found...)
}

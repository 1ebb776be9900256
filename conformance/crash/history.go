package crash

import (
	"fmt"
	"sync"
)

// Place is a partition of a topic.
type Place struct {
	Topic     string
	Partition int32
}

func (p Place) String() string { return fmt.Sprintf("%s-%d", p.Topic, p.Partition) }

// History is what clients were told, and so what must be true for ever. It holds:
//
//   - what was acknowledged or read at an offset stays there, whole;
//   - an idempotent producer's record has one offset, also if it was never acknowledged,
//     and its records of a partition stand in the order in which they were sent;
//   - offsets have no gaps; the high watermark, the log start and the committed offsets
//     of a group never go back, and never pass what somebody asked for;
//   - a topic that was created stays, under its id.
//
// Methods may be called from any goroutine. Contradictions among the tellings themselves
// are kept and come out of the next check.
type History struct {
	// Replicated tells that a log has several copies. A log start that was seen, but that
	// nobody was told of as an answer to a trim, may then go back with its leader.
	Replicated bool

	mu      sync.Mutex
	repeats map[string]bool // topics whose producers are not idempotent
	logs    map[Place]*logHistory
	commits map[commitPlace]*commitHistory
	topics  map[string][16]byte
	wrong   []string

	acked, checked int64
}

type commitPlace struct {
	group string
	Place
}

type commitHistory struct{ tried, told, due int64 }

// NewHistory returns an empty history. Producers to the topics named are not idempotent:
// there a record may stand more than once.
func NewHistory(repeats ...string) *History {
	h := &History{repeats: make(map[string]bool), logs: make(map[Place]*logHistory),
		commits: make(map[commitPlace]*commitHistory), topics: make(map[string][16]byte)}
	for _, topic := range repeats {
		h.repeats[topic] = true
	}
	return h
}

func (h *History) log(p Place) *logHistory {
	l := h.logs[p]
	if l == nil {
		l = &logHistory{replicated: h.Replicated, once: !h.repeats[p.Topic], at: make(map[int64]ID), where: make(map[ID]int64), ends: make(map[uint16]uint64)}
		h.logs[p] = l
	}
	return l
}

func (h *History) blame(where any, problems []string) {
	for _, w := range problems {
		h.wrong = append(h.wrong, fmt.Sprintf("%v: %s", where, w))
	}
}

// Acked tells that the node acknowledged a record at an offset.
func (h *History) Acked(p Place, offset int64, id ID) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.acked++
	h.blame(p, h.log(p).acked(offset, id))
}

// Read tells that a consumer read a record at an offset.
func (h *History) Read(p Place, offset int64, id ID, whole bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.blame(p, h.log(p).read(Entry{offset, id, whole}))
}

// Trim tells that somebody is about to ask that records below offset be deleted;
// Trimmed, that the node has done so.
func (h *History) Trim(p Place, offset int64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	l := h.log(p)
	l.asked = max(l.asked, offset)
}

// Trimmed: see Trim.
func (h *History) Trimmed(p Place, start int64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	l := h.log(p)
	l.start = max(l.start, start)
}

// Commit tells that somebody is about to commit an offset; Committed, that the node has
// acknowledged it.
func (h *History) Commit(group string, p Place, offset int64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	c := h.commit(group, p)
	c.tried = max(c.tried, offset)
}

// Committed: see Commit.
func (h *History) Committed(group string, p Place, offset int64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	c := h.commit(group, p)
	c.told = max(c.told, offset)
}

func (h *History) commit(group string, p Place) *commitHistory {
	c := h.commits[commitPlace{group, p}]
	if c == nil {
		c = &commitHistory{tried: -1, told: -1, due: -1}
		h.commits[commitPlace{group, p}] = c
	}
	return c
}

// Created tells that a topic was created.
func (h *History) Created(topic string, id [16]byte) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.topics[topic] = id
}

// Bounds returns the highest log start and high watermark that were told of a partition.
func (h *History) Bounds(p Place) (start, hw int64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	l := h.log(p)
	return l.start, l.hw
}

// Died tells that the node is gone, and that the next check holds it to what it told
// until now.
func (h *History) Died() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, l := range h.logs {
		l.died()
	}
	for _, c := range h.commits {
		c.due = c.told
	}
}

// CheckLog compares a partition with what was told of it.
func (h *History) CheckLog(p Place, s Snapshot) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.checked += int64(len(s.Records))
	h.blame(p, h.log(p).check(s))
}

// CheckCommit compares a committed offset, or -1 if there is none, with what was told.
func (h *History) CheckCommit(group string, p Place, offset int64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.blame(fmt.Sprintf("group %s, %v", group, p), h.commit(group, p).check(offset))
}

func (c *commitHistory) check(offset int64) (wrong []string) {
	if offset < c.due {
		wrong = append(wrong, fmt.Sprintf("committed offset went back from %d to %d", c.due, offset))
	}
	if offset > c.tried {
		wrong = append(wrong, fmt.Sprintf("%d is committed, nobody asked for more than %d", offset, c.tried))
	}
	c.told = max(c.told, offset)
	return wrong
}

// CheckTopics compares the topics that are there with those that were created.
func (h *History) CheckTopics(there map[string][16]byte) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for topic, id := range h.topics {
		if now, ok := there[topic]; !ok || now != id {
			h.blame("topic "+topic, []string{fmt.Sprintf("had id %x, now %x (there: %v)", id, now, ok)})
		}
	}
}

// Wrong returns all contradictions so far.
func (h *History) Wrong() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return append([]string(nil), h.wrong...)
}

// PowerCut forgets what was acknowledged before it was durable: at a topic whose
// producers ask for acks=1, what nobody has read.
func (h *History) PowerCut() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for p, l := range h.logs {
		if h.repeats[p.Topic] {
			l.forgetUnread()
		}
	}
}

// CommittedAll tells whether the group has committed the end of each partition of a topic.
func (h *History) CommittedAll(group, topic string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	for p, l := range h.logs {
		if p.Topic == topic && h.commit(group, p).told < l.hw {
			return false
		}
	}
	return true
}

// Figures returns how many records were acknowledged, and how many were compared in all
// checks together.
func (h *History) Figures() (acked, checked int64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.acked, h.checked
}

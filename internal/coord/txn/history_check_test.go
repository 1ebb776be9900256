package txn

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/odradek/odradek/internal/proto/model"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// checker is what the partitions hold, and what clients were told.
type checker struct {
	mu         sync.Mutex
	partitions map[string]*log // by partition and producer id: they do not meet
	decided    map[string]bool // transactions whose end a client was told of: committed
	fates      []fate
	owners     map[identity]string
	newest     map[string]identity // that anybody was told of, by transactional id
	problems   []string
	ended      int
	zombies    int
}

// log is what a partition knows of a producer id, as its leader does.
type log struct {
	epoch       int16
	coordinator int32
	open        []string // transactions that have written since the last marker
	markers     int
}

type fate struct {
	tag, partition string
	committed      bool
}

func (k *checker) at(tp model.TopicPartition, id int64) *log {
	key := fmt.Sprintf("%s of %d", tp, id)
	if k.partitions[key] == nil {
		k.partitions[key] = &log{epoch: -1}
	}
	return k.partitions[key]
}

// guard is what a leader remembers while it asks the coordinator: a marker makes it void.
// It is negative if the transaction is open there and nobody has to be asked.
func (k *checker) guard(tp model.TopicPartition, who identity) int {
	k.mu.Lock()
	defer k.mu.Unlock()
	l := k.at(tp, who.id)
	if len(l.open) > 0 && l.epoch == who.epoch {
		return -1
	}
	return l.markers
}

func (k *checker) write(tp model.TopicPartition, who identity, tag string, guard int) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	l := k.at(tp, who.id)
	switch {
	case l.epoch > who.epoch, guard >= 0 && guard != l.markers, guard < 0 && (len(l.open) == 0 || l.epoch != who.epoch):
		return false
	}
	l.epoch = who.epoch
	if !slices.Contains(l.open, tag) {
		l.open = append(l.open, tag)
	}
	if len(l.open) > 1 {
		k.problem("%s has two open transactions of %d/%d: %v", tp, who.id, who.epoch, l.open)
	}
	return true
}

// mark writes a marker, as a leader does.
func (k *checker) mark(_ int32, m *kmsg.WriteTxnMarkersRequestMarker, tp model.TopicPartition) int16 {
	k.mu.Lock()
	defer k.mu.Unlock()
	l := k.at(tp, m.ProducerID)
	repeated := m.ProducerEpoch == l.epoch && len(l.open) == 0
	switch {
	case m.CoordinatorEpoch < l.coordinator:
		return kerr.TransactionCoordinatorFenced.Code
	case m.TransactionVersion >= 2 && m.ProducerEpoch <= l.epoch && !repeated, m.ProducerEpoch < l.epoch:
		return kerr.InvalidProducerEpoch.Code
	}
	for _, tag := range l.open {
		k.fates = append(k.fates, fate{tag, tp.String(), m.Committed})
	}
	l.open, l.epoch, l.coordinator = nil, m.ProducerEpoch, m.CoordinatorEpoch
	l.markers++
	return 0
}

// floor is the newest producer of an id that anybody was told of.
func (k *checker) floor(id string) identity {
	k.mu.Lock()
	defer k.mu.Unlock()
	if who, ok := k.newest[id]; ok {
		return who
	}
	return nobody
}

// give notes that a client was told who it is. floor is from before it asked. again: it may
// have been told before, or have lost the answer.
func (k *checker) give(id, name string, who, floor identity, again bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if o := k.owners[who]; o != "" && o != name {
		k.problem("%d/%d of %s was given to %s and %s", who.id, who.epoch, id, o, name)
	}
	k.owners[who] = name
	if later(floor, who) || who == floor && !again {
		k.problem("%s was told %d/%d after %d/%d was given", name, who.id, who.epoch, floor.id, floor.epoch)
	}
	if later(who, k.newest[id]) || k.newest[id] == (identity{}) {
		k.newest[id] = who
	}
}

func later(a, b identity) bool { return a.id > b.id || a.id == b.id && a.epoch > b.epoch }

func (k *checker) decide(tag string, commit bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.decided[tag] = commit
	k.ended++
}

func (k *checker) fence() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.zombies++
}

func (k *checker) problem(format string, args ...any) {
	k.problems = append(k.problems, fmt.Sprintf(format, args...))
}

// verdict says what is wrong, when all is calm.
func (k *checker) verdict(t testing.TB) {
	t.Helper()
	k.mu.Lock()
	defer k.mu.Unlock()
	for key, l := range k.partitions {
		if len(l.open) > 0 {
			k.problem("%s: %v is open for ever", key, l.open)
		}
	}
	seen := map[string]fate{}
	for _, f := range k.fates {
		if first, ok := seen[f.tag]; ok && first.committed != f.committed {
			k.problem("%s is torn: %+v and %+v", f.tag, first, f)
		}
		seen[f.tag] = f
		if committed, ok := k.decided[f.tag]; ok && committed != f.committed {
			k.problem("%s was told that %s was committed: %v, and %s has committed: %v", f.tag, f.tag, committed, f.partition, f.committed)
		}
	}
	for _, p := range k.problems {
		t.Error(p)
	}
}

// The checker itself: what must not be does not get past it.
func TestHistoryCheckerSees(t *testing.T) {
	tp := func(n int32) model.TopicPartition { return model.TopicPartition{Topic: "t", Partition: n} }
	marker := func(epoch int16, commit bool, coordinator int32) *kmsg.WriteTxnMarkersRequestMarker {
		return &kmsg.WriteTxnMarkersRequestMarker{ProducerID: 1, ProducerEpoch: epoch, Committed: commit, CoordinatorEpoch: coordinator, TransactionVersion: 2}
	}
	for want, do := range map[string]func(*checker){
		"is torn": func(k *checker) {
			k.write(tp(0), identity{1, 0}, "a", 0)
			k.write(tp(1), identity{1, 0}, "a", 0)
			k.mark(1, marker(1, true, 0), tp(0))
			k.mark(1, marker(1, false, 0), tp(1))
		},
		"was told": func(k *checker) {
			k.write(tp(0), identity{1, 0}, "a", 0)
			k.decide("a", true)
			k.mark(1, marker(1, false, 0), tp(0))
		},
		"open for ever": func(k *checker) { k.write(tp(0), identity{1, 0}, "a", 0) },
		"two open transactions": func(k *checker) {
			k.write(tp(0), identity{1, 0}, "a", 0)
			k.write(tp(0), identity{1, 0}, "b", -1)
			k.mark(1, marker(1, true, 0), tp(0))
		},
		"given to a and b": func(k *checker) {
			k.give("p", "a", identity{1, 0}, nobody, false)
			k.give("p", "b", identity{1, 0}, nobody, false)
		},
		"after 1/3 was given": func(k *checker) { k.give("p", "a", identity{1, 2}, identity{1, 3}, true) },
		"after 1/2 was given": func(k *checker) { k.give("p", "a", identity{1, 2}, identity{1, 2}, false) },
	} {
		k := checker{partitions: map[string]*log{}, decided: map[string]bool{}, owners: map[identity]string{}, newest: map[string]identity{}}
		do(&k)
		r := &recorder{TB: t}
		k.verdict(r)
		if len(r.errors) == 0 || !strings.Contains(strings.Join(r.errors, "\n"), want) {
			t.Errorf("%q: %v", want, r.errors)
		}
	}
}

type recorder struct {
	testing.TB
	errors []string
}

func (r *recorder) Helper()           {}
func (r *recorder) Error(args ...any) { r.errors = append(r.errors, fmt.Sprint(args...)) }

package assign

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	"github.com/odradek/odradek/internal/proto/model"
)

// town is a random group over random topics, and how it changes.
type town struct {
	*rand.Rand
	members []Member
	topics  map[model.ID]Topic
	ids     []model.ID
	racks   int
	same    bool // all subscribe to everything
	next    int
}

func newTown(seed uint64, same bool) *town {
	w := &town{Rand: rand.New(rand.NewPCG(seed, 5)), topics: map[model.ID]Topic{}, same: same}
	w.racks = w.IntN(4)
	for range 1 + w.IntN(6) {
		w.addTopic()
	}
	for range 1 + w.IntN(12) {
		w.addMember()
	}
	w.subscribe()
	return w
}

func (w *town) addTopic() {
	w.next++
	id := model.ID{byte(w.IntN(256)), byte(w.next)}
	w.ids = append(w.ids, id)
	w.grow(id, 1+w.Int32N(30))
}

func (w *town) grow(id model.ID, n int32) {
	salt := w.IntN(100)
	w.topics[id] = Topic{ID: id, Name: id.String(), Partitions: n, Racks: func(p int32) []string {
		if w.racks == 0 {
			return nil
		}
		return []string{rack((int(p) + salt) % w.racks), rack((int(p) + salt + 1) % w.racks)}
	}}
}

func rack(n int) string { return fmt.Sprint("rack", n) }

func (w *town) addMember() {
	w.next++
	m := Member{ID: fmt.Sprintf("m%04d", w.IntN(10000)*100+w.next%100)}
	if w.IntN(4) == 0 {
		m.InstanceID = fmt.Sprint("static", w.next)
	}
	if w.racks > 0 && w.IntN(5) > 0 {
		m.Rack = rack(w.IntN(w.racks))
	}
	w.members = append(w.members, m)
	slices.SortFunc(w.members, func(a, b Member) int {
		if a.ID < b.ID {
			return -1
		}
		return 1
	})
}

// subscribe gives members their subscriptions.
func (w *town) subscribe() {
	for i := range w.members {
		m := &w.members[i]
		if w.same {
			m.Topics = slices.Clone(w.ids)
			continue
		}
		if m.Topics != nil && w.IntN(4) > 0 {
			m.Topics = slices.DeleteFunc(m.Topics, func(id model.ID) bool { return !slices.Contains(w.ids, id) })
			continue
		}
		m.Topics = []model.ID{}
		for _, id := range w.ids {
			if w.IntN(3) > 0 {
				m.Topics = append(m.Topics, id)
			}
		}
	}
}

// change lets members come and go, and topics come, go and grow.
func (w *town) change() {
	switch w.IntN(7) {
	case 0, 1:
		w.addMember()
	case 2, 3:
		if len(w.members) > 1 {
			at := w.IntN(len(w.members))
			w.members = slices.Delete(w.members, at, at+1)
		}
	case 4:
		w.addTopic()
	case 5:
		if len(w.ids) > 1 {
			at := w.IntN(len(w.ids))
			delete(w.topics, w.ids[at])
			w.ids = slices.Delete(w.ids, at, at+1)
		}
	case 6:
		id := w.ids[w.IntN(len(w.ids))]
		w.grow(id, w.topics[id].Partitions+w.Int32N(5))
	}
	w.subscribe()
}

func (w *town) assign(t *testing.T, a Assignor) Assignment {
	t.Helper()
	before := fmt.Sprint(w.members)
	given, err := a.Assign(w.members, w.topics)
	if err != nil {
		t.Fatal(err)
	}
	again, _ := a.Assign(w.members, w.topics)
	if !reflect.DeepEqual(given, again) {
		t.Fatalf("%s: the same arguments gave\n%v and\n%v", a.Name(), given, again)
	}
	if fmt.Sprint(w.members) != before {
		t.Fatalf("%s changed its arguments", a.Name())
	}
	return given
}

// accept makes what was given what members own.
func (w *town) accept(given Assignment) {
	for i := range w.members {
		w.members[i].Owned = given[w.members[i].ID]
	}
}

// valid checks what no assignment may break, and returns how many members have each
// partition.
func (w *town) valid(t *testing.T, given Assignment) map[model.IDPartition]int {
	t.Helper()
	if len(given) != len(w.members) {
		t.Fatalf("%d members have an assignment, not %d", len(given), len(w.members))
	}
	count := map[model.IDPartition]int{}
	for _, m := range w.members {
		for id, partitions := range given[m.ID] {
			if !slices.Contains(m.Topics, id) {
				t.Fatalf("%s got topic %v, to which it does not subscribe", m.ID, id)
			}
			if len(partitions) == 0 || !slices.IsSorted(partitions) || len(slices.Compact(slices.Clone(partitions))) != len(partitions) {
				t.Fatalf("%s got partitions %v", m.ID, partitions)
			}
			if partitions[0] < 0 || partitions[len(partitions)-1] >= w.topics[id].Partitions {
				t.Fatalf("%s got partitions %v of %d", m.ID, partitions, w.topics[id].Partitions)
			}
			for _, p := range partitions {
				count[model.IDPartition{Topic: id, Partition: p}]++
			}
		}
	}
	return count
}

// exclusive checks that each partition that somebody wants has exactly one owner.
func (w *town) exclusive(t *testing.T, given Assignment) {
	t.Helper()
	count := w.valid(t, given)
	for id, topic := range w.topics {
		wanted := slices.ContainsFunc(w.members, func(m Member) bool { return slices.Contains(m.Topics, id) })
		for p := range topic.Partitions {
			want := 0
			if wanted {
				want = 1
			}
			if n := count[model.IDPartition{Topic: id, Partition: p}]; n != want {
				t.Fatalf("partition %d of %v has %d owners, want %d", p, id, n, want)
			}
		}
	}
}

func size(own map[model.ID][]int32) int {
	n := 0
	for _, partitions := range own {
		n += len(partitions)
	}
	return n
}

// spread is the least and the most that members have.
func (w *town) spread(given Assignment) (low, high int) {
	low = 1 << 30
	for _, m := range w.members {
		n := size(given[m.ID])
		low, high = min(low, n), max(high, n)
	}
	return low, high
}

// kept counts the partitions that members have and owned before.
func (w *town) kept(given Assignment) int {
	n := 0
	for _, m := range w.members {
		for id, partitions := range given[m.ID] {
			for _, p := range partitions {
				if slices.Contains(m.Owned[id], p) {
					n++
				}
			}
		}
	}
	return n
}

func histories(t *testing.T, same bool, check func(w *town)) {
	for seed := range uint64(60) {
		w := newTown(seed, same)
		for range 12 {
			check(w)
			w.change()
			if t.Failed() {
				t.Fatalf("seed %d", seed)
			}
		}
	}
}

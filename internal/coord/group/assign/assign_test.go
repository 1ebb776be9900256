package assign

import (
	"fmt"
	"reflect"
	"slices"
	"testing"

	"github.com/odradek/odradek/internal/proto/model"
)

// In a group of one subscription, members' numbers differ by one at most, everyone keeps
// what balance lets him keep, and a second look changes nothing.
func TestUniformEven(t *testing.T) {
	histories(t, true, func(w *town) {
		given := w.assign(t, Uniform{})
		w.exclusive(t, given)
		low, high := w.spread(given)
		if high-low > 1 {
			t.Fatalf("members have from %d to %d partitions", low, high)
		}
		if kept, best := w.kept(given), w.mostKept(); kept != best {
			t.Fatalf("%d partitions stay, %d could", kept, best)
		}
		w.accept(given)
		if again := w.assign(t, Uniform{}); !reflect.DeepEqual(again, given) {
			t.Fatalf("a second look moves partitions")
		}
	})
}

// mostKept is how many partitions can stay in a group of one subscription.
func (w *town) mostKept() int {
	total := 0
	for _, topic := range w.topics {
		total += int(topic.Partitions)
	}
	quota, extra := total/len(w.members), total%len(w.members)
	kept := 0
	for _, m := range w.members {
		valid := 0
		for id, partitions := range m.Owned {
			if _, ok := w.topics[id]; ok {
				valid += len(partitions)
			}
		}
		if valid > quota && extra > 0 {
			kept, extra = kept+quota+1, extra-1
		} else {
			kept += min(valid, quota)
		}
	}
	return kept
}

// In a group of many subscriptions no partition can go to a subscriber who has two less,
// and a second look changes nothing.
func TestUniformUneven(t *testing.T) {
	histories(t, false, func(w *town) {
		given := w.assign(t, Uniform{})
		w.exclusive(t, given)
		for _, from := range w.members {
			for id := range given[from.ID] {
				for _, to := range w.members {
					if slices.Contains(to.Topics, id) && size(given[from.ID])-size(given[to.ID]) > 1 {
						t.Fatalf("%s has %d partitions, some of %v, of which %s with %d could take one",
							from.ID, size(given[from.ID]), id, to.ID, size(given[to.ID]))
					}
				}
			}
		}
		w.accept(given)
		if again := w.assign(t, Uniform{}); !reflect.DeepEqual(again, given) {
			t.Fatalf("a second look moves partitions")
		}
	})
}

// A partition that a topic gains, or that a member gives up, goes to a member in the rack
// of a replica, if balance leaves the choice.
func TestUniformRacks(t *testing.T) {
	id := model.ID{1}
	topics := map[model.ID]Topic{id: {ID: id, Partitions: 6, Racks: func(p int32) []string { return []string{rack(int(5-p) / 2)} }}}
	members := []Member{
		{ID: "a", Rack: rack(0), Topics: []model.ID{id}},
		{ID: "b", Rack: rack(1), Topics: []model.ID{id}},
		{ID: "c", Rack: rack(2), Topics: []model.ID{id}},
	}
	want := Assignment{"a": {id: {4, 5}}, "b": {id: {2, 3}}, "c": {id: {0, 1}}}
	given, err := Uniform{}.Assign(members, topics)
	if err != nil || !reflect.DeepEqual(given, want) {
		t.Errorf("got %v, %v; want %v", given, err, want)
	}
	other := model.ID{2}
	topics[other] = Topic{ID: other, Partitions: 2, Racks: topics[id].Racks}
	members[0].Topics = append(members[0].Topics, other)
	given, err = Uniform{}.Assign(members, topics)
	if err != nil || !reflect.DeepEqual(given["a"][other], []int32{0, 1}) {
		t.Errorf("got %v, %v", given, err)
	}
	for _, m := range members[1:] {
		if !slices.ContainsFunc(given[m.ID][id], func(p int32) bool { return rack(int(5-p)/2) == m.Rack }) {
			t.Errorf("%s has %v, none of it near", m.ID, given[m.ID])
		}
	}
}

// Each topic is cut into runs in the order of instance ids and member ids, longer ones
// first, whatever members own.
func TestRange(t *testing.T) {
	for _, same := range []bool{true, false} {
		histories(t, same, func(w *town) {
			given := w.assign(t, Range{})
			w.exclusive(t, given)
			for id, topic := range w.topics {
				var who []Member
				for _, m := range w.members {
					if slices.Contains(m.Topics, id) {
						who = append(who, m)
					}
				}
				slices.SortFunc(who, func(a, b Member) int {
					if (a.InstanceID == "") != (b.InstanceID == "") {
						return dynamic(a) - dynamic(b)
					}
					if a.InstanceID+a.ID < b.InstanceID+b.ID {
						return -1
					}
					return 1
				})
				var next int32
				last := int32(1) << 30
				for _, m := range who {
					run := given[m.ID][id]
					for i, p := range run {
						if p != next+int32(i) {
							t.Fatalf("%s has %v of %v, not from %d on", m.ID, run, id, next)
						}
					}
					n := int32(len(run))
					if n > last || n < topic.Partitions/int32(len(who)) || n > topic.Partitions/int32(len(who))+1 {
						t.Fatalf("%s has %v of %v", m.ID, run, id)
					}
					next, last = next+n, n
				}
			}
			w.accept(given)
		})
	}
}

// In a share group every partition has as many members as the others and members'
// numbers differ by one at most; by topic, if subscriptions differ. A second look
// changes nothing.
func TestSimple(t *testing.T) {
	for _, same := range []bool{true, false} {
		histories(t, same, func(w *town) {
			given := w.assign(t, Simple{})
			count := w.valid(t, given)
			if w.alike() {
				w.shared(t, given, count, w.members, w.members[0].Topics)
			} else {
				for _, id := range w.ids {
					var who []Member
					for _, m := range w.members {
						if slices.Contains(m.Topics, id) {
							who = append(who, m)
						}
					}
					w.shared(t, given, count, who, []model.ID{id})
				}
			}
			w.accept(given)
			if again := w.assign(t, Simple{}); !reflect.DeepEqual(again, given) {
				t.Fatalf("a second look moves partitions from\n%v to\n%v", given, again)
			}
		})
	}
}

// alike reports whether all members subscribe to all of the same topics.
func (w *town) alike() bool {
	for _, m := range w.members[1:] {
		if len(m.Topics) != len(w.members[0].Topics) {
			return false
		}
		for _, id := range m.Topics {
			if !slices.Contains(w.members[0].Topics, id) {
				return false
			}
		}
	}
	return true
}

// shared checks the balance among members of the partitions of topics.
func (w *town) shared(t *testing.T, given Assignment, count map[model.IDPartition]int, who []Member, ids []model.ID) {
	t.Helper()
	if len(who) == 0 || len(ids) == 0 {
		return
	}
	partitions := 0
	for _, id := range ids {
		partitions += int(w.topics[id].Partitions)
	}
	places := (len(who) + partitions - 1) / partitions
	for _, id := range ids {
		for p := range w.topics[id].Partitions {
			if n := count[model.IDPartition{Topic: id, Partition: p}]; n != places {
				t.Fatalf("partition %d of %v has %d members, want %d", p, id, n, places)
			}
		}
	}
	low, high := 1<<30, 0
	for _, m := range who {
		n := 0
		for _, id := range ids {
			n += len(given[m.ID][id])
		}
		low, high = min(low, n), max(high, n)
	}
	if high-low > 1 {
		t.Fatalf("members have from %d to %d partitions: %v of %v, each %d times", low, high, given, w.topics, places)
	}
}

// Partitions that may not be given out yet stay with nobody.
func TestSimpleAssignable(t *testing.T) {
	id := model.ID{1}
	topics := map[model.ID]Topic{id: {ID: id, Partitions: 4, Assignable: func(p int32) bool { return p%2 == 0 }}}
	given, err := Simple{}.Assign([]Member{
		{ID: "a", Topics: []model.ID{id}, Owned: map[model.ID][]int32{id: {1, 2}}},
		{ID: "b", Topics: []model.ID{id}},
	}, topics)
	if want := (Assignment{"a": {id: {2}}, "b": {id: {0}}}); err != nil || !reflect.DeepEqual(given, want) {
		t.Errorf("got %v, %v; want %v", given, err, want)
	}
}

// When a member comes to a share group, and when it leaves, what the others share moves
// no more than balance asks.
func TestSimpleSticks(t *testing.T) {
	id := model.ID{1}
	topics := map[model.ID]Topic{id: {ID: id, Partitions: 30}}
	var members []Member
	for i := range 5 {
		members = append(members, Member{ID: fmt.Sprint("m", i), Topics: []model.ID{id}})
	}
	w := &town{members: members, topics: topics}
	w.accept(w.assign(t, Simple{}))
	w.members = append(w.members, Member{ID: "m9", Topics: []model.ID{id}})
	given := w.assign(t, Simple{})
	if n := w.kept(given); n != 25 {
		t.Errorf("%d of 30 partitions stay when a sixth member comes, want 25", n)
	}
	w.accept(given)
	w.members = w.members[1:]
	if n := w.kept(w.assign(t, Simple{})); n != 25 {
		t.Errorf("%d of 25 partitions stay when a member leaves", n)
	}
}

// What members are said to own may be wrong in every way.
func TestOddPossessions(t *testing.T) {
	id, gone := model.ID{1}, model.ID{2}
	topics := map[model.ID]Topic{id: {ID: id, Partitions: 4}}
	members := []Member{
		{ID: "a", Topics: []model.ID{id}, Owned: map[model.ID][]int32{id: {-1, 0, 0, 1, 9}, gone: {0}}},
		{ID: "b", Topics: []model.ID{id}, Owned: map[model.ID][]int32{id: {1, 2, 1 << 30}}},
	}
	w := &town{members: members, topics: topics}
	for _, a := range []Assignor{Uniform{}, Range{}, Simple{}} {
		w.exclusive(t, w.assign(t, a))
	}
	members[1].Topics = append(members[1].Topics, gone)
	for _, a := range []Assignor{Uniform{}, Range{}, Simple{}} {
		if _, err := a.Assign(members, topics); err == nil {
			t.Errorf("%s assigns a topic that does not exist", a.Name())
		}
		if given, err := a.Assign(nil, topics); err != nil || len(given) != 0 {
			t.Errorf("%s gives nobody %v, %v", a.Name(), given, err)
		}
	}
}

func TestByName(t *testing.T) {
	for _, name := range []string{UniformName, RangeName} {
		if a, ok := ByName(name); !ok || a.Name() != name {
			t.Errorf("%s: got %v, %v", name, a, ok)
		}
	}
	if a, ok := ByName("roundrobin"); ok {
		t.Errorf("roundrobin is %v", a)
	}
}

package metadata

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"github.com/odradek/odradek/internal/base/bubble"
	"github.com/odradek/odradek/internal/proto/model"
)

// world is an image and the same facts in plain maps, to compare it with.
type world struct {
	image   *Image
	topics  map[string]*Topic
	configs map[Resource]map[string]string
	brokers map[int32]Broker
}

func newWorld() *world {
	return &world{Empty(), map[string]*Topic{}, map[Resource]map[string]string{}, map[int32]Broker{}}
}

func id(n int) model.ID { return model.ID{1, byte(n >> 16), byte(n >> 8), byte(n)} }

func partition(rng *rand.Rand, was *Partition) Partition {
	p := Partition{Leader: int32(rng.IntN(5) - 1), Replicas: []int32{1, 2, int32(rng.IntN(9))}, ISR: []int32{1}}
	if rng.IntN(4) == 0 {
		p.ELR, p.LastKnownELR, p.Adding, p.Removing = []int32{2}, []int32{3}, []int32{4}, []int32{1}
		p.Dirs, p.Recovery = []model.ID{id(1), id(2), {}}, Recovering
	}
	if was != nil {
		p.LeaderEpoch, p.PartitionEpoch = was.LeaderEpoch+int32(rng.IntN(2)), was.PartitionEpoch+1
	}
	return p
}

// step draws a record that fits, and changes the maps as it should change the image.
func (w *world) step(rng *rand.Rand, serial int) Record {
	names := slices.Sorted(maps.Keys(w.topics))
	pick := func() *Topic { return w.topics[names[rng.IntN(len(names))]] }
	switch k := rng.IntN(12); {
	case k < 3 || len(names) == 0:
		name := fmt.Sprintf("topic.%d", rng.IntN(1e6)*1000+serial)
		w.topics[name] = &Topic{Name: name, ID: id(serial)}
		return AddTopic{name, id(serial)}
	case k < 6:
		t := pick()
		p := partition(rng, nil)
		t.Partitions = append(t.Partitions, &p)
		return AddPartition{t.ID, int32(len(t.Partitions) - 1), p}
	case k < 8:
		t := pick()
		if len(t.Partitions) == 0 {
			return w.step(rng, serial)
		}
		i := rng.IntN(len(t.Partitions))
		p := partition(rng, t.Partitions[i])
		t.Partitions[i] = &p
		return ChangePartition{t.ID, int32(i), p}
	case k == 8 && rng.IntN(2) == 0:
		t := pick()
		delete(w.topics, t.Name)
		delete(w.configs, Resource{TopicResource, t.Name})
		return RemoveTopic{t.ID}
	case k < 11:
		return w.config(rng, Resource{TopicResource, pick().Name})
	default:
		b := Broker{ID: int32(rng.IntN(20)), Epoch: int64(serial), Incarnation: id(serial), Fenced: rng.IntN(2) == 0}
		w.brokers[b.ID] = b
		return RegisterBroker{b}
	}
}

func (w *world) config(rng *rand.Rand, r Resource) Record {
	key, value := fmt.Sprint("k", rng.IntN(3)), fmt.Sprint(rng.IntN(100))
	if w.configs[r] == nil {
		w.configs[r] = map[string]string{}
	}
	if rng.IntN(3) == 0 {
		delete(w.configs[r], key)
		if len(w.configs[r]) == 0 {
			delete(w.configs, r)
		}
		return SetConfig{r, key, nil}
	}
	w.configs[r][key] = value
	return SetConfig{r, key, &value}
}

func (w *world) compare(t *testing.T) {
	t.Helper()
	var names []string
	partitions := 0
	for topic := range w.image.Topics() {
		names = append(names, topic.Name)
		partitions += len(topic.Partitions)
		if d := cmp.Diff(w.topics[topic.Name], topic); d != "" {
			t.Fatalf("topic %s: %s", topic.Name, d)
		}
		if byID, ok := w.image.TopicByID(topic.ID); !ok || byID != topic {
			t.Fatalf("%s is not found by its id", topic.Name)
		}
	}
	if want := slices.Sorted(maps.Keys(w.topics)); !slices.Equal(names, want) {
		t.Fatalf("topics %v, want %v", names, want)
	}
	if w.image.TopicCount() != len(names) || w.image.PartitionCount() != partitions {
		t.Fatalf("counts %d, %d, want %d, %d", w.image.TopicCount(), w.image.PartitionCount(), len(names), partitions)
	}
	configs := map[Resource]map[string]string{}
	for r, c := range w.image.ConfigResources() {
		configs[r] = c
	}
	if d := cmp.Diff(w.configs, configs); d != "" {
		t.Fatal(d)
	}
	if w.image.BrokerCount() != len(w.brokers) {
		t.Fatalf("%d brokers, want %d", w.image.BrokerCount(), len(w.brokers))
	}
}

// An image is what its records say, older images stay as they were, the difference of
// two images turns one into the other, and records and snapshots survive being written.
func TestRandomHistories(t *testing.T) {
	for seed := range uint64(25) {
		rng := rand.New(rand.NewPCG(seed, 1))
		w := newWorld()
		old, oldBytes := w.image, w.image.Encode()
		for step := range 60 {
			recs := make([]Record, 1+rng.IntN(5))
			for i := range recs {
				recs[i] = w.step(rng, step*10+i+1)
			}
			decoded, err := Decode(Encode(nil, recs))
			if err != nil {
				t.Fatalf("seed %d: %v", seed, err)
			}
			if d := cmp.Diff(recs, decoded); d != "" {
				t.Fatalf("seed %d: %s", seed, d)
			}
			if w.image, err = w.image.Apply(decoded, int64(step+1)); err != nil {
				t.Fatalf("seed %d: %v", seed, err)
			}
			if rng.IntN(10) == 0 {
				w.compare(t)
				checkDiff(t, old, w.image)
				if !bytes.Equal(old.Encode(), oldBytes) {
					t.Fatalf("seed %d: an old image changed", seed)
				}
				old, oldBytes = w.image, w.image.Encode()
			}
		}
		again, err := DecodeImage(w.image.Encode())
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		if !bytes.Equal(again.Encode(), w.image.Encode()) {
			t.Fatalf("seed %d: equal images are written differently", seed)
		}
		if c := Diff(w.image, again); len(c.Configs) > 0 || c.Cluster || c.Features {
			t.Fatalf("seed %d: an image read back differs: %+v", seed, c)
		}
	}
}

// checkDiff applies the changes to what one image has and expects what the other has.
func checkDiff(t *testing.T, was, is *Image) {
	t.Helper()
	topics := map[model.ID]*Topic{}
	for topic := range was.Topics() {
		topics[topic.ID] = topic
	}
	c := Diff(was, is)
	for _, change := range c.Topics {
		switch {
		case change.Was == change.Is:
			t.Fatalf("no change: %+v", change)
		case change.Was != nil && topics[change.Was.ID] != change.Was:
			t.Fatalf("%s was not so", change.Was.Name)
		case change.Is == nil:
			delete(topics, change.ID())
		default:
			topics[change.ID()] = change.Is
		}
	}
	n := 0
	for topic := range is.Topics() {
		if n++; topics[topic.ID] != topic {
			t.Fatalf("the change of %s is missing", topic.Name)
		}
	}
	if n != len(topics) {
		t.Fatalf("%d topics, want %d", len(topics), n)
	}
	if !slices.IsSortedFunc(c.Topics, func(a, b TopicChange) int { return strings.Compare(nameOf(a), nameOf(b)) }) {
		t.Fatal("the changes are not sorted")
	}
}

func nameOf(c TopicChange) string {
	if c.Is != nil {
		return c.Is.Name
	}
	return c.Was.Name
}

// However an image came about, equal images are equal bytes.
func TestSnapshotOfEqualImages(t *testing.T) {
	value := "v"
	all := []Record{
		AddTopic{"a", id(1)}, AddTopic{"b", id(2)}, AddTopic{"c_d", id(3)},
		SetConfig{Resource{BrokerResource, ""}, "x", &value}, SetConfig{Resource{TopicResource, "a"}, "y", &value},
		RegisterBroker{Broker{ID: 1}}, RegisterBroker{Broker{ID: 2}}, SetFeature{"f", 1}, SetFeature{"g", 2},
		SetCluster{"x"}, SetController{1, 2}, ProducerIDs{1, 1, 1000},
		RegisterController{Controller{ID: 5}}, RegisterController{Controller{ID: 4}},
	}
	var want []byte
	for seed := range uint64(20) {
		rng := rand.New(rand.NewPCG(seed, 2))
		recs := slices.Clone(all)
		rng.Shuffle(len(recs), func(i, j int) { recs[i], recs[j] = recs[j], recs[i] })
		recs = append(recs, AddTopic{"gone", id(9)}, RemoveTopic{id(9)})
		m, err := Empty().Apply(recs, 7)
		if err != nil {
			t.Fatal(err)
		}
		if got := m.Encode(); want == nil {
			want = got
		} else if !bytes.Equal(got, want) {
			t.Fatalf("order %d is written differently", seed)
		}
		if back, err := DecodeImage(m.Encode()); err != nil || back.NextProducerID != 1000 || back.ClusterID != "x" || back.ControllerEpoch != 2 {
			t.Fatalf("read back: %+v, %v", back, err)
		}
	}
}

// Records that cannot follow are refused and leave the image as it was.
func TestApplyRefuses(t *testing.T) {
	base, err := Empty().Apply([]Record{
		AddTopic{"a", id(1)}, AddPartition{id(1), 0, Partition{LeaderEpoch: 5, PartitionEpoch: 5}},
		RegisterBroker{Broker{ID: 1, Epoch: 3}}, ProducerIDs{1, 3, 1000}, SetCluster{"x"},
	}, 1)
	if err != nil {
		t.Fatal(err)
	}
	before := base.Encode()
	for _, rec := range []Record{
		AddTopic{"a", id(2)}, AddTopic{"b", id(1)}, RemoveTopic{id(9)},
		AddPartition{id(9), 0, Partition{}}, AddPartition{id(1), 0, Partition{}}, AddPartition{id(1), 3, Partition{}},
		ChangePartition{id(9), 0, Partition{}}, ChangePartition{id(1), 1, Partition{}}, ChangePartition{id(1), -1, Partition{}},
		ChangePartition{id(1), 0, Partition{LeaderEpoch: 5, PartitionEpoch: 5}},
		ChangePartition{id(1), 0, Partition{LeaderEpoch: 4, PartitionEpoch: 6}},
		UnregisterBroker{2, 3}, UnregisterBroker{1, 2}, ChangeBroker{ID: 1, Epoch: 2}, ChangeBroker{ID: 7},
		ProducerIDs{1, 3, 999}, SetCluster{"y"},
	} {
		if _, err := base.Apply([]Record{AddPartition{id(1), 1, Partition{}}, rec}, 2); err == nil {
			t.Errorf("%+v was applied", rec)
		} else if !strings.Contains(err.Error(), "record 1") {
			t.Errorf("%v does not say which", err)
		}
	}
	if !bytes.Equal(base.Encode(), before) {
		t.Error("a refused record left something behind")
	}
}

// What a newer release wrote is refused, never skipped.
func TestDecodeRefusesTheUnknown(t *testing.T) {
	good := Encode(nil, []Record{AddTopic{"a", id(1)}})
	for name, b := range map[string][]byte{
		"format":  append([]byte{9}, good[1:]...),
		"kind":    append([]byte{1, 1, 200}, good[3:]...),
		"version": append([]byte{1, 1, byte(kindAddTopic), 1}, good[4:]...),
	} {
		if _, err := Decode(b); !errors.Is(err, ErrUnknownRecord) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for n := range good {
		if _, err := Decode(good[:n]); err == nil {
			t.Errorf("%d of %d bytes were read", n, len(good))
		}
	}
	if _, err := Decode(append(slices.Clone(good), 0)); err == nil {
		t.Error("bytes left over were read")
	}
	if _, err := Decode([]byte{1, 0xff, 0xff, 0xff, 0xff, 0x0f}); err == nil {
		t.Error("a count of 4 billion was believed")
	}
}

// A snapshot with one wrong bit is refused.
func TestSnapshotBits(t *testing.T) {
	m, err := Empty().Apply([]Record{AddTopic{"a", id(1)}, AddPartition{id(1), 0, Partition{Replicas: []int32{1}}}}, 3)
	if err != nil {
		t.Fatal(err)
	}
	good := m.Encode()
	for i := range good {
		b := slices.Clone(good)
		b[i] ^= 1 << (i % 8)
		if _, err := DecodeImage(b); err == nil {
			t.Errorf("byte %d was wrong and nobody saw", i)
		}
	}
}

// A follower of the feed is told everything once, however late it comes.
func TestFeed(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		f := NewFeed()
		type seen struct {
			image   *Image
			changes Changes
		}
		next := make(chan seen)
		go func() {
			after := Empty()
			for range 3 {
				m, c, err := f.Next(t.Context(), after)
				if err != nil {
					t.Error(err)
				}
				after = m
				next <- seen{m, c}
			}
		}()
		<-next // the feed's own empty image is not the one it began with
		synctest.Wait()
		apply := func(offset int64, recs ...Record) {
			if err := f.ApplyEntry(offset, Encode(nil, recs)); err != nil {
				t.Fatal(err)
			}
		}
		apply(1, AddTopic{"a", id(1)})
		if got := <-next; len(got.changes.Topics) != 1 || got.changes.Topics[0].Is.Name != "a" || got.image != f.Image() {
			t.Errorf("first: %+v", got.changes)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if got := <-func() chan seen { apply(2, AddTopic{"b", id(2)}); return next }(); got.image.TopicCount() != 2 {
			t.Errorf("second: %+v", got.changes)
		}
		apply(3, RemoveTopic{id(1)})
		apply(4, AddTopic{"a", id(3)}, AddPartition{id(3), 0, Partition{}})
		apply(5, SetFeature{"f", 1})
		m, c, err := f.Next(ctx, Empty())
		if err != nil || len(c.Topics) != 2 || !c.Features || m.Offset != 5 {
			t.Errorf("all at once: %+v, %v", c, err)
		}
		if _, _, err := f.Next(ctx, m); !errors.Is(err, context.Canceled) {
			t.Errorf("nothing new: %v", err)
		}
		if err := f.ApplyEntry(6, []byte{9}); err == nil || f.Image() != m {
			t.Errorf("a bad entry: %v", err)
		}
	})
}

// A topic that was made anew under its name is two changes.
func TestRecreatedTopic(t *testing.T) {
	was, _ := Empty().Apply([]Record{AddTopic{"a", id(1)}}, 1)
	is, _ := was.Apply([]Record{RemoveTopic{id(1)}, AddTopic{"a", id(2)}}, 2)
	c := Diff(was, is)
	if len(c.Topics) != 2 || c.Topics[0].Is != nil || c.Topics[0].ID() != id(1) || c.Topics[1].Was != nil || c.Topics[1].ID() != id(2) {
		t.Errorf("changes %+v", c.Topics)
	}
}

// Names that differ only in '.' and '_' are found, until they are gone.
func TestCollision(t *testing.T) {
	m, _ := Empty().Apply([]Record{AddTopic{"a.b_c", id(1)}, AddTopic{"abc", id(2)}}, 1)
	if other, ok := m.Collision("a_b.c"); !ok || other != "a.b_c" {
		t.Errorf("Collision = %q, %v", other, ok)
	}
	if _, ok := m.Collision("abc"); ok {
		t.Error("a name without '.' and '_' collides")
	}
	m, _ = m.Apply([]Record{RemoveTopic{id(1)}}, 2)
	if _, ok := m.Collision("a_b.c"); ok {
		t.Error("it collides with a topic that is gone")
	}
}

func FuzzDecode(f *testing.F) {
	value := "v"
	f.Add(Encode(nil, []Record{
		AddTopic{"a", id(1)}, AddPartition{id(1), 0, Partition{Replicas: []int32{1, 2}, Dirs: []model.ID{id(1)}}},
		SetConfig{Resource{TopicResource, "a"}, "k", &value}, SetConfig{Resource{BrokerResource, ""}, "k", nil},
		RegisterBroker{Broker{ID: 1, Rack: &value, Endpoints: []Endpoint{{"L", "h", 1, 0}}, Features: []FeatureRange{{"f", 0, 1}}}},
		RegisterController{Controller{ID: 2, Endpoints: []Endpoint{{"C", "h", 2, 0}}, Features: []FeatureRange{{"f", 0, 1}}}}, UnregisterController{2},
		ChangeBroker{ID: 1}, UnregisterBroker{1, 0}, ProducerIDs{1, 1, 1000}, SetFeature{"f", 1}, SetCluster{"c"}, SetController{1, 1}, RemoveTopic{id(1)},
	}))
	f.Fuzz(func(t *testing.T, b []byte) {
		recs, err := Decode(b)
		if err != nil {
			return
		}
		again, err := Decode(Encode(nil, recs))
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(recs, again); d != "" {
			t.Fatal(d)
		}
		if m, err := Empty().Apply(recs, 1); err == nil {
			if _, err := DecodeImage(m.Encode()); err != nil {
				t.Fatal(err)
			}
		}
	})
}

func FuzzDecodeImage(f *testing.F) {
	m, _ := Empty().Apply([]Record{AddTopic{"a", id(1)}, AddPartition{id(1), 0, Partition{Replicas: []int32{1}}}}, 3)
	f.Add(m.Encode()[snapshotHeader:])
	f.Fuzz(func(t *testing.T, body []byte) {
		b := append(append([]byte(snapshotMagic), snapshotFormat, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0), body...)
		sum := snapshotSum(b) // past the checksum, to the codec
		b[17], b[18], b[19], b[20] = byte(sum>>24), byte(sum>>16), byte(sum>>8), byte(sum)
		m, err := DecodeImage(b)
		if err != nil {
			return
		}
		again, err := DecodeImage(m.Encode())
		if err != nil || !bytes.Equal(again.Encode(), m.Encode()) {
			t.Fatalf("read back: %v", err)
		}
	})
}

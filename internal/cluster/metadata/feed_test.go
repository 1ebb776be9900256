package metadata

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/odradek/odradek/internal/base/bubble"
)

func applyAt(t *testing.T, f *Feed, offset int64, recs ...Record) {
	t.Helper()
	var entry []byte
	if len(recs) > 0 {
		entry = Encode(nil, recs)
	}
	if err := f.ApplyEntry(offset, entry); err != nil {
		t.Fatal(err)
	}
}

// What the feed has seen it skips, be it an entry or a snapshot: the records of a decision
// do not apply twice.
func TestFeedSkipsWhatItHas(t *testing.T) {
	f, ahead := NewFeed(), NewFeed()
	for offset := int64(1); offset <= 6; offset++ {
		rec := AddTopic{fmt.Sprint("t", offset), id(int(offset))}
		if offset <= 4 {
			applyAt(t, f, offset, rec)
		}
		applyAt(t, ahead, offset, rec)
	}
	is := f.Image()
	applyAt(t, f, 4, AddTopic{"t4", id(4)})
	applyAt(t, f, 1, RemoveTopic{id(77)})
	if f.Image() != is {
		t.Error("an entry was applied again")
	}
	_, newer := ahead.Snapshot()
	_, older := f.Snapshot()
	if err := f.Restore(newer); err != nil || f.Image().Offset != 6 {
		t.Errorf("a newer snapshot: offset %d, %v", f.Image().Offset, err)
	}
	is = f.Image()
	for _, data := range [][]byte{older, newer} {
		if err := f.Restore(data); err != nil || f.Image() != is {
			t.Errorf("an older snapshot: offset %d, %v", f.Image().Offset, err)
		}
	}
	applyAt(t, f, 7) // of a leader that begins
	if f.Image().Offset != 7 || f.Image().TopicCount() != 6 {
		t.Errorf("an empty entry: %+v", f.Image())
	}
}

// Entries that come in by two ways at once make the image that one way makes.
func TestFeedOfTwoSources(t *testing.T) {
	for seed := range uint64(20) {
		rng := rand.New(rand.NewPCG(seed, 9))
		w := newWorld()
		entries := [][]byte{nil}
		for step := range 40 {
			if rng.IntN(8) == 0 {
				entries = append(entries, nil)
				continue
			}
			entries = append(entries, Encode(nil, []Record{w.step(rng, step+1)}))
		}
		want := NewFeed()
		snaps := map[int][]byte{}
		for i := 1; i < len(entries); i++ {
			if err := want.ApplyEntry(int64(i), entries[i]); err != nil {
				t.Fatal(err)
			}
			if i%10 == 0 {
				_, snaps[i] = want.Snapshot()
			}
		}
		f := NewFeed()
		var sources sync.WaitGroup
		for source := range 3 {
			sources.Go(func() {
				rng := rand.New(rand.NewPCG(seed, uint64(source)))
				for i := 1; i < len(entries); i++ {
					err := f.ApplyEntry(int64(i), entries[i])
					if err == nil && snaps[i] != nil && rng.IntN(2) == 0 {
						err = f.Restore(snaps[i])
					}
					if err != nil {
						t.Error(err)
					}
				}
			})
		}
		sources.Wait()
		if string(f.Image().Encode()) != string(want.Image().Encode()) {
			t.Fatalf("seed %d: another image", seed)
		}
	}
}

// Who waits for an offset is let go when the image stands there, by whatever way.
func TestWaitOffset(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		f := NewFeed()
		waited := make(chan int64, 3)
		for _, offset := range []int64{0, 2, 5} {
			go func() {
				if err := f.WaitOffset(t.Context(), offset); err != nil {
					t.Error(err)
				}
				waited <- offset
			}()
		}
		expect := func(want int64) {
			t.Helper()
			synctest.Wait()
			if len(waited) != 1 {
				t.Fatalf("%d have waited enough", len(waited))
			}
			if got := <-waited; got != want {
				t.Fatalf("who waited for %d was let go, at %d", got, want)
			}
		}
		expect(0)
		applyAt(t, f, 1, AddTopic{"a", id(1)})
		applyAt(t, f, 2)
		expect(2)
		other := NewFeed()
		applyAt(t, other, 9, AddTopic{"b", id(2)})
		_, snap := other.Snapshot()
		if err := f.Restore(snap); err != nil {
			t.Fatal(err)
		}
		expect(5)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := f.WaitOffset(ctx, 10); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("in vain: %v", err)
		}
	})
}

// A cluster whose features this release does not support is refused, with the fix, and so
// is one that comes to it while the node runs; the image stays.
func TestUnsupportedFeatures(t *testing.T) {
	ranges := []FeatureRange{{"a.version", 0, 2}, {"b.version", 5, 7}}
	for _, c := range []struct {
		feature SetFeature
		words   string // none if it is well
	}{
		{SetFeature{"a.version", 1}, ""}, {SetFeature{"a.version", 2}, ""}, {SetFeature{"b.version", 5}, ""}, {SetFeature{"b.version", 0}, ""},
		{SetFeature{"a.version", 3}, "supports at most 2: written by a newer release: upgrade this node"},
		{SetFeature{"c.version", 1}, "does not know: written by a newer release: upgrade this node"},
		{SetFeature{"b.version", 4}, "no less than 5"},
	} {
		f := NewFeed()
		f.Support(ranges)
		applyAt(t, f, 1, AddTopic{"a", id(1)})
		is := f.Image()
		err := f.ApplyEntry(2, Encode(nil, []Record{c.feature}))
		other := NewFeed()
		applyAt(t, other, 2, c.feature)
		_, snap := other.Snapshot()
		g := NewFeed()
		g.Support(ranges)
		again := g.Restore(snap)
		if c.words == "" {
			if err != nil || again != nil {
				t.Errorf("%+v: %v, %v", c.feature, err, again)
			}
			continue
		}
		for _, err := range []error{err, again} {
			if err == nil || !strings.Contains(err.Error(), c.words) {
				t.Errorf("%+v: %v", c.feature, err)
			}
		}
		if f.Image() != is || g.Image().Offset != 0 {
			t.Errorf("%+v: the image has moved", c.feature)
		}
	}
}

// The nodes of the quorum are known by id, change and go, and survive a snapshot.
func TestControllers(t *testing.T) {
	one := Controller{ID: 1, Incarnation: id(1), Directory: id(2), Endpoints: []Endpoint{{"CONTROLLER", "h", 9093, 0}}, Features: []FeatureRange{{"f", 0, 1}}}
	other := one
	other.Incarnation = id(3)
	f := NewFeed()
	begin := f.Image()
	applyAt(t, f, 1, RegisterController{one}, RegisterController{Controller{ID: 0}})
	first := f.Image()
	applyAt(t, f, 2, RegisterController{other}, UnregisterController{0})
	if c := Diff(begin, first); len(c.Controllers) != 2 || c.Controllers[0].Is.ID != 0 || c.Controllers[1].Was != nil || c.Empty() {
		t.Errorf("at first: %+v", c)
	}
	c := Diff(first, f.Image())
	if len(c.Controllers) != 2 || c.Controllers[0].Is != nil || c.Controllers[1].Is.Incarnation != id(3) {
		t.Errorf("then: %+v", c)
	}
	back, err := DecodeImage(f.Image().Encode())
	if err != nil {
		t.Fatal(err)
	}
	var ids []int32
	for c := range back.Controllers() {
		ids = append(ids, c.ID)
	}
	got, ok := back.Controller(1)
	if len(ids) != 1 || !ok || got.Directory != id(2) || got.Endpoints[0] != one.Endpoints[0] || got.Features[0] != one.Features[0] {
		t.Errorf("%v, %+v", ids, got)
	}
	if _, ok := back.Controller(0); ok {
		t.Error("it is still there")
	}
	if err := f.ApplyEntry(3, Encode(nil, []Record{UnregisterController{0}})); err == nil {
		t.Error("a stranger was unregistered")
	}
}

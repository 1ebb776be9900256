package host

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/odradek/odradek/internal/base/bubble"
	"github.com/odradek/odradek/internal/cluster/metadata"
	"github.com/odradek/odradek/internal/proto/model"
	"github.com/odradek/odradek/internal/replica/partition"
)

// Random histories of topics that are made, written, trimmed, deleted and made again,
// with ends in order, kills and power cuts between: what was acknowledged is there, in
// order, once, and what was deleted is not.
//
//	go test ./internal/replica/host -run Histories/seed=7
func TestHistories(t *testing.T) {
	seeds := 150
	if testing.Short() {
		seeds = 15
	}
	for seed := range uint64(seeds) {
		t.Run(fmt.Sprint("seed=", seed), func(t *testing.T) {
			bubble.Test(t, func(t *testing.T) { newHistory(t, seed).run() })
		})
	}
}

// written is a record of the model, at its offset.
type written struct {
	value string
	acked bool
}

type history struct {
	*rig
	id      byte
	live    map[string][]*written // by topic: every record of its one partition, acknowledged or not
	start   map[string]int64
	counter int
}

func newHistory(t *testing.T, seed uint64) *history {
	h := &history{rig: newRig(t), live: map[string][]*written{}, start: map[string]int64{}}
	h.rng = rand.New(rand.NewPCG(seed, 2))
	for _, name := range names { // small ones, so that logs roll; JournalSmallBytes is in between
		s := defaults()
		s.Log.SegmentBytes = 8 << 10
		h.made[name] = s
	}
	h.dirs = append(h.dirs, Dir{Path: "/b", ID: model.ID{2}})
	return h
}

var names = []string{"t0", "t1", "t2"}

func (h *history) run() {
	h.rig.start()
	for range 8 {
		for range h.rng.IntN(4) * h.rng.IntN(25) { // often none: what a start found must last
			h.step(names[h.rng.IntN(len(names))])
		}
		switch h.rng.IntN(4) {
		case 0:
			h.end()
		case 1:
			h.disk = h.disk.Kill()
			h.stop()
			<-h.done
		default:
			h.cut()
		}
		h.rig.start()
		for _, name := range names {
			h.check(name)
		}
	}
	h.end()
}

func (h *history) step(name string) {
	_, exists := h.live[name]
	switch n := h.rng.IntN(100); {
	case !exists:
		h.id++
		h.create(name, h.id, 1)
		h.live[name], h.start[name] = nil, 0
	case n < 3:
		topic, _ := h.feed.Image().Topic(name)
		h.apply(metadata.RemoveTopic{ID: topic.ID})
		delete(h.live, name)
	case n < 6:
		h.trim(name)
	case n < 12:
		time.Sleep(time.Duration(h.rng.IntN(10_000)) * time.Millisecond)
	default:
		h.write(name, n < 70)
	}
}

// write appends a record and waits for it, or goes on at once.
func (h *history) write(name string, wait bool) {
	h.counter++
	value := fmt.Sprintf("%d", h.counter)
	padded := value + "," + string(make([]byte, h.rng.IntN(3)*h.rng.IntN(2500)))
	p := h.partition(name, 0)
	a, err := p.Append(h.batch("k", padded), partition.AppendArgs{ProduceVersion: 12, Acks: partition.AllInSync})
	if err != nil {
		h.t.Fatal(err)
	}
	w := &written{value: value}
	h.live[name] = append(h.live[name], w)
	if int64(len(h.live[name])) != a.End {
		h.t.Fatalf("%s: append at %d, want %d", name, a.Base, len(h.live[name])-1)
	}
	if wait {
		if err := p.Wait(h.t.Context(), a.End, a.Epoch); err != nil {
			h.t.Fatal(err)
		}
		for _, w := range h.live[name] {
			w.acked = true
		}
	}
}

func (h *history) trim(name string) {
	o, err := h.partition(name, 0).Offsets()
	if err != nil {
		h.t.Fatal(err)
	}
	to := o.Start + h.rng.Int64N(o.HW-o.Start+1)
	start, err := h.host.DeleteRecords(h.partition(name, 0), to)
	if err != nil || start != to {
		h.t.Fatalf("DeleteRecords(%d) = %d, %v", to, start, err)
	}
	h.start[name] = to
}

// check reads a topic and takes what is there for the truth from now on, if it may be.
func (h *history) check(name string) {
	list, exists := h.live[name]
	if !exists {
		return
	}
	o, err := h.partition(name, 0).Offsets()
	if err != nil {
		h.t.Fatal(err)
	}
	if o.Start != h.start[name] {
		h.t.Errorf("%s starts at %d, want %d", name, o.Start, h.start[name])
	}
	if o.End > int64(len(list)) {
		h.t.Fatalf("%s ends at %d, only %d were written", name, o.End, len(list))
	}
	for i, w := range list[o.End:] {
		if w.acked {
			h.t.Fatalf("%s lost record %d, which was acknowledged; it ends at %d", name, int(o.End)+i, o.End)
		}
	}
	list = list[:o.End]
	var want []string
	for _, w := range list[o.Start:] {
		want = append(want, fmt.Sprintf("k=%.10s", w.value+","))
		w.acked = true
	}
	got := h.values(name, 0)
	for i := range got {
		if j := slices.Index([]byte(got[i]), ','); j >= 0 {
			got[i] = got[i][:j+1]
		}
	}
	if !slices.Equal(got, want) {
		h.t.Errorf("%s has %v, want %v", name, got, want)
	}
	h.live[name] = list
}

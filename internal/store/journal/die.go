package journal

import (
	"bytes"
	"cmp"
	"fmt"
	"maps"
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"
)

// die ends the journal: everybody who waits is told, now and later. mu is not held.
func (j *Journal) die(cause error) error {
	failed, err := j.bury(fmt.Errorf("%w: journal in %s: %w", kerr.KafkaStorageError, j.cfg.Dir, cause))
	for _, t := range failed {
		t.Failed(err)
	}
	return err
}

func (j *Journal) bury(err error) (failed []Target, first error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.dead != nil {
		return nil, j.dead
	}
	j.dead = err
	seen := map[Target]bool{nil: true}
	tell := func(t Target) {
		if !seen[t] {
			seen[t] = true
			failed = append(failed, t)
		}
	}
	for _, g := range append([]*group{j.writing}, j.pending...) {
		if g == nil {
			continue
		}
		for _, w := range g.waits {
			tell(w.target)
		}
		g.settle(err)
	}
	for _, s := range j.sortedSlots() {
		if s.want > 0 {
			tell(s.target)
		}
	}
	return failed, err
}

// sortedSlots is for what is seen from outside: it repeats from run to run.
func (j *Journal) sortedSlots() []*slot {
	return slices.SortedFunc(maps.Values(j.slots), func(a, b *slot) int {
		return cmp.Or(bytes.Compare(a.id.Topic[:], b.id.Topic[:]), cmp.Compare(a.id.Partition, b.id.Partition))
	})
}

package world

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/odradek/odradek/internal/cluster/metadata"
	"github.com/odradek/odradek/internal/proto/model"
)

// truth holds what all nodes are told of partitions against each other: whatever happens,
// there is one history of each, and it only goes forward.
type truth struct {
	mu      *sync.Mutex // guards all below
	word    map[point]*metadata.Partition
	leaders map[point]int32
	newest  map[point]int32 // the newest epoch of a leader, at epoch 0
	errs    []error
}

// point is an epoch of a partition: of the partition or of its leader.
type point struct {
	topic model.ID
	n     int32
	epoch int32
}

func newTruth() truth {
	return truth{mu: new(sync.Mutex), word: make(map[point]*metadata.Partition), leaders: make(map[point]int32), newest: make(map[point]int32)}
}

// listen checks every image of a node until ctx ends.
func (h *truth) listen(ctx context.Context, node int32, feed *metadata.Feed) {
	image := metadata.Empty()
	for {
		next, changes, err := feed.Next(ctx, image)
		if err != nil {
			return
		}
		h.mu.Lock()
		if next.Offset < image.Offset {
			h.errs = append(h.errs, fmt.Errorf("node %d: the image goes from %d to %d", node, image.Offset, next.Offset))
		}
		for _, c := range changes.Topics {
			if c.Is == nil {
				continue
			}
			for _, n := range c.Partitions() {
				if int(n) >= len(c.Is.Partitions) {
					h.errs = append(h.errs, fmt.Errorf("node %d: %s-%d is gone", node, c.Is.Name, n))
					continue
				}
				var was *metadata.Partition
				if c.Was != nil && int(n) < len(c.Was.Partitions) {
					was = c.Was.Partitions[n]
				}
				h.hear(fmt.Sprintf("node %d: %s-%d", node, c.Is.Name, n), point{topic: c.Is.ID, n: n}, was, c.Is.Partitions[n])
			}
		}
		h.mu.Unlock()
		image = next
	}
}

// Leads reports whether a node leads a partition and nobody was told of a later leader, even
// if all who were are gone. Any goroutine may call it.
func (w *World) Leads(node int32, topic string, n int32) bool {
	t, p, ok := w.Image().Partition(topic, n)
	if !ok || p.Leader != node {
		return false
	}
	w.truth.mu.Lock()
	defer w.truth.mu.Unlock()
	return w.truth.newest[point{topic: t.ID, n: n}] <= p.LeaderEpoch
}

// hear takes in that a partition is so, on one node, where it was otherwise before or, if
// was is nil, was not. mu is held.
func (h *truth) hear(what string, at point, was, is *metadata.Partition) {
	blame := func(format string, args ...any) {
		h.errs = append(h.errs, fmt.Errorf(what+": "+format, args...))
	}
	at.epoch = is.PartitionEpoch
	if other, ok := h.word[at]; ok && !other.Equal(is) {
		blame("epoch %d is %+v here and %+v elsewhere", at.epoch, *is, *other)
	}
	h.word[at] = is
	at.epoch = 0
	h.newest[at] = max(h.newest[at], is.LeaderEpoch)
	if is.Leader != model.NoLeader {
		at.epoch = is.LeaderEpoch
		if other, ok := h.leaders[at]; ok && other != is.Leader {
			blame("%d and %d lead in epoch %d", other, is.Leader, at.epoch)
		}
		h.leaders[at] = is.Leader
		if !slices.Contains(is.ISR, is.Leader) {
			blame("the leader is not in sync: %+v", *is)
		}
	}
	if len(is.ISR)+len(is.ELR)+len(is.LastKnownELR) == 0 {
		blame("nobody may lead: %+v", *is)
	}
	for _, id := range slices.Concat(is.ISR, is.ELR) {
		if !slices.Contains(is.Replicas, id) {
			blame("%d is in sync, but no replica: %+v", id, *is)
		}
	}
	if was != nil && (is.LeaderEpoch < was.LeaderEpoch || is.PartitionEpoch < was.PartitionEpoch || is.PartitionEpoch == was.PartitionEpoch && !is.Equal(was)) {
		blame("it goes from %+v to %+v", *was, *is)
	}
	if was != nil && is.Leader != was.Leader && is.LeaderEpoch == was.LeaderEpoch {
		blame("another leader in one epoch: from %+v to %+v", *was, *is)
	}
}

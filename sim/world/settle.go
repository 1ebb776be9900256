package world

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/odradek/odradek/internal/proto/model"
	"github.com/twmb/franz-go/pkg/kadm"
)

// Settle waits until every partition is as it should be, on every node's image: all replicas
// in sync, the preferred ones lead, and all have the same end and high watermark. Nothing is
// written meanwhile.
func (w *World) Settle(within time.Duration) error {
	ctx, cancel := context.WithTimeout(w.t.Context(), within)
	defer cancel()
	if err := w.settled(ctx, "in sync", func() string { return w.Unsettled(false) }); err != nil {
		return err
	}
	c := w.Client()
	defer c.Close()
	all := make(kadm.TopicsSet)
	for topic := range w.Image().Topics() {
		for n := range topic.Partitions {
			all.Add(topic.Name, int32(n))
		}
	}
	adm := kadm.NewClient(c)
	preferred := func() string {
		what := w.Unsettled(true)
		if what != "" { // what has just come back may be lost once more, and elected before
			_, _ = adm.ElectLeaders(ctx, kadm.ElectPreferredReplica, all)
		}
		return what
	}
	return errors.Join(
		w.settled(ctx, "led by the preferred", preferred),
		w.settled(ctx, "at the same marks", w.differing))
}

func (w *World) settled(ctx context.Context, how string, wrong func() string) error {
	for {
		what := wrong()
		if what == "" {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("not %s: %s", how, what)
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// Unsettled is a partition that is not as it should be, on some node's image, in words; ""
// if all are. With preferred its leader must be the preferred one.
func (w *World) Unsettled(preferred bool) string {
	for _, n := range w.nodes {
		b := n.Broker()
		if b == nil {
			return fmt.Sprintf("node %d does not run", n.ID)
		}
		image := b.Feed().Image()
		for topic := range image.Topics() {
			for i, p := range topic.Partitions {
				if p.Leader < 0 || len(p.ISR) != len(p.Replicas) || len(p.ELR) > 0 || p.Reassigning() || preferred && p.Leader != p.Preferred() {
					return fmt.Sprintf("%s-%d on node %d: %+v", topic.Name, i, n.ID, *p)
				}
				for j, id := range p.Replicas {
					if o, ok := image.Broker(id); !ok || !slices.Contains(o.LogDirs, p.Dirs[j]) {
						return fmt.Sprintf("%s-%d on node %d: broker %d has no such folder: %+v", topic.Name, i, n.ID, id, *p)
					}
				}
			}
		}
	}
	return ""
}

// Forsaken tells of partitions of which nobody may lead: bits have turned on the disk of the one
// replica that the cluster counts on. What was promised of them ends there, see docs/PROOF.md; an
// operator has to decide.
func (w *World) Forsaken() (what string) {
	for topic := range w.Image().Topics() {
		for i, p := range topic.Partitions {
			if name := fmt.Sprintf("%s-%d", topic.Name, i); w.rotten[name] && len(p.ISR) == 1 && p.ISR[0] == w.spoilt.ID && len(p.ELR) == 0 {
				what += fmt.Sprintf("%s: %+v; ", name, *p)
			}
		}
	}
	return what
}

// InSync reports whether every partition of a topic has all its replicas in sync, on every
// node that runs. Any goroutine may call it.
func (w *World) InSync(topic string) bool {
	for _, n := range w.Nodes() {
		b := n.Broker()
		if b == nil {
			continue
		}
		t, ok := b.Feed().Image().Topic(topic)
		if !ok {
			return false
		}
		for _, p := range t.Partitions {
			if len(p.ISR) != len(p.Replicas) {
				return false
			}
		}
	}
	return true
}

// differing is a partition whose replicas do not have the same high watermark and end, in
// words.
func (w *World) differing() string {
	for topic := range w.Image().Topics() {
		for i, p := range topic.Partitions {
			tp := model.TopicPartition{Topic: topic.Name, Partition: int32(i)}
			end := int64(-1)
			for _, id := range p.Replicas {
				replica, err := w.Node(id).Broker().Replica(tp)
				if err != nil {
					return fmt.Sprintf("%v on node %d: %v", tp, id, err)
				}
				log, err := replica.Log()
				if err != nil {
					return fmt.Sprintf("%v on node %d: %v", tp, id, err)
				}
				if end < 0 {
					end = log.End()
				}
				if hw := replica.HighWatermark(); log.End() != end || hw != end {
					return fmt.Sprintf("%v on node %d ends at %d with high watermark %d, the first replica at %d", tp, id, log.End(), hw, end)
				}
			}
		}
	}
	return ""
}

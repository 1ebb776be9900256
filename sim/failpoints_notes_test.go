//go:build failpoint && synctests

package sim

import (
	"sync"

	"github.com/odradek/odradek/internal/proto/model"
	"github.com/odradek/odradek/sim/history"
)

// notes are what clients were told.
type notes struct {
	mu     sync.Mutex // guards all below
	next   int32      // number of the next producer
	acked  map[model.TopicPartition][]history.Read
	tried  map[model.TopicPartition]map[history.Value]bool
	keys   map[history.Value]string
	txns   []*txnNote
	trim   map[model.TopicPartition]int64 // deleted below
	offset map[string]offsetNote
}

// txnNote is a transaction: what it wrote, and how it ended.
type txnNote struct {
	values []history.Value
	ended  bool // the end was acknowledged
	commit bool
}

// offsetNote is the offset of a group: the last one that was acknowledged and the last one
// that was tried. They only grow.
type offsetNote struct{ acked, tried int64 }

func newNotes() *notes {
	return &notes{
		acked: map[model.TopicPartition][]history.Read{}, tried: map[model.TopicPartition]map[history.Value]bool{},
		trim: map[model.TopicPartition]int64{}, keys: map[history.Value]string{}, offset: map[string]offsetNote{},
	}
}

func (n *notes) producer() int32 {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.next++
	return n.next
}

func (n *notes) try(tp model.TopicPartition, v history.Value, key []byte) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.tried[tp] == nil {
		n.tried[tp] = map[history.Value]bool{}
	}
	n.tried[tp][v] = true
	if key != nil {
		n.keys[v] = string(key)
	}
}

func (n *notes) ack(tp model.TopicPartition, v history.Value, offset int64) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.acked[tp] = append(n.acked[tp], history.Read{Offset: offset, Value: v})
}

func (n *notes) forget(topic string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for tp := range n.tried {
		if tp.Topic == topic {
			delete(n.acked, tp)
			delete(n.tried, tp)
		}
	}
}

func (n *notes) commit(group string, offset int64, acked bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	o := n.offset[group]
	o.tried = max(o.tried, offset)
	if acked {
		o.acked = offset
	}
	n.offset[group] = o
}

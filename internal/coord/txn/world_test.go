package txn

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/odradek/odradek/internal/proto/model"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// world is the rest of a cluster of two brokers: who leads which partition, and which
// markers were written.
type world struct {
	mu      sync.Mutex
	brokers map[int32]*broker
	moved   map[model.TopicPartition]int32 // leaders other than the first ones
	written []string
	asked   int
	write   func(node int32, m *kmsg.WriteTxnMarkersRequestMarker, tp model.TopicPartition) int16 // nil: all is well
}

type broker struct {
	down   bool
	silent bool // it writes, and its answers are lost
	says   int16
	slow   time.Duration
}

const gone int32 = -9

func newWorld() *world {
	return &world{brokers: map[int32]*broker{1: {}, 2: {}}, moved: map[model.TopicPartition]int32{}}
}

func (w *world) leader(tp model.TopicPartition) (node, epoch int32, exists bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.leads(tp)
}

func (w *world) leads(tp model.TopicPartition) (node, epoch int32, exists bool) {
	if n, ok := w.moved[tp]; ok {
		return n, 1, n != gone
	}
	return 1 + tp.Partition%2, 0, tp.Topic != "unknown"
}

// ask has a broker write markers.
func (w *world) ask(ctx context.Context, node int32, r kmsg.Request) (kmsg.Response, error) {
	req := r.(*kmsg.WriteTxnMarkersRequest)
	w.mu.Lock()
	b := *w.brokers[node]
	w.asked++
	w.mu.Unlock()
	if b.slow > 0 {
		select {
		case <-time.After(b.slow):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if b = *w.brokers[node]; b.down {
		return nil, errors.New("nobody there")
	}
	resp := req.ResponseKind().(*kmsg.WriteTxnMarkersResponse)
	for i := range req.Markers {
		m := &req.Markers[i]
		rm := kmsg.WriteTxnMarkersResponseMarker{ProducerID: m.ProducerID}
		for _, rt := range m.Topics {
			t := kmsg.WriteTxnMarkersResponseMarkerTopic{Topic: rt.Topic}
			for _, p := range rt.Partitions {
				tp := model.TopicPartition{Topic: rt.Topic, Partition: p}
				t.Partitions = append(t.Partitions, kmsg.WriteTxnMarkersResponseMarkerTopicPartition{Partition: p, ErrorCode: w.mark(node, &b, m, tp)})
			}
			rm.Topics = append(rm.Topics, t)
		}
		resp.Markers = append(resp.Markers, rm)
	}
	if b.silent {
		return nil, errors.New("the answer is lost")
	}
	return resp, nil
}

func (w *world) mark(node int32, b *broker, m *kmsg.WriteTxnMarkersRequestMarker, tp model.TopicPartition) int16 {
	switch n, _, exists := w.leads(tp); {
	case !exists:
		return kerr.UnknownTopicOrPartition.Code
	case n != node:
		return kerr.NotLeaderForPartition.Code
	case b.says != 0:
		return b.says
	case w.write != nil:
		return w.write(node, m, tp)
	}
	how := "abort"
	if m.Committed {
		how = "commit"
	}
	line := fmt.Sprintf("%d: %s %d/%d %s", node, how, m.ProducerID, m.ProducerEpoch, showPartitions([]model.TopicPartition{tp}))
	if m.TransactionVersion != 2 {
		line += fmt.Sprintf(" v%d", m.TransactionVersion)
	}
	if m.CoordinatorEpoch != 0 {
		line += fmt.Sprintf(" coordinator=%d", m.CoordinatorEpoch)
	}
	w.written = append(w.written, line)
	return 0
}

// markers are those that were written since the last time.
func (w *world) markers() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	slices.Sort(w.written)
	all := strings.Join(w.written, "; ")
	w.written = nil
	if all == "" {
		return "none"
	}
	return all
}

package share

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/odradek/odradek/internal/base/bubble"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// wire is the line of a Client to one coordinator, node 9. It holds requests back while
// it is told to, and writes them down.
type wire struct {
	*testing.T
	client *Client

	mu      sync.Mutex
	hold    chan struct{} // nil: nothing is held
	asked   []string
	refuse  int16 // the code of every answer
	nobody  bool  // there is no coordinator
	answers sync.WaitGroup
}

func onWire(t *testing.T, test func(*wire)) {
	t.Helper()
	bubble.Test(t, func(t *testing.T) {
		w := &wire{T: t}
		w.client = NewClient(ClientConfig{Node: 1, Ask: w.ask})
		test(w)
		w.answers.Wait()
		if len(w.client.lanes) > 0 || len(w.client.writes) > 0 {
			t.Errorf("the client remembers %d lanes, %d writes", len(w.client.lanes), len(w.client.writes))
		}
	})
}

func (w *wire) ask(ctx context.Context, node int32, req kmsg.Request) (kmsg.Response, error) {
	w.mu.Lock()
	hold, code, nobody := w.hold, w.refuse, w.nobody
	w.mu.Unlock()
	if find, ok := req.(*kmsg.FindCoordinatorRequest); ok {
		resp := kmsg.NewPtrFindCoordinatorResponse()
		for _, key := range find.CoordinatorKeys {
			c := kmsg.NewFindCoordinatorResponseCoordinator()
			c.Key, c.NodeID = key, 9
			if nobody {
				c.ErrorCode = kerr.CoordinatorNotAvailable.Code
			}
			resp.Coordinators = append(resp.Coordinators, c)
		}
		if node != 1 || find.CoordinatorType != 2 {
			w.Errorf("node %d is asked for coordinators of type %d", node, find.CoordinatorType)
		}
		return resp, nil
	}
	wr := req.(*kmsg.WriteShareGroupStateRequest)
	resp := kmsg.NewPtrWriteShareGroupStateResponse()
	var said []string
	for _, t := range wr.Topics {
		rt := kmsg.NewWriteShareGroupStateResponseTopic()
		rt.TopicID = t.TopicID
		for _, p := range t.Partitions {
			var batches []StateBatch
			for _, b := range p.StateBatches {
				batches = append(batches, StateBatch{b.FirstOffset, b.LastOffset, b.DeliveryState, b.DeliveryCount})
			}
			said = append(said, fmt.Sprintf("%s/%d@%d.%d start=%d done=%d%s", strings.TrimRight(string(t.TopicID[:]), "\x00"),
				p.Partition, p.StateEpoch, p.LeaderEpoch, p.StartOffset, p.DeliveryCompleteCount, words(batches)))
			rp := kmsg.NewWriteShareGroupStateResponseTopicPartition()
			rp.Partition, rp.ErrorCode = p.Partition, code
			if code != 0 {
				rp.ErrorMessage = kmsg.StringPtr("because")
			}
			rt.Partitions = append(rt.Partitions, rp)
		}
		resp.Topics = append(resp.Topics, rt)
	}
	w.mu.Lock()
	w.asked = append(w.asked, wr.GroupID+": "+strings.Join(said, ", "))
	w.mu.Unlock()
	if hold != nil {
		select {
		case <-hold:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
	return resp, nil
}

// write stores in the background; the channel gets what came of it.
func (w *wire) write(ctx context.Context, k Key, stateEpoch, leaderEpoch int32, start int64, batches ...StateBatch) chan error {
	ch := make(chan error, 1)
	w.answers.Go(func() {
		ch <- w.client.WriteState(ctx, k, stateEpoch, leaderEpoch, start, int32(len(batches)), batches)
	})
	synctest.Wait()
	return ch
}

func (w *wire) holds() (release func()) {
	hold := make(chan struct{})
	w.mu.Lock()
	defer w.mu.Unlock()
	w.hold = hold
	return func() {
		w.mu.Lock()
		w.hold = nil
		w.mu.Unlock()
		close(hold)
		synctest.Wait()
	}
}

func (w *wire) want(ch chan error, err error) {
	w.Helper()
	select {
	case got := <-ch:
		if !errors.Is(got, err) {
			w.Errorf("the write gives %v, want %v", got, err)
		}
	default:
		w.Error("the write has no answer")
	}
}

func (w *wire) wantAsked(want ...string) {
	w.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	if !reflect.DeepEqual(w.asked, want) {
		w.Errorf("asked\n%s\nwant\n%s", strings.Join(w.asked, "\n"), strings.Join(want, "\n"))
	}
}

func tp(p int32) Key { return Key{"g", topicID("t"), p} }

// What comes while a request is on its way goes together in the next; groups go apart.
func TestWritesGoTogether(t *testing.T) {
	onWire(t, func(w *wire) {
		release := w.holds()
		ctx := w.Context()
		all := []chan error{
			w.write(ctx, tp(0), 1, 1, 10), w.write(ctx, tp(1), 1, 1, 11), w.write(ctx, tp(2), 1, 1, 12),
			w.write(ctx, Key{"g", topicID("u"), 0}, 1, 1, 13), w.write(ctx, Key{"h", topicID("t"), 0}, 1, 1, 14),
		}
		release()
		for _, ch := range all {
			w.want(ch, nil)
		}
		w.wantAsked("g: t/0@1.1 start=10 done=0", "h: t/0@1.1 start=14 done=0",
			"g: t/1@1.1 start=11 done=0, t/2@1.1 start=12 done=0, u/0@1.1 start=13 done=0")
	})
}

// Writes to one share partition go one after the other; those of the same epochs that
// wait go as one.
func TestWritesToOnePartition(t *testing.T) {
	onWire(t, func(w *wire) {
		release := w.holds()
		ctx := w.Context()
		all := []chan error{
			w.write(ctx, tp(0), 1, 1, 10), w.write(ctx, tp(0), 1, 1, 14, StateBatch{15, 16, 2, 1}),
			w.write(ctx, tp(0), 1, 1, NoStart, StateBatch{17, 17, 0, 1}, StateBatch{18, 18, 0, 1}), w.write(ctx, tp(0), 2, 1, 5),
		}
		release()
		for _, ch := range all {
			w.want(ch, nil)
		}
		w.wantAsked("g: t/0@1.1 start=10 done=0", "g: t/0@1.1 start=14 done=2 15-16:2*1 17-17:0*1 18-18:0*1", "g: t/0@2.1 start=5 done=0")
	})
}

// Who has no more time leaves, and the others go on: one that waits for its turn, and one
// that sends for others.
func TestWritersGiveUp(t *testing.T) {
	onWire(t, func(w *wire) {
		release := w.holds()
		short, cancel := context.WithTimeout(w.Context(), time.Second)
		defer cancel()
		same := []chan error{w.write(w.Context(), tp(0), 1, 1, 1), w.write(short, tp(0), 1, 1, 2), w.write(w.Context(), tp(0), 1, 1, 3)}
		lane := []chan error{w.write(short, tp(1), 1, 1, 4), w.write(w.Context(), tp(2), 1, 1, 5)}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		w.want(same[1], context.DeadlineExceeded)
		w.want(lane[0], context.DeadlineExceeded)
		release()
		w.want(same[0], nil)
		time.Sleep(time.Second)
		synctest.Wait()
		w.want(same[2], nil)
		w.want(lane[1], nil)
	})
	onWire(t, func(w *wire) {
		release := w.holds()
		short, cancel := context.WithTimeout(w.Context(), time.Second)
		defer cancel()
		first := w.write(short, tp(0), 1, 1, 1)
		others := []chan error{w.write(w.Context(), tp(0), 1, 1, 2), w.write(w.Context(), tp(1), 1, 1, 3)}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		w.want(first, kerr.CoordinatorNotAvailable) // it was sent, nobody knows what came of it
		release()
		for _, ch := range others {
			w.want(ch, nil)
		}
	})
}

// Errors that no other attempt can help come at once, in the coordinator's words.
func TestFinalErrors(t *testing.T) {
	for _, final := range []*kerr.Error{kerr.FencedStateEpoch, kerr.FencedLeaderEpoch, kerr.InvalidRequest, kerr.UnknownTopicOrPartition} {
		onWire(t, func(w *wire) {
			w.refuse = final.Code
			ch := w.write(w.Context(), tp(0), 1, 1, 1)
			select {
			case err := <-ch:
				if !errors.Is(err, final) || err.Error() != "because" {
					t.Errorf("the write gives %v", err)
				}
			default:
				t.Errorf("%v is not final", final)
			}
		})
	}
}

// While there is no coordinator, or it loads, the question is asked again until patience
// ends.
func TestPatience(t *testing.T) {
	onWire(t, func(w *wire) {
		w.nobody = true
		ch := w.write(w.Context(), tp(0), 1, 1, 1)
		time.Sleep(time.Second)
		synctest.Wait()
		w.mu.Lock()
		w.nobody, w.refuse = false, kerr.CoordinatorLoadInProgress.Code
		w.mu.Unlock()
		time.Sleep(2 * time.Second)
		synctest.Wait()
		w.mu.Lock()
		w.refuse = 0
		w.mu.Unlock()
		time.Sleep(2 * time.Second)
		synctest.Wait()
		w.want(ch, nil)

		w.nobody = true
		ch = w.write(w.Context(), tp(0), 1, 1, 1)
		time.Sleep(31 * time.Second)
		synctest.Wait()
		w.want(ch, kerr.CoordinatorNotAvailable)
	})
}

// A request does not name a share partition twice, nor more of them than fit.
func TestBoard(t *testing.T) {
	c := NewClient(ClientConfig{})
	at := lane{9, kmsg.ReadShareGroupState, "g"}
	q := &queue{busy: true}
	c.lanes[at] = q
	add := func(n int, first int32) {
		l := &load{turn: make(chan bool, 1)}
		for i := range int32(n) {
			l.questions = append(l.questions, &question{key: tp(first + i)})
		}
		q.waiting = append(q.waiting, l)
	}
	add(3, 0)
	add(2, 3)
	add(1, 2) // again
	add(maxTogether+5, 10)
	add(1, 0)
	var sizes []int
	for len(q.waiting) > 0 {
		sizes = append(sizes, len(c.board(at)))
	}
	if want := []int{2, 1, 1, 1}; !slices.Equal(sizes, want) {
		t.Errorf("loads go as %v, want %v", sizes, want)
	}
}

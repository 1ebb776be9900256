package cli

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"sync"

	"github.com/twmb/franz-go/pkg/kgo"
)

// order is one record of the demo: the Seq-th order of a customer.
type order struct {
	ID       int    `json:"order"`
	Customer string `json:"customer"`
	Seq      int    `json:"seq"`
	Item     string `json:"item"`
	Cents    int64  `json:"cents"`
}

// makeOrders makes the same orders every time.
func makeOrders(n, customers int) []order {
	items := []string{"star-shaped spool", "cord", "knotted thread", "crossbar", "rod", "stairwell lamp", "hall carpet", "banister"}
	rng := rand.New(rand.NewPCG(1919, 1))
	seqs := make([]int, customers)
	list := make([]order, n)
	for i := range list {
		c := rng.IntN(customers)
		seqs[c]++
		list[i] = order{ID: i, Customer: fmt.Sprintf("customer-%03d", c), Seq: seqs[c],
			Item: items[rng.IntN(len(items))], Cents: 100 + rng.Int64N(9900)}
	}
	return list
}

func (o order) record(topic string) *kgo.Record {
	value, err := json.Marshal(o)
	if err != nil {
		panic("bug: an order is not JSON: " + err.Error())
	}
	return &kgo.Record{Topic: topic, Key: []byte(o.Customer), Value: value}
}

// ledger counts what became of the orders. Safe for concurrent use.
type ledger struct {
	mu         sync.Mutex // guards all below
	acked      map[int]int64
	read       map[int]place
	lastSeq    map[string]int
	byMember   map[string]int
	again      int // deliveries of a place that had been read: after a rebalance, as always
	duplicated int // orders that the log has twice
	disordered int
	ackedCents int64
	readCents  int64
	reached    chan struct{} // closed when as many as wanted were read
	wanted     int
	half       chan struct{} // closed when as many as halfAt were acknowledged
	halfAt     int
}

// place is where the log has an order.
type place struct {
	partition int32
	offset    int64
}

func newLedger(wanted, halfAt int) *ledger {
	return &ledger{
		acked: make(map[int]int64), read: make(map[int]place), lastSeq: make(map[string]int), byMember: make(map[string]int),
		reached: make(chan struct{}), wanted: wanted, half: make(chan struct{}), halfAt: halfAt,
	}
}

func (l *ledger) ack(o order) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.acked[o.ID] = o.Cents
	l.ackedCents += o.Cents
	if len(l.acked) == l.halfAt {
		close(l.half)
	}
}

func (l *ledger) acknowledged() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.acked)
}

// deliver takes a record that a member read.
func (l *ledger) deliver(member string, r *kgo.Record) error {
	var o order
	if err := json.Unmarshal(r.Value, &o); err != nil || o.Customer != string(r.Key) {
		return fmt.Errorf("record %s-%d@%d is not an order of %q: %q", r.Topic, r.Partition, r.Offset, r.Key, r.Value)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	at := place{r.Partition, r.Offset}
	if was, ok := l.read[o.ID]; ok {
		if was == at {
			l.again++
		} else {
			l.duplicated++
		}
		return nil
	}
	l.read[o.ID] = at
	l.byMember[member]++
	l.readCents += o.Cents
	if o.Seq != l.lastSeq[o.Customer]+1 {
		l.disordered++
	}
	l.lastSeq[o.Customer] = o.Seq
	if len(l.read) == l.wanted {
		close(l.reached)
	}
	return nil
}

// lost are the acknowledged orders that nobody read.
func (l *ledger) lost() (n int) {
	for id := range l.acked {
		if _, ok := l.read[id]; !ok {
			n++
		}
	}
	return n
}

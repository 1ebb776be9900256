package broker

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/odradek/odradek/internal/base/bubble"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Power cuts tear no transaction: its record and its offset are there together or not at
// all, those that were acknowledged are there, those that were aborted are not, wherever the
// cut comes and however much the disk forgets.
func TestPowerCutInTransactions(t *testing.T) {
	seeds := 8
	if testing.Short() {
		seeds = 3
	}
	for seed := range uint64(seeds) {
		t.Run(fmt.Sprint("seed=", seed), func(t *testing.T) {
			bubble.Test(t, func(t *testing.T) { cutTransactions(t, seed) })
		})
	}
}

// fates are how transactions ended, as far as their producer knows. The k-th writes k to
// topic a and commits offset k+1 of group g.
type fates struct {
	committed, aborted []int
	next               int
}

func cutTransactions(t *testing.T, seed uint64) {
	n := newNode(t)
	n.rng = rand.New(rand.NewPCG(seed, 3))
	n.start()
	n.create("a", 1)
	var f fates
	for range 4 {
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { defer close(done); n.transact(ctx, &f) }()
		time.Sleep(time.Duration(200_000+n.rng.IntN(400_000)) * time.Microsecond)
		n.cut()
		cancel()
		n.start()
		<-done // what the client has sent it may have to end with
		n.checkTransactions(&f)
	}
	if len(f.committed) < 10 || len(f.aborted) < 3 {
		t.Errorf("a dull life: %d committed, %d aborted", len(f.committed), len(f.aborted))
	}
	n.end()
}

// transact runs transactions until something goes wrong.
func (n *node) transact(ctx context.Context, f *fates) {
	c := n.client(kgo.TransactionalID("x"), kgo.DefaultProduceTopic("a"), kgo.RecordDeliveryTimeout(5*time.Second), kgo.Dialer(n.dialSlowly))
	defer c.Close()
	for ctx.Err() == nil {
		k := f.next
		f.next++
		if c.BeginTransaction() != nil {
			return
		}
		if c.ProduceSync(ctx, kgo.StringRecord(strconv.Itoa(k))).FirstErr() != nil {
			return
		}
		if commitInTxn(ctx, c, int64(k+1)) != nil {
			return
		}
		commit := k%4 != 3
		if c.EndTransaction(ctx, kgo.TransactionEndTry(commit)) != nil {
			return
		}
		if commit {
			f.committed = append(f.committed, k)
		} else {
			f.aborted = append(f.aborted, k)
		}
	}
}

// dialSlowly makes a line on which each request takes its time, so that a cut may come between
// any two.
func (n *node) dialSlowly(ctx context.Context, network, address string) (net.Conn, error) {
	time.Sleep(time.Millisecond) // one who tries again without a pause would stop the time
	c, err := n.net.Dial(ctx, network, address)
	if err != nil {
		return nil, err
	}
	return slow{c}, nil
}

type slow struct{ net.Conn }

func (s slow) Write(b []byte) (int, error) {
	time.Sleep(time.Millisecond + time.Duration(len(b))*time.Microsecond)
	return s.Conn.Write(b)
}

// commitInTxn commits the offset of group g in the client's transaction.
func commitInTxn(ctx context.Context, c *kgo.Client, at int64) error {
	pid, epoch, err := c.ProducerID(ctx)
	if err != nil {
		return err
	}
	req := kmsg.NewPtrTxnOffsetCommitRequest()
	req.TransactionalID, req.Group, req.ProducerID, req.ProducerEpoch = "x", "g", pid, epoch
	p := kmsg.NewTxnOffsetCommitRequestTopicPartition()
	p.Offset = at
	req.Topics = []kmsg.TxnOffsetCommitRequestTopic{{Topic: "a", Partitions: []kmsg.TxnOffsetCommitRequestTopicPartition{p}}}
	for {
		resp, err := req.RequestWith(ctx, c)
		if err == nil {
			err = kerr.ErrorForCode(resp.Topics[0].Partitions[0].ErrorCode)
		}
		if err == nil || !kerr.IsRetriable(err) || ctx.Err() != nil {
			return err
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// checkTransactions lets a new producer end what the old one left, and reads what is there.
func (n *node) checkTransactions(f *fates) {
	n.t.Helper()
	ctx, cancel := context.WithTimeout(n.t.Context(), time.Minute)
	defer cancel()
	next := n.client(kgo.TransactionalID("x"))
	defer next.Close()
	if _, _, err := next.ProducerID(ctx); err != nil {
		n.t.Fatalf("a new producer: %v", err)
	}
	at := n.stableOffset(ctx)
	c := n.client(kgo.ConsumeTopics("a"), kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	defer c.Close()
	var there []int
	for at > 0 && (len(there) == 0 || int64(there[len(there)-1]) < at-1) {
		fetches := c.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			n.t.Fatalf("the offset is %d, but read %v: %v", at, there, err)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			k, _ := strconv.Atoi(string(r.Value))
			there = append(there, k)
		})
	}
	ends, err := kadm.NewClient(c).ListCommittedOffsets(ctx, "a")
	if err != nil {
		n.t.Fatal(err)
	}
	if end, _ := ends.Lookup("a", 0); end.Offset > 0 && at <= 0 && len(f.committed) > 0 {
		n.t.Errorf("there are records below %d, and no offset", end.Offset)
	}
	if len(there) > 0 && int64(there[len(there)-1]) != at-1 {
		n.t.Errorf("a torn transaction: the last record is %d, the offset %d", there[len(there)-1], at)
	}
	if !slices.IsSorted(there) || len(slices.Compact(slices.Clone(there))) != len(there) {
		n.t.Errorf("out of order, or twice: %v", there)
	}
	for _, k := range f.committed {
		if !slices.Contains(there, k) {
			n.t.Errorf("transaction %d was acknowledged and is lost; there are %v, offset %d", k, there, at)
		}
	}
	for _, k := range f.aborted {
		if slices.Contains(there, k) {
			n.t.Errorf("transaction %d was aborted and is read", k)
		}
	}
}

// stableOffset is the group's offset once no transaction may change it.
func (n *node) stableOffset(ctx context.Context) int64 {
	n.t.Helper()
	c := n.client()
	defer c.Close()
	req := kmsg.NewPtrOffsetFetchRequest()
	req.RequireStable = true
	g := kmsg.NewOffsetFetchRequestGroup()
	g.Group = "g"
	id, err := kadm.NewClient(c).ListTopics(ctx, "a")
	if err != nil {
		n.t.Fatal(err)
	}
	g.Topics = []kmsg.OffsetFetchRequestGroupTopic{{Topic: "a", TopicID: id["a"].ID, Partitions: []int32{0}}}
	req.Groups = append(req.Groups, g)
	for {
		resp, err := req.RequestWith(ctx, c)
		if err == nil && len(resp.Groups) == 1 && resp.Groups[0].ErrorCode == 0 {
			if p := resp.Groups[0].Topics[0].Partitions[0]; p.ErrorCode == 0 {
				return p.Offset
			}
		}
		if ctx.Err() != nil {
			n.t.Fatalf("no stable offset: %v, %+v", err, resp)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

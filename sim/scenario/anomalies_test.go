package scenario

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/odradek/odradek/internal/proto/model"
	"github.com/odradek/odradek/sim/world"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// What was found wrong in systems of this kind, most of it by Jepsen, is a test here, named
// after where it was found. docs/ANOMALIES.md has the list with the causes.

// coordinatorOf is the node that coordinates a transactional id.
func (r *stage) coordinatorOf(id string) *world.Node {
	r.t.Helper()
	return r.leaderOf(model.TransactionStateTopic, r.anyone().Broker().TxnPartition(id))
}

// KAFKA-17754: a request of one transaction that comes late, when the next is under way,
// ended that one or wrote into it.
func TestKafkaTornTransaction(t *testing.T) {
	play(t, func(r *stage, adm *kadm.Client) {
		s := r.session("torn", orders, true)
		r.at(s.put(0, "first"))
		late := s.zombie()
		r.must(s.end(true))
		r.at(s.put(0, "second"))
		r.refused(late.end(true), kerr.InvalidProducerEpoch, kerr.ProducerFenced)
		_, err := late.put(0, "late")
		r.refused(err, kerr.InvalidProducerEpoch)
		_, err = late.put(1, "late elsewhere")
		r.refused(err, kerr.InvalidProducerEpoch, kerr.TransactionAbortable, kerr.InvalidTxnState, kerr.ProducerFenced)
		r.wantSeen(orders, 0, kgo.ReadCommitted(), "first")
		r.must(s.end(false))
		r.nothingOpen(adm, orders, 0)
		r.wantSeen(orders, 0, kgo.ReadCommitted(), "first")
		r.wantSeen(orders, 0, kgo.ReadUncommitted(), "first", "second")
		r.wantSeen(orders, 1, kgo.ReadUncommitted())
	})
}

// at fails the test if a batch was not written.
func (r *stage) at(base int64, err error) int64 {
	r.t.Helper()
	if err != nil {
		r.t.Fatalf("the batch was not written: %v", err)
	}
	return base
}

// KIP-890: a write that comes after the end of its transaction opens one that nobody ends,
// and readers hang.
func TestKafkaHangingTransaction(t *testing.T) {
	play(t, func(r *stage, adm *kadm.Client) {
		for _, v2 := range []bool{false, true} {
			s := r.session(map[bool]string{false: "v1", true: "v2"}[v2], orders, v2)
			if !v2 {
				r.must(s.add(0))
			}
			r.at(s.put(0, "in time"))
			late := s.zombie()
			r.must(s.end(false))
			r.nothingOpen(adm, orders, 0)
			_, err := late.put(0, "late")
			r.refused(err, kerr.InvalidProducerEpoch, kerr.InvalidTxnState, kerr.TransactionAbortable)
			r.nothingOpen(adm, orders, 0)
		}
		r.wantSeen(orders, 0, kgo.ReadCommitted())
	})
}

// KIP-890: a producer of version 1 that forgets to add a partition, or whose request to add
// it was lost, may not write there.
func TestKafkaUnverifiedWrite(t *testing.T) {
	play(t, func(r *stage, adm *kadm.Client) {
		s := r.session("careless", orders, false)
		r.must(s.add(0))
		r.at(s.put(0, "added"))
		_, err := s.put(1, "not added")
		r.refused(err, kerr.InvalidTxnState, kerr.TransactionAbortable)
		r.must(s.end(true))
		r.nothingOpen(adm, orders, 1)
		r.wantSeen(orders, 0, kgo.ReadCommitted(), "added")
		r.wantSeen(orders, 1, kgo.ReadUncommitted())
	})
}

// A producer that was thought dead goes on when another has taken its id.
func TestKafkaZombieProducer(t *testing.T) {
	play(t, func(r *stage, adm *kadm.Client) {
		zombie := r.session("twice", orders, true)
		r.at(zombie.put(0, "of the zombie"))
		s := r.session("twice", orders, true)
		r.nothingOpen(adm, orders, 0)
		_, err := zombie.put(0, "more of it")
		r.refused(err, kerr.InvalidProducerEpoch)
		r.refused(zombie.end(true), kerr.InvalidProducerEpoch, kerr.ProducerFenced)
		r.at(s.put(0, "of its heir"))
		r.must(s.end(true))
		r.wantSeen(orders, 0, kgo.ReadCommitted(), "of its heir")
	})
}

// Redpanda 21.10, aborted read: the last stable offset passed the first undecided record.
func TestRedpandaAbortedRead(t *testing.T) {
	play(t, func(r *stage, adm *kadm.Client) {
		a, b, c := r.session("a", orders, true), r.session("b", orders, true), r.session("c", orders, true)
		r.at(a.put(0, "a1"))
		r.at(b.put(0, "b1"))
		r.at(c.put(0, "c1"))
		r.must(c.end(true))
		r.wantSeen(orders, 0, kgo.ReadCommitted())
		r.must(a.end(true))
		r.eventually("the first transaction is decided", func() bool {
			return slices.Equal(r.seen(orders, 0, kgo.ReadCommitted()), []string{"a1"})
		})
		r.must(b.end(false))
		r.nothingOpen(adm, orders, 0)
		r.wantSeen(orders, 0, kgo.ReadCommitted(), "a1", "c1")
	})
}

// Redpanda 21.10: a commit that had been done was answered INVALID_TXN_STATE when it was
// asked for again after the coordinator's death.
func TestRedpandaCommitAskedTwice(t *testing.T) {
	play(t, func(r *stage, adm *kadm.Client) {
		s := r.session("again", orders, true)
		for _, commit := range []bool{true, false} {
			r.at(s.put(0, map[bool]string{true: "kept", false: "dropped"}[commit]))
			again, other := s.zombie(), s.zombie()
			r.must(s.end(commit))
			r.nothingOpen(adm, orders, 0)
			r.coordinatorOf("again").Kill()
			r.must(again.end(commit))
			id, epoch := again.Producer()
			if was, before := s.Producer(); id != was || epoch != before {
				r.t.Fatalf("asked again the answer is producer %d in epoch %d, before it was %d in %d", id, epoch, was, before)
			}
			r.refused(other.end(!commit), kerr.InvalidTxnState, kerr.InvalidProducerEpoch, kerr.ProducerFenced)
			r.Up()
		}
		r.wantSeen(orders, 0, kgo.ReadCommitted(), "kept")
	})
}

// Redpanda 21.10: writes of a transaction were lost when a leader or the coordinator
// changed in the middle.
func TestRedpandaLeaderChangesInTransaction(t *testing.T) {
	play(t, func(r *stage, adm *kadm.Client) {
		s := r.session("moved", orders, true)
		r.at(s.put(0, "one"))
		r.leaderOf(orders, 0).Kill()
		r.at(s.put(0, "two"))
		r.Up()
		r.coordinatorOf("moved").Kill()
		r.at(s.put(0, "three"))
		r.at(s.put(1, "four"))
		r.Up()
		r.must(s.end(true))
		r.nothingOpen(adm, orders, 0)
		r.nothingOpen(adm, orders, 1)
		r.wantSeen(orders, 0, kgo.ReadCommitted(), "one", "two", "three")
		r.wantSeen(orders, 1, kgo.ReadCommitted(), "four")
	})
}

// The end of a transaction is told when it is prepared: whatever dies then, it is carried
// out, everywhere.
func TestPreparedIsCarriedOut(t *testing.T) {
	play(t, func(r *stage, adm *kadm.Client) {
		s := r.session("prepared", orders, true)
		r.at(s.put(0, "here"))
		r.at(s.put(1, "there"))
		r.must(s.commitOffset("g", 0, 7))
		r.must(s.end(true))
		for _, m := range r.Nodes() { // all at once
			m.Kill()
		}
		r.Up()
		r.nothingOpen(adm, orders, 0)
		r.nothingOpen(adm, orders, 1)
		r.wantSeen(orders, 0, kgo.ReadCommitted(), "here")
		r.wantSeen(orders, 1, kgo.ReadCommitted(), "there")
		if got, err := s.offsetOf("g", 0, true); got != 7 || err != nil {
			r.t.Fatalf("the group's offset is %d, %v; want 7", got, err)
		}
	})
}

// Redpanda 23: a commit was under way that the next owner of the partition did not see, and
// consumed the same again.
func TestRedpandaStaleOffset(t *testing.T) {
	play(t, func(r *stage, _ *kadm.Client) {
		s := r.session("pipeline", orders, true)
		r.must(s.commitOffset("g", 0, 5))
		r.must(s.end(true))
		r.eventually("the offset is stable", func() bool { got, err := s.offsetOf("g", 0, true); return err == nil && got == 5 })
		r.must(s.commitOffset("g", 0, 9))
		check := func() {
			r.t.Helper()
			if _, err := s.offsetOf("g", 0, true); !errors.Is(err, kerr.UnstableOffsetCommit) {
				r.t.Fatalf("who wants what is stable is told %v", err)
			}
			if got, err := s.offsetOf("g", 0, false); got != 5 || err != nil {
				r.t.Fatalf("the offset is %d, %v before the commit; want 5", got, err)
			}
		}
		check()
		r.groupCoordinatorOf("g").Kill()
		check()
		r.Up()
		r.must(s.end(true))
		r.eventually("the offset is stable", func() bool { got, err := s.offsetOf("g", 0, true); return err == nil && got == 9 })
		late := s.zombie()
		r.must(s.commitOffset("g", 0, 11))
		r.must(s.end(false))
		r.eventually("the offset is as it was", func() bool { got, err := s.offsetOf("g", 0, true); return err == nil && got == 9 })
		r.refused(late.commitOffset("g", 0, 13), kerr.InvalidProducerEpoch, kerr.ProducerFenced, kerr.InvalidTxnState, kerr.TransactionAbortable)
	})
}

func (r *stage) groupCoordinatorOf(group string) *world.Node {
	r.t.Helper()
	return r.leaderOf(model.ConsumerOffsetsTopic, r.anyone().Broker().GroupPartition(group))
}

// Redpanda (#4900): the deletion of a group was only in memory, and it came back.
func TestRedpandaDeletedGroupComesBack(t *testing.T) {
	play(t, func(r *stage, adm *kadm.Client) {
		s := r.session("committer", orders, true)
		r.must(s.commitOffset("gone", 0, 5))
		r.must(s.end(true))
		r.eventually("the offset is stable", func() bool { got, err := s.offsetOf("gone", 0, true); return err == nil && got == 5 })
		if _, err := adm.DeleteGroup(r.t.Context(), "gone"); err != nil {
			r.t.Fatal(err)
		}
		for _, m := range r.Nodes() {
			m.Kill()
		}
		r.Up()
		if got, err := s.offsetOf("gone", 0, true); got != -1 || err != nil {
			r.t.Fatalf("after its deletion the group's offset is %d, %v", got, err)
		}
	})
}

// Redpanda 21.10 (#3039): a batch that was sent again after its leader's death was written
// twice.
func TestRedpandaDuplicates(t *testing.T) {
	play(t, func(r *stage, _ *kadm.Client) {
		s := r.session("", orders, true)
		for n, v := range []string{"one", "two", "three"} {
			again := s.zombie()
			base := r.at(s.put(0, v))
			r.leaderOf(orders, 0).Kill()
			if got := r.at(again.put(0, v)); got != base || base != int64(n) {
				r.t.Fatalf("%s is at %d, and sent again at %d; want %d", v, base, got, n)
			}
			r.Up()
			r.eventually("all replicas in sync", func() bool { return r.InSync(orders) })
		}
		r.wantSeen(orders, 0, kgo.ReadUncommitted(), "one", "two", "three")
	})
}

// Bufstream 0.1: where something went wrong answers had offset 0, from which consumers went
// on.
func TestBufstreamZeroOffsets(t *testing.T) {
	play(t, func(r *stage, adm *kadm.Client) {
		s := r.session("x", orders, true)
		list := kmsg.NewPtrListOffsetsRequest()
		list.ReplicaID, list.IsolationLevel = -1, 1
		list.Topics = []kmsg.ListOffsetsRequestTopic{{Topic: orders, Partitions: []kmsg.ListOffsetsRequestTopicPartition{
			{Partition: 99, Timestamp: -1, CurrentLeaderEpoch: -1}, {Partition: 0, Timestamp: -1, CurrentLeaderEpoch: 77}}}}
		c := r.Client()
		defer c.Close()
		b := c.Broker(int(r.leaderOf(orders, 0).ID))
		resp, err := list.RequestWith(r.t.Context(), b)
		r.must(err)
		for _, p := range resp.Topics[0].Partitions {
			if p.ErrorCode == 0 || p.Offset != -1 || p.Timestamp != -1 {
				r.t.Errorf("partition %d: error %d, offset %d, timestamp %d; want an error and -1", p.Partition, p.ErrorCode, p.Offset, p.Timestamp)
			}
		}
		zombie := s.zombie()
		r.must(s.init())
		if base, err := zombie.put(0, "late"); err == nil || base != -1 {
			r.t.Errorf("a write that was refused has base offset %d, %v", base, err)
		}
		if got, err := s.offsetOf("nobody", 0, true); got != -1 || err != nil {
			r.t.Errorf("a group that there is not has offset %d, %v; want -1", got, err)
		}
	})
}

// A transaction whose producer is gone is aborted when its time is over, and its readers go
// on.
func TestAbandonedTransactionEnds(t *testing.T) {
	play(t, func(r *stage, adm *kadm.Client) {
		s := r.session("abandoned", orders, true)
		r.at(s.put(0, "never decided"))
		time.Sleep(90 * time.Second)
		r.nothingOpen(adm, orders, 0)
		r.wantSeen(orders, 0, kgo.ReadCommitted())
		_, err := s.put(0, "too late")
		r.refused(err, kerr.InvalidProducerEpoch)
		r.refused(s.end(true), kerr.InvalidTxnState) // it was aborted
	})
}

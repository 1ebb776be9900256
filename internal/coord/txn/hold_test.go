package txn

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// A client that goes on at once waits for the markers of its last transaction, and begins
// in the append that completes it.
func TestHold(t *testing.T) {
	withService(t, Settings{}, func(h *house) {
		h.play(`
			init p -> 1000/0
			add p as=1000/0 t/0 t/1 -> ok
			broker 1 slow 10ms
			commit p as=1000/0 -> 1000/1
			add p as=1000/1 t/2 -> waits
			after 9ms
			p <- waits
		`)
		before := h.log.Appends()
		h.play(`
			after 1ms
			p <- ok
			describe p -> Ongoing 1000/1 open=t/2
			commit p as=1000/1 -> 1000/2
			after 10ms
			describe p -> CompleteCommit 1000/2
			add p as=1000/1 t/2 -> PRODUCER_FENCED
		`)
		if n := h.log.Appends() - before; n != 3 {
			t.Errorf("%d appends, want 3: complete and begin, prepare, complete", n)
		}
	})
}

// A transaction that began with the end of the one before has all of its time.
func TestHoldBeginsNow(t *testing.T) {
	play(t, Settings{}, `
		init p timeout=30000 -> 1000/0
		add p as=1000/0 t/0 -> ok
		broker 1 slow 10ms
		commit p as=1000/0 -> 1000/1
		add p as=1000/1 t/1 -> waits
		after 10ms
		p <- ok
		after 29s
		describe p -> Ongoing 1000/1 open=t/1
		after 12s
		describe p -> CompleteAbort 1000/2
	`)
}

// Clients that keep their epoch wait too, and offsets as partitions do; who asks for other
// partitions meanwhile begins with them.
func TestHoldOfOldClients(t *testing.T) {
	play(t, Settings{}, `
		init p -> 1000/0
		add p v=3 as=1000/0 t/0 -> ok
		broker 1 slow 10ms
		commit p v=4 as=1000/0 -> ok
		add p v=3 as=1000/0 t/1 -> waits
		offsets p v=3 as=1000/0 -> waits
		after 10ms
		p <- ok
		describe p -> Ongoing 1000/0 open=__consumer_offsets/7,t/1
		abort p v=4 as=1000/0 -> ok
		after 10ms
		markers -> 1: commit 1000/0 t/0 v0; 2: abort 1000/0 __consumer_offsets/7 v0; 2: abort 1000/0 t/1 v0
	`)
}

// Under the producer id that was promised.
func TestHoldOfNextProducer(t *testing.T) {
	play(t, Settings{}, `
		record p Ongoing as=1000/32766 open=t/0
		next 2000
		log reload
		broker 1 slow 10ms
		commit p as=1000/32766 -> 2000/0
		add p as=1000/32767 t/1 -> CONCURRENT_TRANSACTIONS
		add p as=1000/32766 t/1 -> CONCURRENT_TRANSACTIONS
		add p as=2000/0 t/1 -> waits
		after 10ms
		p <- ok
		describe p -> Ongoing 2000/0 open=t/1
	`)
}

// It is a moment, not more; a transaction that waits for long holds nobody.
func TestHoldEnds(t *testing.T) {
	play(t, Settings{}, `
		init p -> 1000/0
		add p as=1000/0 t/0 -> ok
		broker 1 slow 50ms
		commit p as=1000/0 -> 1000/1
		add p as=1000/0 t/1 -> CONCURRENT_TRANSACTIONS # nobody who will be
		add p as=1000/1 t/1 -> waits
		after 19ms
		p <- waits
		after 1ms
		p <- CONCURRENT_TRANSACTIONS
		after 30ms
		describe p -> CompleteCommit 1000/1 # who left is not waited for
		broker 1 down
		add p as=1000/1 t/0 -> ok
		commit p as=1000/1 -> 1000/2
		after 101ms
		add p as=1000/2 t/1 -> CONCURRENT_TRANSACTIONS
		verify p as=1000/2 t/1 -> CONCURRENT_TRANSACTIONS
	`)
}

// What befalls the coordinator meanwhile befalls who waits.
func TestHoldLost(t *testing.T) {
	for what, want := range map[string]string{"log resigns": "NOT_COORDINATOR", "log breaks": "COORDINATOR_NOT_AVAILABLE", "log full": "COORDINATOR_NOT_AVAILABLE"} {
		t.Run(what, func(t *testing.T) {
			play(t, Settings{}, `
				init p -> 1000/0
				add p as=1000/0 t/0 -> ok
				broker 1 slow 10ms
				commit p as=1000/0 -> 1000/1
				add p as=1000/1 t/1 -> waits
				`+what+`
				after 10ms
				p <- `+want)
		})
	}
}

// Wishes of several transactions that come in one request are answered together: those
// that can be now, those that are held, and those that are not to be.
func TestHoldOfMany(t *testing.T) {
	withService(t, Settings{}, func(h *house) {
		h.play(`
			init p -> 1000/0
			init q -> 1001/0
			init r -> 1002/0
			init s -> 1003/0
			add p as=1000/0 t/0 -> ok
			add q as=1001/0 t/1 -> ok
			broker 1 slow 5ms
			broker 2 slow 50ms
			commit p as=1000/0 -> 1000/1
			commit q as=1001/0 -> 1001/1
		`)
		req := kmsg.NewPtrAddPartitionsToTxnRequest()
		req.Version = 5
		for id, as := range map[string]string{"p": "1000/1", "q": "1001/1", "r": "1002/0", "s": "1003/9", "v": "77/7"} {
			one := addRequest(false, id, []string{"u/0"}, map[string]string{"as": as})
			req.Transactions = append(req.Transactions, one.Transactions...)
		}
		begun := time.Now()
		got := map[string]string{}
		for _, x := range h.service.Load().AddPartitionsToTxn(h.ctx, req).Transactions {
			got[x.TransactionalID] = errorName(x.Topics[0].Partitions[0].ErrorCode)
		}
		synctest.Wait()
		if d := time.Since(begun); d != holdFor {
			t.Errorf("answered after %v", d)
		}
		for id, want := range map[string]string{"p": "ok", "q": "CONCURRENT_TRANSACTIONS", "r": "ok", "s": "PRODUCER_FENCED", "v": "INVALID_PRODUCER_ID_MAPPING"} {
			if got[id] != want {
				t.Errorf("%s: %s, want %s", id, got[id], want)
			}
		}
		h.play(`
			describe p -> Ongoing 1000/1 open=u/0
			describe r -> Ongoing 1002/0 open=u/0
			after 50ms
			describe q -> CompleteCommit 1001/1
		`)
	})
}

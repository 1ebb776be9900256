package delivery

import (
	"testing"
	"time"

	"github.com/odradek/odradek/internal/coord/share"
)

// Records are acquired by whole batches, acknowledged, stored, and done with.
func TestWholeBatches(t *testing.T) {
	script(t, usual, `
		log 0-4 5-9 10-14
		a takes 7 -> 0-9×1
		b takes 1 -> 10-14×1
		b takes 1 -> 
		is -> 0|15: 0-9 a×1, 10-14 b×1
		a acks 0-9 accept -> ok
		is -> 0|15: 0-9 a>acked×1, 10-14 b×1
		store -> 0+10: 0-9 acked×1
		is -> 10|15: 10-14 b×1
		b acks 10-14 accept -> ok
		store -> 10+5: 10-14 acked×1
		is -> 15|15:
	`)
}

// A batch that is acquired for the first time is cut at record batches, when it is large
// enough.
func TestBatchSize(t *testing.T) {
	script(t, usual, `
		log 0-4 5-9 10-14 15-19
		a takes 100 by 5 -> 0-4×1 5-9×1 10-14×1 15-19×1
	`)
	script(t, usual, `
		log 0-4 5-9 10-14 15-19
		a takes 100 by 8 -> 0-9×1 10-19×1
	`)
}

// In record-limit mode the limit binds within a batch, and the rest of it is free (KIP-1206).
func TestRecordLimit(t *testing.T) {
	script(t, usual, `
		log 0-9 10-19
		a takes 4 exactly -> 0-3×1
		is -> 0|10: 0-3 a×1, 4-9 free×0
		b takes 4 exactly -> 4-7×1
		a takes 9 exactly -> 8-9×1 10-16×1
		c takes 100 -> 17-19×1
		a acks 0-3 release -> ok
		store
		b takes 3 exactly -> 0-2×2
		b takes 3 exactly -> 3×2
	`)
}

// Every type of acknowledgement, by offset and for all.
func TestAcknowledgementTypes(t *testing.T) {
	script(t, usual, `
		log 0-9
		a takes 10 -> 0-9×1
		a acks 0-4 accept,release,reject,gap,accept -> ok
		is -> 0|10: 0 a>acked×1, 1 a>free×1, 2-3 a>archived×1, 4 a>acked×1, 5-9 a×1
		a takes 10 ->               # until it is stored, what is given back is nobody's
		store -> 0+4: 0 acked×1 1 free×1 2-3 archived×1 4 acked×1
		is -> 1|10: 1 free×1, 2-3 archived×1, 4 acked×1, 5-9 a×1
		b takes 10 -> 1×2
		b acks 1 accept -> ok
		a acks 5-9 accept -> ok
		store -> 1+9: 1 acked×2 5-9 acked×1
		is -> 10|10:
	`)
}

// Renewing a lock begins it anew, for some of its records (KIP-1222).
func TestRenew(t *testing.T) {
	script(t, usual, `
		log 0-9
		a takes 10 -> 0-9×1
		after 20s
		a acks 0-4 renew -> ok
		prepare -> nothing
		after 10s
		is -> 0|10: 0-4 a×1, 5-9 free!×1
		after 19s
		is -> 0|10: 0-4 a×1, 5-9 free!×1
		after 1s
		is -> 0|10: 0-9 free!×1
	`)
}

// Nobody acknowledges what he does not have, and a request that is refused in part has
// done nothing.
func TestRefusedAcknowledgements(t *testing.T) {
	script(t, usual, `
		log 0-4 5-9 10-14
		a takes 5 -> 0-4×1
		b takes 5 -> 5-9×1
		a acks 0-9 accept -> INVALID_RECORD_STATE
		a acks 0-4 accept 5-9 accept -> INVALID_RECORD_STATE
		is -> 0|10: 0-4 a×1, 5-9 b×1
		a acks 3-2 accept -> unchecked INVALID_REQUEST
		a acks 0-3 accept,accept -> unchecked INVALID_REQUEST
		a acks 3-4 accept 0-1 accept -> unchecked INVALID_REQUEST
		a acks 0-2 accept 2-4 accept -> INVALID_RECORD_STATE
		b acks 5-10 accept -> INVALID_REQUEST       # past what was acquired
		b acks 20-30 accept -> INVALID_REQUEST
		a acks 0-4 accept -> ok
		a acks 0-4 accept -> INVALID_RECORD_STATE   # under way
		store
		a acks 0-4 accept -> ok                     # below the start: nothing
		b acks 3-9 release -> ok
		store
		b acks 5-9 accept -> INVALID_RECORD_STATE
	`)
}

// A lock that ends frees what it held at once; the count of deliveries is stored with the
// next write. A lock that ends under way of an acknowledgement ends only if that fails.
func TestLocksEnd(t *testing.T) {
	script(t, usual, `
		log 0-4 5-9
		a takes 5 -> 0-4×1
		after 10s
		b takes 5 -> 5-9×1
		after 20s
		is -> 0|10: 0-4 free!×1, 5-9 b×1
		a acks 0-4 accept -> INVALID_RECORD_STATE
		b takes 5 -> 0-4×2
		b acks 5-9 accept -> ok
		prepare -> 0+5: 5-9 acked×1
		after 10s
		is -> 0|10: 0-4 b×2, 5-9 b>acked×1
		fail
		is -> 0|10: 0-4 b×2, 5-9 free!×1
		store -> 0+0: 5-9 free×1
		a takes 5 -> 5-9×2
	`)
}

// A write that fails leaves what was acknowledged with its member; the next tries again
// what nobody waits for.
func TestFailedWrites(t *testing.T) {
	script(t, usual, `
		log 0-9
		a takes 10 -> 0-9×1
		a acks 0-4 accept -> ok
		fail -> 0+5: 0-4 acked×1
		is -> 0|10: 0-9 a×1
		a acks 0-4 accept -> ok
		store -> 0+5: 0-4 acked×1
		after 30s
		fail -> 5+0: 5-9 free×1
		store -> 5+0: 5-9 free×1
		prepare -> nothing
	`)
}

// Acknowledgements that come while a write is under way go with the next, together.
func TestWritesAreGathered(t *testing.T) {
	script(t, usual, `
		log 0-9 10-19
		a takes 10 -> 0-9×1
		b takes 10 -> 10-19×1
		a acks 0 accept -> ok
		prepare -> 0+1: 0 acked×1
		a acks 1-3 accept -> ok
		b acks 10-12 release -> ok
		a acks 4-9 accept -> ok
		store
		is -> 1|20: 1-9 a>acked×1, 10-12 b>free×1, 13-19 b×1
		store -> 1+9: 1-9 acked×1 10-12 free×1
		is -> 10|20: 10-12 free×1, 13-19 b×1
	`)
}

// A session that ends gives back what it has, as if it had released it.
func TestLeaving(t *testing.T) {
	script(t, rules{maxDeliveries: 2, maxInFlight: 100, lock: usual.lock}, `
		log 0-9 10-19
		a takes 10 -> 0-9×1
		b takes 10 -> 10-19×1
		a acks 0-4 accept -> ok
		a leaves
		store -> 0+5: 0-4 acked×1 5-9 free×1
		c takes 5 -> 5-9×2
		c leaves
		store -> 5+5: 5-9 archived×2
		is -> 10|20: 10-19 b×1
	`)
}

// A record that was delivered as often as may be is archived, by whatever way it comes back.
func TestDeliveryLimit(t *testing.T) {
	script(t, rules{maxDeliveries: 2, maxInFlight: 100, lock: usual.lock}, `
		log 0-2
		a takes 3 -> 0-2×1
		a acks 0-2 release -> ok
		store -> 0+0: 0-2 free×1
		a takes 3 -> 0-2×2
		a acks 0 release -> ok
		a acks 1 accept -> ok
		store -> 0+2: 0 archived×2 1 acked×2
		after 30s
		is -> 2|3: 2 archived!×2
		store -> 2+1: 2 archived×2
		is -> 3|3:
	`)
}

// What fails again and again is delivered in ever smaller parts, and for the last time
// alone, so that one bad record does not take others with it.
func TestThrottledDelivery(t *testing.T) {
	script(t, usual, `
		log 0-15 16-19
		a takes 16 -> 0-15×1
		after 30s
		a takes 16 -> 0-15×2
		after 30s
		a takes 16 -> 0-15×3
		after 30s
		a takes 16 -> 0-7×4         # half of it
		b takes 16 -> 8-15×4
		c takes 16 -> 16-19×1
		after 30s
		a takes 100 -> 0×5          # the last time, alone
		b takes 100 -> 1×5
		a acks 0 accept -> ok
		b acks 1 accept -> ok
		store
		a takes 100 -> 2×5
	`)
	// What is fresh is not delivered with what fails.
	script(t, usual, `
		stored 0: 0-3 free×1, 4-7 free×3
		log 0-3 4-7 8-11
		a takes 100 -> 0-3×2
		a takes 100 -> 4-5×4
		a takes 100 -> 6-7×4
		a takes 100 -> 8-11×1
	`)
	// Ten deliveries: the halves.
	script(t, rules{maxDeliveries: 10, maxInFlight: 1000, lock: usual.lock}, `
		stored 0: 0-499 free×5
		log 0-499
		a takes 500 -> 0-249×6
		after 30s
		a takes 500 -> 0-124×7
		after 30s
		a takes 500 -> 0-61×8
		after 30s
		a takes 500 -> 0-30×9
		after 30s
		a takes 500 -> 0×10
	`)
}

// So many offsets may be between the start and the newest that was acquired; what comes
// back is delivered even so.
func TestInFlightLimit(t *testing.T) {
	script(t, rules{maxDeliveries: 5, maxInFlight: 10, lock: usual.lock}, `
		log 0-4 5-9 10-14
		a takes 100 -> 0-9×1
		a takes 100 -> full
		a acks 5-9 accept -> ok
		store
		a takes 100 -> full
		a acks 3 release -> ok
		store
		b takes 100 -> 3×2
		b takes 100 -> full
		a acks 0-2 accept 4 accept -> ok
		store
		b takes 100 -> 10-14×1
		b acks 3 accept -> ok
		store
		is -> 10|15: 10-14 b×1
	`)
}

// What the log has no longer is dropped, whoever has it; who acknowledges it is not
// refused.
func TestLogStarts(t *testing.T) {
	script(t, usual, `
		log 0-4 5-9 10-14
		a takes 5 -> 0-4×1
		a takes 5 -> 5-9×1
		a takes 5 -> 10-14×1
		a acks 2-6 release -> ok
		logstart 7
		is -> 7|15: 7-9 a×1, 10-14 a×1
		store -> nothing
		a acks 5-9 accept -> ok
		a acks 0-4 accept -> ok
		store -> 7+3: 7-9 acked×1
		logstart 3
		logstart 100
		is -> 100|100:
		a acks 10-14 accept -> ok
		log 100-104
		a takes 1 -> 100-104×1
	`)
}

// A new leader goes on from what was stored: what its predecessor had delivered and not
// heard of again is free, with holes in between that it has to read.
func TestStoredState(t *testing.T) {
	script(t, usual, `
		stored 5: 8-9 acked, 12-14 free×2, 20-24 archived
		is -> 5|25: 5-7 gap×0, 8-9 acked×1, 10-11 gap×0, 12-14 free×2, 15-19 gap×0, 20-24 archived×1
		log 0-9 10-19 20-29
		a takes 1 -> 5-7×1
		a takes 4 -> 10-11×1 12-14×3
		a takes 100 -> 15-19×1 25-29×1
		is -> 5|30: 5-7 a×1, 8-9 acked×1, 10-11 a×1, 12-14 a×3, 15-19 a×1, 20-24 archived×1, 25-29 a×1
		a acks 5-7 accept -> ok
		store
		is -> 10|30: 10-11 a×1, 12-14 a×3, 15-19 a×1, 20-24 archived×1, 25-29 a×1
	`)
	script(t, usual, `
		stored 5: 5-9 acked, 10-14 archived
		is -> 15|15:
	`)
	// Only some of a gap is taken, and of its record batches whole ones.
	script(t, usual, `
		stored 0: 20-24 acked
		log 0-3 4-7 8-11 12-30
		a takes 5 -> 0-7×1
		a takes 2 exactly -> 8-9×1
		is -> 0|25: 0-7 a×1, 8-9 a×1, 10-11 free×0, 12-19 gap×0, 20-24 acked×1
		a takes 100 -> 10-11×1 12-19×1 25-30×1
	`)
}

// Of what compaction took there is nothing to deliver: it is passed over.
func TestCompactedAway(t *testing.T) {
	script(t, usual, `
		log 0-4 5-9 10-14
		a takes 5 -> 0-4×1
		a takes 5 -> 5-9×1
		a takes 5 -> 10-14×1
		after 30s
		log 10-14
		a takes 5 -> 10-14×2
		store
		is -> 10|15: 10-14 a×2
	`)
	script(t, usual, `
		stored 0: 10-14 acked
		log 3-5 8-8 10-14
		a takes 100 -> 3-9×1
		is -> 3|15: 3-9 a×1, 10-14 acked×1
	`)
	script(t, usual, `
		log 7-9
		a takes 1 -> 7-9×1
		is -> 7|10: 7-9 a×1
	`)
}

// Control batches, and those of aborted transactions for a group of read_committed, are
// passed over.
func TestHiddenBatches(t *testing.T) {
	script(t, usual, `
		log 0-4 5-9! 10! 11-14
		a takes 100 -> 0-4×1 11-14×1
		is -> 0|15: 0-4 a×1, 5-10 archived×1, 11-14 a×1
		a acks 0-4 accept -> ok
		store -> 0+11: 0-4 acked×1
		is -> 11|15: 11-14 a×1
	`)
	script(t, usual, `
		log 0-4! 5!
		a takes 100 -> 
		is -> 6|6:
	`)
}

// What is rejected, or was delivered too often, waits for the dead letter queue before it
// is archived: first that is stored, then it is written there, then it is done with (KIP-1191).
func TestDeadLetters(t *testing.T) {
	script(t, rules{maxDeliveries: 2, maxInFlight: 100, lock: usual.lock, deadLetters: true}, `
		log 0-9
		a takes 10 -> 0-9×1
		a acks 0-4 reject 5 gap 6 release -> ok
		letters -> 
		store -> 0+1: 0-4 archiving×1 5 archived×1 6 free×1
		letters -> 0-4×1 rejected
		letters -> 
		a takes 1 exactly -> 6×2
		after 30s
		is -> 0|10: 0-4 archiving×1, 5 archived×1, 6 archiving!×2, 7-9 free!×1
		letters -> 
		store -> 0+1: 6 archiving×2 7-9 free×1
		letters -> 6×2 exceeded
		bury 0-4
		is -> 0|10: 0-4 archived!×1, 5 archived×1, 6 archiving×2, 7-9 free×1
		fail -> 0+6: 0-4 archived×1
		letters -> 
		store -> 0+6: 0-4 archived×1
		is -> 6|10: 6 archiving×2, 7-9 free×1
		bury 6
		store
		is -> 7|10: 7-9 free×1
	`)
	// A new leader writes again what its predecessor may not have.
	script(t, rules{maxDeliveries: 2, maxInFlight: 100, lock: usual.lock, deadLetters: true}, `
		stored 3: 3-4 archiving×2, 5 acked
		letters -> 3-4×2 rejected
		bury 3-4
		store
		is -> 6|6:
	`)
}

// A large batch may be acknowledged record by record in one request: others wait meanwhile.
func TestAcknowledgeOneByOne(t *testing.T) {
	s, err := newState(share.PartitionState{})
	if err != nil {
		t.Fatal(err)
	}
	const n = 100_000
	r, now := rules{maxDeliveries: 5, maxInFlight: 2000, lock: time.Minute}, time.Now()
	take := func() {
		s.acquire(Ask{Member: "m", BatchSize: n, MaxRecords: n}, 0, []bounds{{base: 0, last: n - 1}}, r, now)
	}
	acknowledge := func(first, step int64, kind func(int64) int8) {
		t.Helper()
		var acks []Ack
		for o := first; o < n; o += step {
			acks = append(acks, Ack{o, o, []int8{kind(o)}})
		}
		if changed, err := s.acknowledge("m", acks, r, now); err != nil || !changed {
			t.Fatal(changed, err)
		}
		w, _ := s.prepare()
		s.written(w)
	}
	take()
	acknowledge(0, 1, func(o int64) int8 { return Accept + int8(o%2) })
	take()
	acknowledge(1, 2, func(int64) int8 { return Accept })
	if s.start != n {
		t.Errorf("start %d", s.start)
	}
}

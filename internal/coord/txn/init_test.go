package txn

import (
	"strings"
	"testing"
	"time"
)

// Whoever takes an id over fences the one before. Its open transaction is aborted first,
// by an epoch that nobody gets.
func TestTakeOver(t *testing.T) {
	play(t, Settings{}, `
		init p -> 1000/0
		init p -> 1000/1
		add p as=1000/0 t/0 -> PRODUCER_FENCED
		add p v=1 as=1000/0 t/0 -> INVALID_PRODUCER_EPOCH
		offsets p v=1 as=1000/0 -> INVALID_PRODUCER_EPOCH
		offsets p as=1000/0 -> PRODUCER_FENCED
		add p as=1000/1 t/0 -> ok
		broker 1 slow 1s
		init p -> CONCURRENT_TRANSACTIONS
		commit p as=1000/1 -> CONCURRENT_TRANSACTIONS # as after a time-out
		init p -> CONCURRENT_TRANSACTIONS
		after 1s
		markers -> 1: abort 1000/2 t/0
		describe p -> CompleteAbort 1000/2
		init p -> 1000/3
		commit p as=1000/1 -> PRODUCER_FENCED
		add p as=1000/1 t/0 -> PRODUCER_FENCED
	`)
}

// The same where ends do not bump.
func TestTakeOverBeforeVersion2(t *testing.T) {
	play(t, Settings{}, `
		level 1
		init p -> 1000/0
		add p v=3 as=1000/0 t/0 -> ok
		init p -> CONCURRENT_TRANSACTIONS
		markers -> 1: abort 1000/1 t/0 v0
		commit p v=4 as=1000/0 -> PRODUCER_FENCED
		init p -> 1000/2
	`)
}

func TestInitRefusals(t *testing.T) {
	play(t, Settings{}, `
		init p id=none -> INVALID_REQUEST
		init p timeout=0 -> INVALID_TRANSACTION_TIMEOUT
		init p timeout=-1 -> INVALID_TRANSACTION_TIMEOUT
		init p timeout=900001 -> INVALID_TRANSACTION_TIMEOUT
		init p timeout=900000 as=5/-1 -> INVALID_REQUEST
		init p as=-1/5 -> INVALID_REQUEST
		init p timeout=900000 -> 1000/0
		init p v=2 as=-1/5 -> 1000/1 # fields that version 2 does not have
		ids none
		init q -> COORDINATOR_LOAD_IN_PROGRESS
		describe q -> TRANSACTIONAL_ID_NOT_FOUND
		log resigns
		init p -> NOT_COORDINATOR
	`)
}

// A producer that says who it is goes on with the next epoch. If the answer is lost it
// asks again and gets the same one, whoever coordinates by then, until somebody else took
// the id or it has written with the new epoch (KIP-360).
func TestLostBump(t *testing.T) {
	play(t, Settings{}, `
		init p -> 1000/0
		init p as=1000/0 -> 1000/1
		init p as=1000/0 -> 1000/1
		log moves
		init p as=1000/0 -> 1000/1
		init p as=1000/1 -> 1000/2
		init p as=1000/0 -> PRODUCER_FENCED
		init p v=3 as=1000/0 -> INVALID_PRODUCER_EPOCH
		init p as=999/2 -> PRODUCER_FENCED
		init p as=1000/3 -> PRODUCER_FENCED
		init p -> 1000/3
		init p as=1000/2 -> PRODUCER_FENCED
		init p as=1000/3 -> 1000/4
		add p as=1000/4 t/0 -> ok
		abort p v=4 as=1000/4 -> ok
		init p as=1000/3 -> PRODUCER_FENCED
		init p as=1000/4 -> 1000/5
	`)
}

// Where records have no room for it the epoch before is known to this coordinator only.
func TestLostBumpBeforeVersion1(t *testing.T) {
	play(t, Settings{}, `
		level 0
		init p -> 1000/0
		init p as=1000/0 -> 1000/1
		init p as=1000/0 -> 1000/1
		log moves
		init p as=1000/0 -> PRODUCER_FENCED
	`)
}

// A producer whose transaction took too long may go on with the epoch that aborted it.
func TestGoOnAfterTimeout(t *testing.T) {
	play(t, Settings{}, `
		init p timeout=1000 -> 1000/0
		add p as=1000/0 t/0 -> ok
		after 11s
		markers -> 1: abort 1000/1 t/0
		init p as=1000/0 -> 1000/1
		log moves
		init p as=1000/0 -> 1000/1
		init p as=1000/1 -> 1000/2
	`)
}

// The id of a producer that comes back is unknown by now: it gets a new one.
func TestInitOfForgotten(t *testing.T) {
	play(t, Settings{}, `
		init p as=77/5 -> 1000/0
		init p as=77/5 -> PRODUCER_FENCED
	`)
}

// When the epochs are used up there is another producer id, of which the old one is told
// again if it asks again.
func TestEpochsUsedUp(t *testing.T) {
	play(t, Settings{}, `
		record p Empty as=1000/32765
		record q Empty as=1001/32766
		record r CompleteAbort as=1002/32767
		record s CompleteAbort as=1003/32767
		record u CompleteAbort as=1004/32767
		next 2000
		log reload
		init p -> 1000/32766
		init p -> 2000/0
		init p as=1000/32766 -> PRODUCER_FENCED
		init q as=1001/32765 -> PRODUCER_FENCED
		init q as=1001/32766 -> 2001/0
		init q as=1001/32766 -> 2001/0
		log moves
		init q as=1001/32766 -> 2001/0
		init q as=2001/0 -> 2001/1
		init r -> 2002/0
		init s as=1003/32766 -> 2003/0 # it was fenced by the last epoch
		init s as=1003/32766 -> 2003/0
		init u as=1004/32765 -> PRODUCER_FENCED
	`)
}

// An id that nobody has used for long is forgotten, one with a transaction never.
func TestExpiry(t *testing.T) {
	play(t, Settings{IDExpiration: time.Hour, ExpiryInterval: 10 * time.Minute}, `
		init p -> 1000/0
		init q timeout=900000 -> 1001/0
		add q as=1001/0 t/0 -> ok
		init r -> 1002/0
		broker 1 down
		after 50m
		init r -> 1002/1
		after 30m
		list -> q:PrepareAbort:1001 r:Empty:1002
		describe p -> TRANSACTIONAL_ID_NOT_FOUND
		add p as=1000/0 t/0 -> INVALID_PRODUCER_ID_MAPPING
		init p as=1000/0 -> 1003/0
		log reload
		list -> p:Empty:1003 q:PrepareAbort:1001 r:Empty:1002
	`)
}

// What the log refuses is not forgotten, until it takes it.
func TestExpiryRefused(t *testing.T) {
	play(t, Settings{IDExpiration: 2 * time.Hour, ExpiryInterval: time.Hour}, `
		init p -> 1000/0
		after 119m
		log full
		after 2m
		list -> p:Empty:1000
		after 1h
		list -> none
	`)
}

// The longest id that a record can have is one; a longer one is refused, by whatever
// request.
func TestLongIDs(t *testing.T) {
	longest := strings.Repeat("x", maxString)
	play(t, Settings{}, `
		init `+longest+` -> 1000/0
		add `+longest+` as=1000/0 t/0 -> ok
		commit `+longest+` as=1000/0 -> 1000/1
		log reload
		describe `+longest+` -> CompleteCommit 1000/1
		init x`+longest+` -> INVALID_REQUEST
		add x`+longest+` as=1000/0 t/0 -> INVALID_PRODUCER_ID_MAPPING
		offsets x`+longest+` as=1000/0 -> INVALID_PRODUCER_ID_MAPPING
		commit x`+longest+` as=1000/0 -> INVALID_PRODUCER_ID_MAPPING
		describe x`+longest+` -> TRANSACTIONAL_ID_NOT_FOUND
	`)
}

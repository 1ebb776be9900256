package txn

import "testing"

// The table of ends with a bump, for an id that has no open transaction: what is asked
// again is answered again, what a client cannot have meant is refused.
func TestEndsWithoutTransaction(t *testing.T) {
	for _, c := range []struct{ phase, how, epoch, want string }{
		{"Empty", "abort", "4", "PRODUCER_FENCED"},
		{"Empty", "abort", "5", "1000/6"},
		{"Empty", "commit", "4", "PRODUCER_FENCED"},
		{"Empty", "commit", "5", "INVALID_TXN_STATE"},
		{"CompleteAbort", "abort", "4", "1000/5"},
		{"CompleteAbort", "abort", "5", "1000/6"},
		{"CompleteAbort", "commit", "4", "INVALID_TXN_STATE"},
		{"CompleteAbort", "commit", "5", "INVALID_TXN_STATE"},
		{"CompleteCommit", "abort", "4", "INVALID_TXN_STATE"},
		{"CompleteCommit", "abort", "5", "1000/6"},
		{"CompleteCommit", "commit", "4", "1000/5"},
		{"CompleteCommit", "commit", "5", "INVALID_TXN_STATE"},
		{"CompleteCommit", "commit", "3", "PRODUCER_FENCED"},
		{"CompleteCommit", "commit", "6", "PRODUCER_FENCED"},
		{"CompleteAbort", "abort", "6", "PRODUCER_FENCED"},
	} {
		t.Run(c.phase+" "+c.how+" "+c.epoch, func(t *testing.T) {
			play(t, Settings{}, `
				record p `+c.phase+` as=1000/5
				log reload
				`+c.how+` p as=1000/`+c.epoch+` -> `+c.want)
		})
	}
}

// An abort without a transaction is complete at once, without a marker.
func TestAbortOfNothing(t *testing.T) {
	play(t, Settings{}, `
		init p -> 1000/0
		abort p as=1000/0 -> 1000/1
		markers -> none
		describe p -> CompleteAbort 1000/1
		add p as=1000/0 t/0 -> PRODUCER_FENCED
		add p as=1000/1 t/0 -> ok
	`)
}

// While the markers are on their way nothing moves, and who asks again is told to wait.
func TestEndsWhilePrepared(t *testing.T) {
	play(t, Settings{}, `
		init p -> 1000/0
		add p as=1000/0 t/0 t/1 -> ok
		broker 1 down
		commit p as=1000/0 -> 1000/1
		describe p -> PrepareCommit 1000/1 open=t/0
		commit p as=1000/0 -> CONCURRENT_TRANSACTIONS
		abort p as=1000/0 -> CONCURRENT_TRANSACTIONS
		commit p as=1000/1 -> CONCURRENT_TRANSACTIONS
		after 101ms
		add p as=1000/1 t/0 -> CONCURRENT_TRANSACTIONS
		verify p as=1000/1 t/0 -> CONCURRENT_TRANSACTIONS
		init p -> CONCURRENT_TRANSACTIONS
		init p as=1000/1 -> CONCURRENT_TRANSACTIONS
		broker 1 up
		after 1s
		describe p -> CompleteCommit 1000/1
		commit p as=1000/0 -> 1000/1
		init p -> 1000/2
	`)
}

// Who is not the newest of its id may end nothing.
func TestEndOfOthers(t *testing.T) {
	play(t, Settings{}, `
		commit p as=1000/0 -> INVALID_PRODUCER_ID_MAPPING
		init p -> 1000/0
		add p as=1000/0 t/0 -> ok
		commit p as=1001/0 -> INVALID_PRODUCER_ID_MAPPING
		commit p as=1000/1 -> PRODUCER_FENCED
		commit p v=4 as=1000/1 -> PRODUCER_FENCED
		commit p v=1 as=1000/1 -> INVALID_PRODUCER_EPOCH
		commit p v=4 as=1001/0 -> INVALID_PRODUCER_ID_MAPPING
		commit p id=none as=1000/0 -> INVALID_REQUEST
		commit p v=4 as=1000/0 -> ok
		commit p v=4 id=none as=1000/0 -> INVALID_REQUEST
	`)
}

// Clients from before cannot end what they have not begun.
func TestEndOfNothingBefore5(t *testing.T) {
	play(t, Settings{}, `
		init p -> 1000/0
		commit p v=4 as=1000/0 -> INVALID_TXN_STATE
		abort p v=4 as=1000/0 -> INVALID_TXN_STATE
		add p v=3 as=1000/0 t/0 -> ok
		broker 1 down
		abort p v=4 as=1000/0 -> ok
		abort p v=4 as=1000/0 -> CONCURRENT_TRANSACTIONS
		commit p v=4 as=1000/0 -> CONCURRENT_TRANSACTIONS
		commit p v=4 as=1000/1 -> PRODUCER_FENCED
	`)
}

// A node may be told to begin near the last epoch.
func TestFirstEpoch(t *testing.T) {
	withFirstEpoch(t, Settings{}, 32765, func(h *house) {
		h.play(`
			init p -> 1000/32765
			init p -> 1000/32766
			init p -> 1001/32765
		`)
	})
}

// When the epochs are used up the client is promised another producer id. The last marker
// has the epoch that no client gets; whoever asks again gets the same id, also from the
// next coordinator.
func TestEpochsUsedUpAtTheEnd(t *testing.T) {
	play(t, Settings{}, `
		record p Ongoing as=1000/32766 open=t/0,t/1
		next 2000
		log reload
		ids none
		commit p as=1000/32766 -> COORDINATOR_LOAD_IN_PROGRESS
		ids come
		broker 1 down
		commit p as=1000/32766 -> 2000/0
		describe p -> PrepareCommit 1000/32767 open=t/0
		commit p as=1000/32766 -> CONCURRENT_TRANSACTIONS
		add p as=2000/0 t/0 -> waits
		after 20ms
		p <- CONCURRENT_TRANSACTIONS
		abort p as=2000/0 -> CONCURRENT_TRANSACTIONS
		init p as=2000/0 -> CONCURRENT_TRANSACTIONS
		log moves
		commit p as=1000/32766 -> CONCURRENT_TRANSACTIONS
		broker 1 up
		after 1s
		markers -> 1: commit 1000/32767 t/0 coordinator=2; 2: commit 1000/32767 t/1 coordinator=1; 2: commit 1000/32767 t/1 coordinator=2
		commit p as=1000/32766 -> 2000/0
		abort p as=1000/32766 -> INVALID_TXN_STATE
		log moves
		commit p as=1000/32766 -> 2000/0
		add p as=1000/32766 t/0 -> INVALID_PRODUCER_ID_MAPPING
		add p as=2000/0 t/0 -> ok
		commit p as=1000/32766 -> INVALID_PRODUCER_ID_MAPPING
		commit p as=2000/0 -> 2000/1
	`)
}

// The very last epoch is the coordinator's: it fences the client whose epochs are used up.
func TestLastEpoch(t *testing.T) {
	play(t, Settings{}, `
		record p Ongoing as=1000/32766 open=t/0
		next 2000
		log reload
		init p -> CONCURRENT_TRANSACTIONS
		markers -> 1: abort 1000/32767 t/0 coordinator=1
		describe p -> CompleteAbort 1000/32767
		abort p as=1000/32767 -> PRODUCER_FENCED
		add p as=1000/32767 t/0 -> PRODUCER_FENCED
		verify p as=1000/32767 t/0 -> PRODUCER_FENCED
		commit p v=4 as=1000/32767 -> PRODUCER_FENCED
		init p -> 2000/0
	`)
}

// The log decides. Until it has the decision nobody is told, and no marker is sent.
func TestEndWaitsForTheLog(t *testing.T) {
	play(t, Settings{}, `
		init p -> 1000/0
		add p as=1000/0 t/0 -> ok
		log holds
		commit p as=1000/0 -> waits
		markers -> none
		log commits
		p <- 1000/1
		markers -> 1: commit 1000/1 t/0
	`)
}

// A decision that is not committed in time may be yet: then the markers follow.
func TestEndCommittedLate(t *testing.T) {
	play(t, Settings{}, `
		init p -> 1000/0
		add p as=1000/0 t/0 -> ok
		log holds
		commit p as=1000/0 -> waits
		after 5s
		p <- COORDINATOR_NOT_AVAILABLE
		after 20s
		markers -> none
		log commits
		after 1s
		markers -> 1: commit 1000/1 t/0
		commit p as=1000/0 -> 1000/1
	`)
}

// What the log refuses has not happened, and costs nobody else anything.
func TestEndRefusedByTheLog(t *testing.T) {
	for what, want := range map[string]string{"full": "COORDINATOR_NOT_AVAILABLE", "small": "UNKNOWN_SERVER_ERROR", "fails": "NOT_COORDINATOR", "breaks": "COORDINATOR_NOT_AVAILABLE"} {
		t.Run(what, func(t *testing.T) {
			play(t, Settings{}, `
				init p -> 1000/0
				add p as=1000/0 t/0 -> ok
				log `+what+`
				commit p as=1000/0 -> `+want+`
				after 1s
				markers -> none
				describe p -> Ongoing 1000/0 open=t/0
				commit p as=1000/0 -> 1000/1
				markers -> 1: commit 1000/1 t/0
			`)
		})
	}
}

// A decision that was lost with the leader is none: the client decides again.
func TestEndLost(t *testing.T) {
	play(t, Settings{}, `
		init p -> 1000/0
		add p as=1000/0 t/0 -> ok
		log holds
		commit p as=1000/0 -> waits
		log moves-late
		log commits
		p <- NOT_COORDINATOR
		describe p -> Ongoing 1000/0 open=t/0
		abort p as=1000/0 -> 1000/1
		markers -> 1: abort 1000/1 t/0 coordinator=1
		after 1m
		markers -> none
	`)
}

// A client that was fenced asks again for an end of its own: it must not get the epoch of
// the old client that fenced it, although it is the next one, and its end the same.
func TestRetryAfterOldClient(t *testing.T) {
	play(t, Settings{}, `
		init p -> 1000/0
		add p as=1000/0 t/0 -> ok
		abort p as=1000/0 -> 1000/1
		init p -> 1000/2 # the old client
		add p v=3 as=1000/2 t/0 -> ok
		broker 1 down
		abort p v=4 as=1000/2 -> ok
		abort p as=1000/1 -> CONCURRENT_TRANSACTIONS
		broker 1 up
		after 1s
		describe p -> CompleteAbort 1000/2
		abort p as=1000/1 -> PRODUCER_FENCED
		abort p v=4 as=1000/2 -> ok
	`)
}

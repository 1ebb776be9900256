package txn

import "testing"

// A client of transactions of version 2: every end gives it the next epoch.
func TestTransaction(t *testing.T) {
	play(t, Settings{}, `
		init p -> 1000/0
		describe p -> Empty 1000/0
		add p as=1000/0 t/0 t/1 u/0 -> ok
		add p as=1000/0 t/0 -> ok
		describe p -> Ongoing 1000/0 open=t/0,t/1,u/0
		commit p as=1000/0 -> 1000/1
		markers -> 1: commit 1000/1 t/0; 1: commit 1000/1 u/0; 2: commit 1000/1 t/1
		describe p -> CompleteCommit 1000/1
		add p as=1000/1 t/0 -> ok
		abort p as=1000/1 -> 1000/2
		markers -> 1: abort 1000/2 t/0
		describe p -> CompleteAbort 1000/2
		init p -> 1000/3
	`)
}

// A client from before keeps its epoch; its group's offsets are a partition too.
func TestTransactionOfVersion0(t *testing.T) {
	play(t, Settings{}, `
		init p v=2 -> 1000/0
		add p v=3 as=1000/0 t/0 -> ok
		offsets p v=3 as=1000/0 -> ok
		describe p -> Ongoing 1000/0 open=__consumer_offsets/7,t/0
		commit p v=4 as=1000/0 -> ok
		markers -> 1: commit 1000/0 t/0 v0; 2: commit 1000/0 __consumer_offsets/7 v0
		commit p v=4 as=1000/0 -> ok
		abort p v=4 as=1000/0 -> INVALID_TXN_STATE
		add p v=3 as=1000/0 t/0 -> ok
		abort p v=4 as=1000/0 -> ok
		markers -> 1: abort 1000/0 t/0 v0
		describe p -> CompleteAbort 1000/0
		commit p v=4 as=1000/0 -> INVALID_TXN_STATE
	`)
}

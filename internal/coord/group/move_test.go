package group

import "testing"

// Groups move with their partition: the new coordinator knows what was committed, and
// members go on in their generation.
func TestGroupsMove(t *testing.T) {
	cases := map[string]string{
		"members keep their generation": pair + `
			commit id=a-1 gen=1 offsets=t/0@7 -> ok
			log moves
			heartbeat id=a-1 gen=1 -> ok
			heartbeat id=b-2 gen=1 -> ok
			fetch topics=t/0 -> t/0@7
			commit id=b-2 gen=1 offsets=t/0@8 -> ok
			sync a id=a-1 gen=1 -> consumer range "x"
			describe -> ok Stable consumer/range a-1="x" b-2="y"
			log moves
			fetch topics=t/0 -> t/0@8
			heartbeat id=a-1 gen=1 -> ok
			after 9s
			heartbeat id=a-1 gen=1 -> ok
			after 9s                         # b had a whole session from the move on
			heartbeat id=a-1 gen=1 -> REBALANCE_IN_PROGRESS
			heartbeat id=b-2 gen=1 -> UNKNOWN_MEMBER_ID
		`,
		"who waits is sent away and joins again": pair + `
			join a id=a-1 -> waits
			log moves
			a <- NOT_COORDINATOR
			heartbeat id=b-2 gen=1 -> ok
			join a id=a-1 -> waits
			heartbeat id=b-2 gen=1 -> REBALANCE_IN_PROGRESS
			join b id=b-2 -> id=b-2 gen=2 leader=a-1 proto=range
			a <- id=a-1 gen=2 leader=a-1 proto=range members=a-1,b-2
		`,
		"an assignment that was not committed is made anew": `
			join a v=3 -> waits
			join b v=3 -> waits
			after 6s
			a <- id=a-1 gen=1 leader=a-1 proto=range members=a-1,b-2
			b <- id=b-2 gen=1 leader=a-1 proto=range
			sync b id=b-2 gen=1 -> waits
			log holds
			sync a id=a-1 gen=1 assign=a-1:x,b-2:y -> waits
			log moves-late
			log commits
			a <- NOT_COORDINATOR
			b <- NOT_COORDINATOR
			sync a id=a-1 gen=1 -> UNKNOWN_MEMBER_ID
			heartbeat id=b-2 gen=1 -> UNKNOWN_MEMBER_ID
		`,
		"a commit that was not committed is not seen": pair + `
			commit id=a-1 gen=1 offsets=t/0@7 -> ok
			log holds
			commit id=a-1 gen=1 offsets=t/0@8 -> waits
			log moves-late
			log commits
			fetch topics=t/0 -> t/0@7
			heartbeat id=a-1 gen=1 -> ok
			commit id=a-1 gen=1 offsets=t/0@9 -> ok
			log moves
			fetch topics=t/0 -> t/0@9
		`,
	}
	for name, script := range cases {
		t.Run(name, func(t *testing.T) { play(t, Settings{}, script) })
	}
}

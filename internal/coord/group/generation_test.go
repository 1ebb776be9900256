package group

import "testing"

func TestSync(t *testing.T) {
	cases := map[string]string{
		"members that the leader leaves out get nothing": `
			join a v=3 -> waits
			join b v=3 -> waits
			after 6s
			sync a id=a-1 gen=1 assign=a-1:x -> consumer range "x"
			sync b id=b-2 gen=1 -> consumer range ""
		`,
		"what does not fit the generation": pair + `
			sync c id=c-9 gen=1 -> UNKNOWN_MEMBER_ID
			sync b id=b-2 gen=2 -> ILLEGAL_GENERATION
			sync b id=b-2 gen=1 proto=rr -> INCONSISTENT_GROUP_PROTOCOL
			sync b id=b-2 gen=1 type=connect -> INCONSISTENT_GROUP_PROTOCOL
			sync b id=b-2 gen=1 type=consumer proto=range -> consumer range "y"
			sync b id=b-2 gen=1 group= -> INVALID_GROUP_ID
			sync b id=b-2 gen=1 group=none -> UNKNOWN_MEMBER_ID
			join a id=a-1 -> waits
			sync b id=b-2 gen=1 -> REBALANCE_IN_PROGRESS
		`,
		"members that do not sync within the rebalance timeout are out": `
			join a v=3 session=5m -> waits
			join b v=3 session=5m -> waits
			after 6s
			sync a id=a-1 gen=1 assign=a-1:x,b-2:y -> consumer range "x"
			after 60s
			heartbeat id=b-2 gen=1 -> UNKNOWN_MEMBER_ID
			heartbeat id=a-1 gen=1 -> REBALANCE_IN_PROGRESS
			join a id=a-1 -> id=a-1 gen=2 leader=a-1 proto=range members=a-1
		`,
		"a new member while the leader assigns starts over": `
			join a v=3 -> waits
			join b v=3 -> waits
			after 6s
			sync b id=b-2 gen=1 -> waits
			join c v=3 -> waits
			b <- REBALANCE_IN_PROGRESS
			sync a id=a-1 gen=1 -> REBALANCE_IN_PROGRESS
			join a id=a-1 -> waits
			join b id=b-2 -> id=b-2 gen=2 leader=a-1 proto=range
			c <- id=c-3 gen=2 leader=a-1 proto=range
		`,
		"the assignment leaves when it is committed": `
			join a v=3 -> waits
			after 3s
			log holds
			sync a id=a-1 gen=1 assign=a-1:x -> waits
			log commits
			a <- consumer range "x"
		`,
		"a commit that does not come is an error that clients retry": `
			join a v=3 -> waits
			after 3s
			log holds
			sync a id=a-1 gen=1 assign=a-1:x -> waits
			after 5s
			a <- COORDINATOR_NOT_AVAILABLE
		`,
	}
	for name, script := range cases {
		t.Run(name, func(t *testing.T) { play(t, Settings{}, script) })
	}
}

func TestHeartbeat(t *testing.T) {
	play(t, Settings{}, pair+`
		heartbeat id=a-1 gen=1 -> ok
		heartbeat id=a-1 gen=0 -> ILLEGAL_GENERATION
		heartbeat id=a-9 gen=1 -> UNKNOWN_MEMBER_ID
		heartbeat id=a-1 gen=1 inst=i -> UNKNOWN_MEMBER_ID
		heartbeat id=a-1 gen=1 group= -> INVALID_GROUP_ID
		heartbeat id=a-1 gen=1 group=none -> UNKNOWN_MEMBER_ID
		after 9s
		heartbeat id=a-1 gen=1 -> ok
		after 9s                                    # b was silent for 10 s
		heartbeat id=a-1 gen=1 -> REBALANCE_IN_PROGRESS
		heartbeat id=b-2 gen=1 -> UNKNOWN_MEMBER_ID
		join a id=a-1 -> id=a-1 gen=2 leader=a-1 proto=range members=a-1
		sync a id=a-1 gen=2 assign=a-1:z -> consumer range "z"
		after 10s                                   # now a is silent too
		describe -> ok Empty consumer
		log reload
		describe -> ok Empty consumer
	`)
}

func TestLeave(t *testing.T) {
	cases := map[string]string{
		"one member": pair + `
			leave id=b-2 -> ok b-2:ok
			heartbeat id=a-1 gen=1 -> REBALANCE_IN_PROGRESS
			join a id=a-1 -> id=a-1 gen=2 leader=a-1 proto=range members=a-1
		`,
		"before version 3": pair + `
			leave id=b-2 v=2 -> ok
			leave id=b-2 v=2 -> UNKNOWN_MEMBER_ID
			leave id=b-2 v=2 group=none -> UNKNOWN_MEMBER_ID
		`,
		"all of them": pair + `
			leave id=a-1,b-2,c-3 -> ok a-1:ok b-2:ok c-3:UNKNOWN_MEMBER_ID
			describe -> ok Empty consumer
			leave id=a-1 -> ok a-1:UNKNOWN_MEMBER_ID
			leave id=a-1 group=none -> ok a-1:UNKNOWN_MEMBER_ID
			leave id=a-1 group= -> INVALID_GROUP_ID
			join a -> MEMBER_ID_REQUIRED id=a-3
			join a id=a-3 -> waits
			after 3s
			a <- id=a-3 gen=3 leader=a-3 proto=range members=a-3
		`,
		"one that waits": pair + `
			join b id=b-2 protos=range:u -> waits
			leave id=b-2 -> ok b-2:ok
			b <- UNKNOWN_MEMBER_ID
		`,
		"one that waits for its assignment": `
			join a v=3 -> waits
			join b v=3 -> waits
			after 6s
			sync b id=b-2 gen=1 -> waits
			leave id=b-2 -> ok b-2:ok
			b <- UNKNOWN_MEMBER_ID
		`,
		"a pending one": `
			join a -> MEMBER_ID_REQUIRED id=a-1
			leave id=a-1 -> ok a-1:ok
			join a id=a-1 -> UNKNOWN_MEMBER_ID id=a-1
		`,
	}
	for name, script := range cases {
		t.Run(name, func(t *testing.T) { play(t, Settings{}, script) })
	}
}

// What the coordinator says while its log is elsewhere.
func TestNotHere(t *testing.T) {
	play(t, Settings{}, pair+`
		join a id=a-1 -> waits
		log resigns
		a <- NOT_COORDINATOR
		join a -> NOT_COORDINATOR
		sync a id=a-1 gen=1 -> NOT_COORDINATOR
		heartbeat id=a-1 gen=1 -> NOT_COORDINATOR
		leave id=a-1 -> NOT_COORDINATOR
		commit offsets=t/0@1,t/1@1 -> NOT_COORDINATOR NOT_COORDINATOR
		fetch topics=t/0 -> NOT_COORDINATOR
		describe -> NOT_COORDINATOR
		delete -> NOT_COORDINATOR
		offsetdelete topics=t/0 -> NOT_COORDINATOR
		list -> ok
	`)
}

// A log that fails loses nothing that was answered.
func TestFailedLog(t *testing.T) {
	play(t, Settings{}, pair+`
		commit id=a-1 gen=1 offsets=t/0@1 -> ok
		log breaks
		commit id=a-1 gen=1 offsets=t/0@2 -> COORDINATOR_NOT_AVAILABLE
		fetch topics=t/0 -> t/0@1
		heartbeat id=a-1 gen=1 -> ok
		describe -> ok Stable consumer/range a-1="x" b-2="y"
		log full
		commit id=a-1 gen=1 offsets=t/0@2 -> COORDINATOR_NOT_AVAILABLE
		fetch topics=t/0 -> t/0@1
		commit id=a-1 gen=1 offsets=t/0@2 -> ok
		log fails
		commit id=a-1 gen=1 offsets=t/0@2 -> NOT_COORDINATOR
		heartbeat id=a-1 gen=1 -> NOT_COORDINATOR
	`)
}

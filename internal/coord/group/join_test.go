package group

import (
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// pair is a group of two members, stable in generation 1.
const pair = `
	join a -> MEMBER_ID_REQUIRED id=a-1
	join b -> MEMBER_ID_REQUIRED id=b-2
	join a id=a-1 -> waits
	join b id=b-2 -> waits
	after 6s
	a <- id=a-1 gen=1 leader=a-1 proto=range members=a-1,b-2
	b <- id=b-2 gen=1 leader=a-1 proto=range
	sync b id=b-2 gen=1 -> waits
	sync a id=a-1 gen=1 assign=a-1:x,b-2:y -> consumer range "x"
	b <- consumer range "y"
	describe -> ok Stable consumer/range a-1="x" b-2="y"
`

func TestJoin(t *testing.T) {
	cases := map[string]string{
		"two members share a group": pair,

		"an old client gets in without an id of its own": `
			join a v=3 -> waits
			after 3s
			a <- id=a-1 gen=1 leader=a-1 proto=range members=a-1
		`,
		"the first rebalance waits longer while members come": `
			join a v=3 -> waits
			after 2s
			join b v=3 -> waits
			after 2s
			join c v=3 -> waits
			a waits
			after 2s
			a waits
			after 3s
			a <- id=a-1 gen=1 leader=a-1 proto=range members=a-1,b-2,c-3
		`,
		"but not longer than the rebalance timeout": `
			join a v=3 rebalance=7s session=6s -> waits
			after 2s
			join b v=3 rebalance=7s session=6s -> waits
			after 2s
			join c v=3 rebalance=7s session=6s -> waits
			after 2s
			join d v=3 rebalance=7s session=6s -> waits
			after 1s
			a <- id=a-1 gen=1 leader=a-1 proto=range members=a-1,b-2,c-3,d-4
		`,
		"a pending member holds up a rebalance until its session ends": pair + `
			join c session=8s -> MEMBER_ID_REQUIRED id=c-3
			join a id=a-1 -> waits       # the leader wants a rebalance
			join b id=b-2 -> waits
			after 8s
			a <- id=a-1 gen=2 leader=a-1 proto=range members=a-1,b-2
		`,
		"an unknown member id": `
			join a id=a-9 -> UNKNOWN_MEMBER_ID id=a-9
		` + pair + `
			join a id=a-9 -> UNKNOWN_MEMBER_ID id=a-9
		`,
		"a follower that joins again learns where the group is": pair + `
			join b id=b-2 -> id=b-2 gen=1 leader=a-1 proto=range
			describe -> ok Stable consumer/range a-1="x" b-2="y"
		`,
		"a follower with another subscription starts a rebalance": pair + `
			join b id=b-2 protos=range:t+u -> waits
			heartbeat id=a-1 gen=1 -> REBALANCE_IN_PROGRESS
			join a id=a-1 -> id=a-1 gen=2 leader=a-1 proto=range members=a-1,b-2
			b <- id=b-2 gen=2 leader=a-1 proto=range
		`,
		"a lost answer is given again until the leader has synced": `
			join a v=3 -> waits
			join b v=3 -> waits
			after 6s
			a <- id=a-1 gen=1 leader=a-1 proto=range members=a-1,b-2
			join a id=a-1 -> id=a-1 gen=1 leader=a-1 proto=range members=a-1,b-2
			join b id=b-2 -> id=b-2 gen=1 leader=a-1 proto=range
		`,
		"a member without a protocol in common stays out": pair + `
			join c v=3 protos=rr:t -> INCONSISTENT_GROUP_PROTOCOL
			join c v=3 type=connect -> INCONSISTENT_GROUP_PROTOCOL
			join c v=3 group=new type= -> INCONSISTENT_GROUP_PROTOCOL
		`,
		"the protocol that most prefer among the common ones": `
			join a v=3 protos=x:t,range:t,rr:t -> waits
			join b v=3 protos=rr:t,range:t -> waits
			join c v=3 protos=rr:t,range:t -> waits
			after 6s
			a <- id=a-1 gen=1 leader=a-1 proto=rr members=a-1,b-2,c-3
		`,
		"dynamic members that do not join again are out": pair + `
			join a id=a-1 rebalance=30s -> waits
			heartbeat id=b-2 gen=1 -> REBALANCE_IN_PROGRESS
			after 8s
			heartbeat id=b-2 gen=1 -> REBALANCE_IN_PROGRESS
			after 8s
			heartbeat id=b-2 gen=1 -> REBALANCE_IN_PROGRESS
			after 8s
			heartbeat id=b-2 gen=1 -> REBALANCE_IN_PROGRESS
			after 8s
			heartbeat id=b-2 gen=1 -> REBALANCE_IN_PROGRESS
			after 8s
			heartbeat id=b-2 gen=1 -> REBALANCE_IN_PROGRESS
			after 8s
			heartbeat id=b-2 gen=1 -> REBALANCE_IN_PROGRESS
			after 8s
			heartbeat id=b-2 gen=1 -> REBALANCE_IN_PROGRESS
			after 8s
			a <- id=a-1 gen=2 leader=a-1 proto=range members=a-1
			heartbeat id=b-2 gen=1 -> UNKNOWN_MEMBER_ID
		`,
		"a leader that does not join again is replaced": pair + `
			join b id=b-2 protos=range:u -> waits
			after 10s                    # a is silent and its session ends
			b <- id=b-2 gen=2 leader=b-2 proto=range members=b-2
		`,
		"requests that cannot be right": `
			join a group= -> INVALID_GROUP_ID
			join a session=5s -> INVALID_SESSION_TIMEOUT
			join a session=31m -> INVALID_SESSION_TIMEOUT
		`,
		"an instance id may be what the client likes, as in Kafka": `
			join a inst=/host:1/ -> waits
			after 6s
			a <- id=/host:1/-1 gen=1 leader=/host:1/-1 proto=range members=/host:1/-1
		`,
		"a new group is there before it has members": `
			join a -> MEMBER_ID_REQUIRED id=a-1
			describe -> ok Empty
			log reload
			describe -> ok Empty
			join a id=a-1 -> UNKNOWN_MEMBER_ID id=a-1
		`,
	}
	for name, script := range cases {
		t.Run(name, func(t *testing.T) { play(t, Settings{}, script) })
	}
}

func TestMaxSize(t *testing.T) {
	play(t, Settings{MaxSize: 2}, pair+`
		join c -> GROUP_MAX_SIZE_REACHED
		join a id=a-1 -> waits
		join b id=b-2 -> id=b-2 gen=2 leader=a-1 proto=range
		a <- id=a-1 gen=2 leader=a-1 proto=range members=a-1,b-2
	`)
}

// Metadata that the group's record could never hold is not kept either; a member that
// joins again brings it in place of what it brought.
func TestMetadataIsBounded(t *testing.T) {
	const most = spareProtocols * 1000
	join := func(id string, n int) *kmsg.JoinGroupRequest {
		req := kmsg.NewPtrJoinGroupRequest()
		req.MemberID = id
		for range 2 {
			p := kmsg.NewJoinGroupRequestProtocol()
			p.Metadata = make([]byte, n/2)
			req.Protocols = append(req.Protocols, p)
		}
		return req
	}
	g := newGroup("g")
	a := &member{id: "a", protocols: join("a", most).Protocols}
	if g.heavy(join("a", most), most/spareProtocols) || !g.heavy(join("a", most+2), most/spareProtocols) {
		t.Error("the first member may bring all there is room for, and no more")
	}
	g.add(a)
	if !g.heavy(join("b", 2), most/spareProtocols) {
		t.Error("a second member came with more")
	}
	if g.heavy(join("a", most), most/spareProtocols) {
		t.Error("a member may join again with what it has")
	}
	g.remove("a")
	if g.bytes != 0 {
		t.Errorf("%d bytes are counted of a group without members", g.bytes)
	}
}

func TestNoInitialDelay(t *testing.T) {
	play(t, Settings{InitialRebalanceDelay: -1}, `
		join a v=3 -> id=a-1 gen=1 leader=a-1 proto=range members=a-1
	`)
}

// statics is a group of two static members, stable in generation 1.
const statics = `
	join a inst=i -> waits
	join b inst=j -> waits
	after 6s
	a <- id=i-1 gen=1 leader=i-1 proto=range members=i-1,j-2
	b <- id=j-2 gen=1 leader=i-1 proto=range
	sync b id=j-2 inst=j gen=1 -> waits
	sync a id=i-1 inst=i gen=1 assign=i-1:x,j-2:y -> consumer range "x"
	b <- consumer range "y"
`

func TestStaticMembers(t *testing.T) {
	cases := map[string]string{
		"a follower that comes back takes its place without a rebalance": statics + `
			join b inst=j -> id=j-3 gen=1 leader=i-1 proto=range
			sync b id=j-3 inst=j gen=1 -> consumer range "y"
			heartbeat id=j-2 inst=j gen=1 -> FENCED_INSTANCE_ID
			heartbeat id=j-3 inst=j gen=1 -> ok
			commit id=j-2 inst=j gen=1 offsets=t/0@5 -> FENCED_INSTANCE_ID
			describe -> ok Stable consumer/range i-1="x" j-3="y"
			log reload
			describe -> ok Stable consumer/range i-1="x" j-3="y"
		`,
		"a leader that comes back need not assign": statics + `
			join a inst=i -> id=i-3 gen=1 leader=i-3 proto=range members=i-3,j-2 skip
			sync a id=i-3 inst=i gen=1 -> consumer range "x"
		`,
		"an older leader takes itself for a follower": statics + `
			join a inst=i v=8 -> id=i-3 gen=1 leader=i-1 proto=range
			sync a id=i-3 inst=i gen=1 -> consumer range "x"
		`,
		"one that changes the protocol starts a rebalance": `
			join a inst=i protos=range:t,rr:t -> waits
			join b inst=j protos=range:t,rr:t -> waits
			after 6s
			sync a id=i-1 inst=i gen=1 assign=i-1:x,j-2:y -> consumer range "x"
			sync b id=j-2 inst=j gen=1 -> consumer range "y"
			join b inst=j protos=rr:t -> waits
			heartbeat id=i-1 inst=i gen=1 -> REBALANCE_IN_PROGRESS
			join a id=i-1 inst=i protos=range:t,rr:t -> id=i-1 gen=2 leader=i-1 proto=rr members=i-1,j-3
			b <- id=j-3 gen=2 leader=i-1 proto=rr
		`,
		"the old process is fenced while it waits": `
			join old inst=i -> waits
			join new inst=i -> waits
			old <- FENCED_INSTANCE_ID id=i-1
			after 3s
			new <- id=i-2 gen=1 leader=i-2 proto=range members=i-2
		`,
		"one that comes back before the assignment starts over": `
			join a inst=i -> waits
			join b inst=j -> waits
			after 6s
			sync b id=j-2 inst=j gen=1 -> waits
			join c inst=i -> waits
			b <- REBALANCE_IN_PROGRESS
			sync a id=i-1 inst=i gen=1 -> FENCED_INSTANCE_ID
			join b id=j-2 inst=j -> id=j-2 gen=2 leader=i-3 proto=range
			c <- id=i-3 gen=2 leader=i-3 proto=range members=i-3,j-2
		`,
		"a static member that does not join again keeps its place": statics + `
			join b id=j-2 inst=j protos=range:u session=30m rebalance=5s -> waits
			heartbeat id=i-1 inst=i gen=1 -> REBALANCE_IN_PROGRESS
			after 9s
			heartbeat id=i-1 inst=i gen=1 -> REBALANCE_IN_PROGRESS
			after 9s
			heartbeat id=i-1 inst=i gen=1 -> REBALANCE_IN_PROGRESS
			after 9s
			heartbeat id=i-1 inst=i gen=1 -> REBALANCE_IN_PROGRESS
			after 9s
			heartbeat id=i-1 inst=i gen=1 -> REBALANCE_IN_PROGRESS
			after 9s
			heartbeat id=i-1 inst=i gen=1 -> REBALANCE_IN_PROGRESS
			after 9s
			heartbeat id=i-1 inst=i gen=1 -> REBALANCE_IN_PROGRESS
			after 6s
			b <- id=j-2 gen=2 leader=j-2 proto=range members=i-1,j-2
		`,
		"an admin removes one by its instance": statics + `
			leave inst=j,nobody -> ok /j:ok /nobody:UNKNOWN_MEMBER_ID
			heartbeat id=j-2 inst=j gen=1 -> UNKNOWN_MEMBER_ID
			heartbeat id=i-1 inst=i gen=1 -> REBALANCE_IN_PROGRESS
			leave id=i-9 with=i -> ok i-9/i:FENCED_INSTANCE_ID
		`,
	}
	for name, script := range cases {
		t.Run(name, func(t *testing.T) { play(t, Settings{}, script) })
	}
}

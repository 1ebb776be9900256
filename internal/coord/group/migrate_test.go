package group

import "testing"

// twoClassics is a settled classic group of a-1, which leads, and b-2.
const twoClassics = `
	topic t 4 -> ok
	join a -> MEMBER_ID_REQUIRED id=a-1
	join b -> MEMBER_ID_REQUIRED id=b-2
	join a id=a-1 -> waits
	join b id=b-2 -> waits
	after 6s
	a <- id=a-1 gen=1 leader=a-1 proto=range members=a-1,b-2
	b <- id=b-2 gen=1 leader=a-1 proto=range
	sync b id=b-2 gen=1 -> waits
	sync a id=a-1 gen=1 assign=a-1:=t:0+1,b-2:=t:2+3 -> consumer range t:0+1
	b <- consumer range t:2+3
`

// A live classic group becomes a consumer group when a member of the consumer protocol
// joins. Its members learn by their heartbeats that they have to join again; each gives up
// what it is to lose before the new one gets it. When the new one leaves, the group is
// classic again, and rebalances as such.
func TestMigrateUpAndDown(t *testing.T) {
	play(t, Settings{}, twoClassics+`
		records -> 2 2
		hb C epoch=0 topics=t -> epoch=2 -
		records -> -2 5 5 3 7 7 6 8 8 5 3 7 7 6 8
		list -> ok g:consumer:Reconciling:consumer
		cdescribe -> Reconciling epoch=2 target=2 by=uniform C@2=-→t:3 a-1@1=t:0+1(classic) b-2@1=t:2+3→t:2(classic)
		heartbeat id=a-1 gen=1 -> REBALANCE_IN_PROGRESS
		heartbeat id=b-2 gen=1 -> REBALANCE_IN_PROGRESS
		heartbeat id=b-2 gen=2 -> ILLEGAL_GENERATION
		heartbeat id=C gen=2 -> UNKNOWN_MEMBER_ID          # it does not speak like that
		commit id=a-1 gen=1 offsets=t/0@5 -> ok
		commit id=a-1 gen=2 offsets=t/0@6 -> ILLEGAL_GENERATION

		join a id=a-1 owns=t:0+1 protos=range:t -> id=a-1 gen=2 leader= proto=range
		sync a id=a-1 gen=2 proto=range type=consumer -> consumer range t:0+1
		heartbeat id=a-1 gen=2 -> ok

		join b id=b-2 owns=t:2+3 protos=range:t -> id=b-2 gen=1 leader= proto=range
		sync b id=b-2 gen=1 -> consumer range t:2          # it is to revoke t:3
		heartbeat id=b-2 gen=1 -> REBALANCE_IN_PROGRESS
		hb C epoch=2 -> epoch=2
		join b id=b-2 owns=t:2 protos=range:t -> id=b-2 gen=2 leader= proto=range
		sync b id=b-2 gen=2 -> consumer range t:2
		hb C epoch=2 -> epoch=2 t:3
		heartbeat id=b-2 gen=2 -> ok
		log reload
		cdescribe -> Stable epoch=2 target=2 by=uniform C@2=t:3 a-1@2=t:0+1(classic) b-2@2=t:2(classic)
		records -> 1 5 8 5 8 8 5 8 8

		hb C epoch=-1 -> epoch=-1
		cdescribe -> GROUP_ID_NOT_FOUND
		describe -> ok PreparingRebalance consumer a-1=t:0+1 b-2=t:2
		heartbeat id=a-1 gen=2 -> REBALANCE_IN_PROGRESS
		join a id=a-1 owns=t:0+1 protos=range:t -> waits
		join b id=b-2 owns=t:2 protos=range:t -> id=b-2 gen=3 leader=a-1 proto=range
		a <- id=a-1 gen=3 leader=a-1 proto=range members=a-1,b-2
		sync a id=a-1 gen=3 assign=a-1:=t:0+1,b-2:=t:2+3 -> consumer range t:0+1
		sync b id=b-2 gen=3 -> consumer range t:2+3
		fetch all -> t/0@5
	`)
}

// Members that wait for a generation are told to join again, and then get into the
// consumer group; what was said to a member before counts no more.
func TestMigrateUpWhileRebalancing(t *testing.T) {
	play(t, Settings{}, twoClassics+`
		join c -> MEMBER_ID_REQUIRED id=c-3
		join c id=c-3 -> waits
		join a id=a-1 -> waits
		join d -> MEMBER_ID_REQUIRED id=d-4
		hb E epoch=0 topics=t -> epoch=2 -
		c <- REBALANCE_IN_PROGRESS id=c-3
		a <- REBALANCE_IN_PROGRESS id=a-1
		cdescribe -> Reconciling epoch=2 target=2 by=uniform E@2=-→t:1 a-1@1=t:0+1→t:0(classic) b-2@1=t:2+3→t:2(classic) c-3@1=-→t:3(classic)
		join c id=c-3 owns=- protos=range:t -> id=c-3 gen=2 leader= proto=range
		sync c id=c-3 gen=2 -> consumer range -
		heartbeat id=c-3 gen=2 -> ok
		join d id=d-4 owns=- protos=range:t -> id=d-4 gen=3 leader= proto=range    # its id was given out, so it may use it
	`)
	play(t, Settings{}, twoClassics+`
		join a id=a-1 -> waits
		join b id=b-2 -> id=b-2 gen=2 leader=a-1 proto=range
		a <- id=a-1 gen=2 leader=a-1 proto=range members=a-1,b-2
		sync b id=b-2 gen=2 -> waits
		hb C epoch=0 topics=t -> epoch=3 -
		b <- REBALANCE_IN_PROGRESS
		sync a id=a-1 gen=2 assign=a-1:=t:0 -> REBALANCE_IN_PROGRESS
	`)
}

// Which groups cannot be upgraded stay as they are.
func TestMigrateUpIsRefused(t *testing.T) {
	const one = `
		topic t 4 -> ok
		join a -> MEMBER_ID_REQUIRED id=a-1
	`
	for name, c := range map[string]struct {
		set    Settings
		script string
	}{
		"policy": {Settings{ConsumerMigration: MigrateDown}, twoClassics + `
			hb C epoch=0 topics=t -> GROUP_ID_NOT_FOUND
			heartbeat id=a-1 gen=1 -> ok`},
		"size": {Settings{ConsumerMaxSize: 1}, twoClassics + `
			hb C epoch=0 topics=t -> GROUP_ID_NOT_FOUND
			heartbeat id=a-1 gen=1 -> ok`},
		"other protocol": {Settings{}, one + `
			join a id=a-1 type=connect -> waits
			after 3s
			hb C epoch=0 topics=t -> GROUP_ID_NOT_FOUND`},
		"malformed": {Settings{}, one + `
			join a id=a-1 protos=range:garbage -> waits
			after 3s
			sync a id=a-1 gen=1 assign=a-1:=t:0 -> consumer range t:0
			hb C epoch=0 topics=t -> GROUP_ID_NOT_FOUND
			heartbeat id=a-1 gen=1 -> ok`},
		"assignor of its own": {Settings{}, one + `
			join a id=a-1 -> waits
			after 3s
			sync a id=a-1 gen=1 assign=a-1:=!t:0 -> consumer range t:0
			hb C epoch=0 topics=t -> GROUP_ID_NOT_FOUND
			heartbeat id=a-1 gen=1 -> ok`},
		"no join": {Settings{}, twoClassics + `
			hb C epoch=1 -> GROUP_ID_NOT_FOUND
			hb C epoch=-1 -> GROUP_ID_NOT_FOUND`},
	} {
		t.Run(name, func(t *testing.T) { play(t, c.set, c.script) })
	}
}

// An empty group becomes one of the other kind with whoever joins first, whatever the
// policy: it keeps its offsets.
func TestEmptyGroupsChangeKind(t *testing.T) {
	play(t, Settings{ConsumerMigration: MigrateNever, InitialRebalanceDelay: -1}, `
		topic t 1 -> ok
		join a -> MEMBER_ID_REQUIRED id=a-1
		join a id=a-1 -> id=a-1 gen=1 leader=a-1 proto=range members=a-1
		sync a id=a-1 gen=1 assign=a-1:=t:0 -> consumer range t:0
		commit id=a-1 gen=1 offsets=t/0@5 -> ok
		leave id=a-1 -> ok a-1:ok
		records -> 2 2 1 2
		hb B epoch=0 topics=t -> epoch=1 t:0
		records -> -2 5 3 7 6 8
		fetch all -> t/0@5
		join c -> MEMBER_ID_REQUIRED id=c-2                 # of a consumer group, which does not go down
		hb B epoch=-1 -> epoch=-1
		list -> ok g:consumer:Empty:consumer
		join c id=c-2 -> UNKNOWN_MEMBER_ID id=c-2
		list -> ok g:consumer:Empty:consumer
		join c -> MEMBER_ID_REQUIRED id=c-3
		list -> ok g:classic:Empty:
		records -> -8 -7 -5 3 -6 -4 -3 2
		log reload
		list -> ok g:classic:Empty:
		fetch all -> t/0@5
	`)
}

// The last member of the consumer protocol takes the group down however it goes, unless
// nobody or too many would be left, or the policy forbids it.
func TestMigrateDown(t *testing.T) {
	const up = twoClassics + `
		hb C epoch=0 topics=t inst=i rebalance=5s -> epoch=2 -
		join a id=a-1 owns=t:0+1 protos=range:t -> id=a-1 gen=2 leader= proto=range
		sync a id=a-1 gen=2 -> consumer range t:0+1
	`
	for name, c := range map[string]struct {
		set    Settings
		script string
	}{
		"session": {Settings{ConsumerSession: 8 * 1e9}, up + `
			after 7s
			heartbeat id=a-1 gen=2 -> ok
			heartbeat id=b-2 gen=1 -> REBALANCE_IN_PROGRESS
			after 2s
			describe -> ok PreparingRebalance consumer a-1=t:0+1 b-2=t:2`},
		"by an admin": {Settings{}, up + `
			leave inst=i -> ok /i:ok
			describe -> ok PreparingRebalance consumer a-1=t:0+1 b-2=t:2`},
		"not for a while": {Settings{}, up + `
			hb C epoch=-2 inst=i -> epoch=-2
			describe -> GROUP_ID_NOT_FOUND Dead`},
		"policy": {Settings{ConsumerMigration: MigrateUp}, up + `
			hb C epoch=-1 inst=i -> epoch=-1
			describe -> GROUP_ID_NOT_FOUND Dead
			heartbeat id=a-1 gen=2 -> REBALANCE_IN_PROGRESS
			join a id=a-1 owns=t:0+1 protos=range:t -> id=a-1 gen=3 leader= proto=range
			cdescribe -> Reconciling epoch=3 target=3 by=uniform a-1@3=t:0+1(classic) b-2@1=t:2+3(classic)`},
		"nobody is left": {Settings{}, up + `
			leave id=a-1,b-2 -> ok a-1:ok b-2:ok
			hb C epoch=-1 inst=i -> epoch=-1
			list -> ok g:consumer:Empty:consumer`},
		"all at once": {Settings{}, up + `
			leave id=a-1,C,b-2,x -> ok a-1:ok C:ok b-2:ok x:UNKNOWN_MEMBER_ID
			list -> ok g:consumer:Empty:consumer`},
		"some at once": {Settings{}, up + `
			leave id=a-1,C -> ok a-1:ok C:ok
			describe -> ok PreparingRebalance consumer b-2=t:2`},
	} {
		t.Run(name, func(t *testing.T) { play(t, c.set, c.script) })
	}
}

// Where no member is left that watches the topics, those of the classic protocol have to
// join again when the topics change.
func TestClassicMembersWatchTopics(t *testing.T) {
	play(t, Settings{ConsumerMigration: MigrateUp}, twoClassics+`
		hb C epoch=0 topics=t -> epoch=2 -
		hb C epoch=-1 -> epoch=-1
		join a id=a-1 owns=- -> id=a-1 gen=3 leader= proto=range
		sync a id=a-1 gen=3 -> consumer range t:0+1
		join b id=b-2 owns=- -> id=b-2 gen=3 leader= proto=range
		sync b id=b-2 gen=3 -> consumer range t:2+3
		heartbeat id=a-1 gen=3 -> ok
		topic u 1 -> ok
		heartbeat id=a-1 gen=3 -> ok
		topic t 5 -> ok
		heartbeat id=a-1 gen=3 -> REBALANCE_IN_PROGRESS
		join a id=a-1 owns=- -> id=a-1 gen=4 leader= proto=range
		sync a id=a-1 gen=4 -> consumer range t:0+1+4
		heartbeat id=b-2 gen=3 -> REBALANCE_IN_PROGRESS
	`)
}

// A member of the classic protocol that does not join again, or does not sync, within its
// rebalance timeout is fenced, and so is one that is silent for its session.
func TestClassicMembersOfConsumerGroupsFail(t *testing.T) {
	const up = twoClassics + `
		hb C epoch=0 topics=t -> epoch=2 -
	`
	for name, script := range map[string]string{
		"does not join": `
			heartbeat id=a-1 gen=1 -> REBALANCE_IN_PROGRESS
			after 8s
			join b id=b-2 owns=t:2 rebalance=30s -> id=b-2 gen=2 leader= proto=range
			heartbeat id=a-1 gen=1 -> REBALANCE_IN_PROGRESS    # which does not give it more time
			after 8s
			heartbeat id=a-1 gen=1 -> REBALANCE_IN_PROGRESS
			sync b id=b-2 gen=2 -> consumer range t:2
			hb C epoch=2 -> epoch=2 t:3
			after 5s
			heartbeat id=a-1 gen=1 -> REBALANCE_IN_PROGRESS
			heartbeat id=b-2 gen=2 -> ok
			after 9s
			heartbeat id=a-1 gen=1 -> REBALANCE_IN_PROGRESS
			heartbeat id=b-2 gen=2 -> ok
			after 9s
			heartbeat id=a-1 gen=1 -> REBALANCE_IN_PROGRESS
			heartbeat id=b-2 gen=2 -> ok
			after 9s
			heartbeat id=a-1 gen=1 -> REBALANCE_IN_PROGRESS
			heartbeat id=b-2 gen=2 -> ok
			after 9s
			heartbeat id=a-1 gen=1 -> REBALANCE_IN_PROGRESS
			heartbeat id=b-2 gen=2 -> ok
			after 5s                                           # a minute after it was first told
			heartbeat id=a-1 gen=1 -> UNKNOWN_MEMBER_ID`,
		"does not sync": `
			join b id=b-2 owns=t:2 rebalance=6s -> id=b-2 gen=2 leader= proto=range
			after 5s
			heartbeat id=b-2 gen=2 -> ok
			after 2s
			heartbeat id=b-2 gen=2 -> UNKNOWN_MEMBER_ID`,
		"is silent": `
			after 11s
			heartbeat id=a-1 gen=1 -> UNKNOWN_MEMBER_ID
			hb C epoch=2 -> epoch=4 t:0+1+2+3`,
	} {
		t.Run(name, func(t *testing.T) { play(t, Settings{}, up+script) })
	}
}

// Classic clients join a consumer group as they join a classic one, and are checked as
// there.
func TestClassicClientsJoinConsumerGroups(t *testing.T) {
	play(t, Settings{ConsumerMaxSize: 3}, `
		topic t 3 -> ok
		hb C epoch=0 topics=t -> epoch=1 t:0+1+2
		join a id=x owns=- protos=range:garbage -> INCONSISTENT_GROUP_PROTOCOL id=x
		join a type=connect -> INCONSISTENT_GROUP_PROTOCOL
		join a -> MEMBER_ID_REQUIRED id=a-2
		join a id=a-2 protos=range:t,rr:t -> id=a-2 gen=2 leader= proto=range
		join d protos=sticky:t -> INCONSISTENT_GROUP_PROTOCOL
		join b v=3 protos=rr:t,range:t -> id=b-4 gen=3 leader= proto=rr   # before KIP-394
		join d protos=rr:t -> GROUP_MAX_SIZE_REACHED
		sync a id=a-2 gen=2 -> REBALANCE_IN_PROGRESS       # there is another epoch already
		join a id=a-2 protos=range:t,rr:t -> id=a-2 gen=3 leader= proto=range
		sync a id=a-2 gen=3 proto=rr -> INCONSISTENT_GROUP_PROTOCOL
		sync a id=a-2 gen=3 type=connect -> INCONSISTENT_GROUP_PROTOCOL
		sync a id=a-2 gen=2 -> ILLEGAL_GENERATION
		sync a id=C gen=3 -> UNKNOWN_MEMBER_ID
		sync a id=a-2 gen=3 proto=range type=consumer -> consumer range -
		sync b id=b-4 gen=3 -> consumer rr -
		hb C epoch=1 has=t:0+1+2 -> epoch=1 t:0
		heartbeat id=a-2 gen=3 -> ok                       # what it is to get is not free yet
		hb C epoch=1 has=t:0 -> epoch=3
		heartbeat id=a-2 gen=3 -> REBALANCE_IN_PROGRESS
		join a id=a-2 protos=range:t,rr:t -> id=a-2 gen=3 leader= proto=range
		sync a id=a-2 gen=3 -> consumer range t:2
		leave id=a-2 -> ok a-2:ok
		leave id=a-2 -> ok a-2:UNKNOWN_MEMBER_ID
		cdescribe -> Assigning epoch=4 target=3 by=uniform C@3=t:0 b-4@3=-→t:1(classic)
	`)
}

// Static members change their protocol by being started again, and keep what they have.
func TestStaticMembersMigrate(t *testing.T) {
	play(t, Settings{InitialRebalanceDelay: -1}, `
		topic t 2 -> ok
		join a inst=i -> id=i-1 gen=1 leader=i-1 proto=range members=i-1
		join b inst=j -> waits
		join a id=i-1 inst=i -> id=i-1 gen=2 leader=i-1 proto=range members=i-1,j-2
		b <- id=j-2 gen=2 leader=i-1 proto=range
		sync a id=i-1 gen=2 inst=i assign=i-1:=t:0,j-2:=t:1 -> consumer range t:0
		sync b id=j-2 gen=2 inst=j -> consumer range t:1

		hb A epoch=0 topics=t inst=i -> epoch=2 t:0         # the place of i-1: nothing moves
		cdescribe -> Stable epoch=2 target=2 by=uniform A@2=t:0 j-2@2=t:1(classic)
		heartbeat id=i-1 gen=2 inst=i -> FENCED_INSTANCE_ID
		heartbeat id=j-2 gen=2 inst=j -> ok
		hb B epoch=0 topics=t inst=j -> epoch=2 t:1
		cdescribe -> Stable epoch=2 target=2 by=uniform A@2=t:0 B@2=t:1

		join b inst=j owns=- -> id=j-3 gen=2 leader= proto=range
		sync b id=j-3 gen=2 inst=j -> consumer range t:1
		hb A epoch=2 -> epoch=2
		join a inst=i owns=- -> id=i-4 gen=2 leader= proto=range   # the last one: the group is classic
		list -> ok g:classic:Stable:consumer
		describe -> ok Stable consumer/range j-3=t:1 i-4=t:0
		sync a id=i-4 gen=2 inst=i -> consumer range t:0
		heartbeat id=j-3 gen=2 inst=j -> ok
		hb A epoch=2 -> GROUP_ID_NOT_FOUND
		log reload
		describe -> ok Stable consumer/range j-3=t:1 i-4=t:0

		hb A epoch=0 topics=t inst=i -> epoch=2 t:0
		join a inst=i owns=- protos=range:t+u -> id=i-5 gen=0 leader= proto=range   # with another subscription
		describe -> ok PreparingRebalance consumer j-3=t:1 i-5=t:0
		sync a id=i-5 gen=0 inst=i -> ILLEGAL_GENERATION
	`)
}

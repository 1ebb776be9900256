package group

import (
	"testing"
	"time"
)

// Two members join one after the other: the first gives up what the second is to get
// before that gets it. They leave, and the group is empty.
func TestConsumerGroup(t *testing.T) {
	play(t, Settings{}, `
		topic t 4 -> ok
		hb A epoch=0 topics=t -> epoch=1 t:0+1+2+3
		hb A epoch=1 -> epoch=1
		cdescribe -> Stable epoch=1 target=1 by=uniform A@1=t:0+1+2+3

		hb B epoch=0 topics=t -> epoch=2 -
		cdescribe -> Reconciling epoch=2 target=2 by=uniform A@1=t:0+1+2+3→t:0+1 B@2=-→t:2+3
		hb B epoch=2 -> epoch=2                 # A has not been told yet
		hb A epoch=1 -> epoch=1 t:0+1           # it must revoke
		hb B epoch=2 -> epoch=2
		hb A epoch=1 has=t:0+1+2 -> epoch=1     # it has not revoked all
		hb A epoch=1 has=t:0+1 -> epoch=2
		hb B epoch=2 -> epoch=2 t:2+3
		cdescribe -> Stable epoch=2 target=2 by=uniform A@2=t:0+1 B@2=t:2+3
		list -> ok g:consumer:Stable:consumer

		hb A epoch=-1 -> epoch=-1
		hb A epoch=2 -> UNKNOWN_MEMBER_ID
		cdescribe -> Assigning epoch=3 target=2 by=uniform B@2=t:2+3
		hb B epoch=2 -> epoch=3 t:0+1+2+3
		log reload
		cdescribe -> Stable epoch=3 target=3 by=uniform B@3=t:0+1+2+3
		hb B epoch=-1 -> epoch=-1
		cdescribe -> Empty epoch=4 target=3 by=uniform
		delete -> ok
		cdescribe -> GROUP_ID_NOT_FOUND
		log reload
		cdescribe -> GROUP_ID_NOT_FOUND
	`)
}

// A member that is told nothing new writes nothing: what changes is written once, in
// Kafka's order.
func TestConsumerGroupRecords(t *testing.T) {
	play(t, Settings{}, `
		topic t 2 -> ok
		hb A epoch=0 topics=t -> epoch=1 t:0+1
		records -> 5 3 7 6 8
		hb A epoch=1 -> epoch=1
		hb A epoch=1 has=t:0+1 -> epoch=1
		records ->
		hb A epoch=1 topics=t rebalance=60s has=t:0+1 -> epoch=1 t:0+1    # a full request is told all
		records ->
		hb A epoch=1 rack=r -> epoch=1
		records -> 5                                       # another rack is no reason for an epoch
		hb A epoch=-1 -> epoch=-1
		records -> -8 -7 -5 3
		delete -> ok
		records -> -6 -4 -3
	`)
}

// A member whose epoch is not the group's must begin anew. The epoch before its own
// passes if it has nothing that it should not have: it did not get the last answer.
func TestConsumerFencing(t *testing.T) {
	play(t, Settings{}, `
		topic t 4 -> ok
		hb A epoch=1 -> GROUP_ID_NOT_FOUND
		hb A epoch=-1 -> GROUP_ID_NOT_FOUND
		hb A epoch=0 topics=t -> epoch=1 t:0+1+2+3
		hb B epoch=3 -> UNKNOWN_MEMBER_ID
		hb B epoch=-1 -> UNKNOWN_MEMBER_ID
		hb A epoch=2 -> FENCED_MEMBER_EPOCH
		hb B epoch=0 topics=t -> epoch=2 -
		hb A epoch=1 -> epoch=1 t:0+1
		hb A epoch=1 has=t:0+1 -> epoch=2
		hb A epoch=1 -> FENCED_MEMBER_EPOCH                # it does not say what it has
		hb A epoch=1 has=t:0+1+2 -> FENCED_MEMBER_EPOCH
		hb A epoch=1 has=t:0 -> epoch=2
		hb A epoch=0 topics=t -> epoch=2 t:0+1             # who begins anew keeps its place
		hb B epoch=2 -> epoch=2 t:2+3
	`)
}

func TestConsumerHeartbeatsThatAreRefused(t *testing.T) {
	play(t, Settings{ConsumerMaxSize: 1}, `
		hb ? epoch=0 topics=t -> INVALID_REQUEST           # KIP-1082
		hb ? v=0 epoch=1 -> INVALID_REQUEST
		hb ? v=0 epoch=-1 -> INVALID_REQUEST
		hb A epoch=-2 -> INVALID_REQUEST                   # only static members go for a while
		hb A epoch=-3 -> INVALID_REQUEST
		hb A epoch=0 -> INVALID_REQUEST                    # it subscribes to nothing, not even to no topics
		hb A epoch=0 topics=t has=null -> INVALID_REQUEST
		hb A epoch=0 topics=t has=t:0 -> INVALID_REQUEST
		hb A epoch=0 topics=t inst= -> INVALID_REQUEST
		hb A epoch=0 topics=t rack= -> INVALID_REQUEST
		hb A epoch=0 topics=t group= -> INVALID_REQUEST
		hb A epoch=0 topics=t assignor=best -> UNSUPPORTED_ASSIGNOR
		hb A epoch=0 regex=a( -> INVALID_REGULAR_EXPRESSION
		hb A epoch=0 regex=a)(b -> INVALID_REGULAR_EXPRESSION
		cdescribe -> GROUP_ID_NOT_FOUND                    # none of them made it
		cdescribe group= -> INVALID_GROUP_ID
		hb ? v=0 epoch=0 topics=- -> epoch=1 -
		hb B epoch=0 topics=t -> GROUP_MAX_SIZE_REACHED
		hb A group=h epoch=0 topics=t inst=i -> epoch=1 -
		hb A group=h epoch=-2 inst=i -> epoch=-2
		hb B group=h epoch=0 topics=t inst=i -> epoch=1 -     # one place for both
	`)
}

// Who is silent for a session is gone, and what it had goes to others. The session and
// the interval of heartbeats may be set for one group.
func TestConsumerSessions(t *testing.T) {
	play(t, Settings{}, `
		topic t 2 -> ok
		hb A epoch=0 topics=t -> epoch=1 t:0+1
		hb B epoch=0 topics=t -> epoch=2 -
		after 40s
		hb B epoch=2 -> epoch=2
		after 6s                                           # A has been silent for 46 s
		hb B epoch=2 -> epoch=3 t:0+1
		hb A epoch=1 -> UNKNOWN_MEMBER_ID
		groupconfig heartbeat=2s session=7s -> ok
		hb B epoch=3 -> epoch=3 every=2s
		after 6s
		log moves
		after 6s                                           # with a new coordinator comes a whole session
		hb B epoch=3 -> epoch=3 every=2s
		after 8s
		hb B epoch=3 -> UNKNOWN_MEMBER_ID
		cdescribe -> Empty epoch=4 target=3 by=uniform
	`)
}

// A member that does not give partitions up within its rebalance timeout is fenced, also
// by a coordinator that has just taken over.
func TestConsumerRebalanceTimeout(t *testing.T) {
	for name, script := range map[string]string{
		"stays": `
			after 9s
			hb A epoch=1 has=t:0+1 -> epoch=1
			after 2s
			hb A epoch=1 has=t:0 -> UNKNOWN_MEMBER_ID
			hb B epoch=2 -> epoch=3 t:0+1`,
		"moves": `
			after 9s
			log moves
			hb A epoch=1 has=t:0+1 -> epoch=1
			after 9s
			hb A epoch=1 has=t:0+1 -> epoch=1
			after 2s
			hb A epoch=1 has=t:0 -> UNKNOWN_MEMBER_ID
			hb B epoch=2 -> epoch=3 t:0+1`,
		"revokes": `
			after 9s
			hb A epoch=1 has=t:0 -> epoch=2
			after 9s
			hb A epoch=2 -> epoch=2
			hb B epoch=2 -> epoch=2 t:1`,
	} {
		t.Run(name, func(t *testing.T) {
			play(t, Settings{}, `
				topic t 2 -> ok
				hb A epoch=0 topics=t rebalance=10s -> epoch=1 t:0+1
				hb B epoch=0 topics=t -> epoch=2 -
				hb A epoch=1 -> epoch=1 t:0
			`+script)
		})
	}
}

// Static members keep their place while they are away (KIP-345): a process that says so
// may be followed by another, which gets what it had. One that does not must end first.
func TestConsumerStaticMembers(t *testing.T) {
	play(t, Settings{}, `
		topic t 2 -> ok
		hb A epoch=0 topics=t inst=i -> epoch=1 t:0+1
		hb B epoch=0 topics=t inst=j -> epoch=2 -
		hb A epoch=1 inst=i -> epoch=1 t:0
		hb A epoch=1 inst=i has=t:0 -> epoch=2
		hb B epoch=2 inst=j -> epoch=2 t:1
		records -> 5 3 7 6 8 5 3 7 7 6 8 8 8 8

		hb A2 epoch=0 topics=t inst=i -> UNRELEASED_INSTANCE_ID
		hb A epoch=1 inst=i has=t:1 -> FENCED_MEMBER_EPOCH
		hb A epoch=0 topics=t inst=i -> epoch=2 t:0         # but the same process may begin anew
		hb A epoch=2 inst=j -> FENCED_INSTANCE_ID
		hb A epoch=2 inst=x -> UNKNOWN_MEMBER_ID
		hb A epoch=-2 inst=i -> epoch=-2
		cdescribe -> Reconciling epoch=2 target=2 by=uniform A@-2=t:0 B@2=t:1
		hb B epoch=2 inst=j -> epoch=2                      # nothing moves
		hb A2 epoch=0 topics=t inst=i -> epoch=2 t:0
		records -> 8 -8 -7 -5 5 7 8 5 8
		hb A epoch=2 inst=i -> FENCED_INSTANCE_ID
		hb A epoch=2 -> UNKNOWN_MEMBER_ID
		cdescribe -> Stable epoch=2 target=2 by=uniform A2@2=t:0 B@2=t:1

		hb A2 epoch=-2 inst=i -> epoch=-2
		log reload
		hb A3 epoch=0 topics=t+u inst=i -> epoch=3 t:0      # with another subscription
		hb A3 epoch=-2 inst=i -> epoch=-2
		after 46s
		cdescribe -> Empty epoch=5 target=3 by=uniform

		hb C epoch=0 topics=t inst=k -> epoch=6 t:0+1
		hb C epoch=-1 inst=k -> epoch=-1                    # for good
		hb D epoch=0 topics=t inst=k -> epoch=8 t:0+1
		hb D epoch=-2 inst=k -> epoch=-2
		hb D epoch=0 topics=t inst=k -> epoch=8 t:0+1
	`)
}

// Topics that appear, grow and go begin a new epoch with the next heartbeat of any
// member; replicas that move do not.
func TestConsumerTopicsChange(t *testing.T) {
	play(t, Settings{}, `
		hb A epoch=0 topics=t+u -> epoch=1 -
		topic x 3 -> ok
		hb A epoch=1 -> epoch=1
		topic t 1 -> ok
		hb A epoch=1 -> epoch=2 t:0
		topic t 2 -> ok
		topic u 1 -> ok
		hb A epoch=2 -> epoch=3 t:0+1,u:0
		topic t 0 -> ok
		hb A epoch=3 -> epoch=3 u:0                         # it is asked to give up what is gone
		hb A epoch=3 has=u:0 -> epoch=4
		hb A epoch=4 topics=u+x -> epoch=5 u:0,x:0+1+2
		hb A epoch=5 topics=x -> epoch=5 x:0+1+2
		hb A epoch=5 has=x:0+1+2 -> epoch=6
		log moves
		hb A epoch=6 -> epoch=6                             # the hash says that nothing changed
	`)
}

// Most members choose the assignor; the broker's first stands in for those who do not.
func TestConsumerAssignors(t *testing.T) {
	play(t, Settings{}, `
		topic t 2 -> ok
		topic u 2 -> ok
		hb A epoch=0 topics=t+u assignor=range -> epoch=1 t:0+1,u:0+1
		cdescribe -> Stable epoch=1 target=1 by=range A@1=t:0+1,u:0+1
		hb B epoch=0 topics=t+u assignor=uniform -> epoch=2 -
		hb C epoch=0 topics=t+u assignor=uniform -> epoch=3 -
		cdescribe -> Reconciling epoch=3 target=3 by=uniform A@1=t:0+1,u:0+1→t:0+1 B@2=-→u:0 C@3=-→u:1
	`)
	play(t, Settings{ConsumerAssignors: []string{"range"}}, `
		hb A epoch=0 topics=t assignor=uniform -> UNSUPPORTED_ASSIGNOR
		hb A epoch=0 topics=t -> epoch=1 -
		cdescribe -> Stable epoch=1 target=1 by=range A@1=-
	`)
}

// A member that wants less gives it up at once, whatever the group is waiting for.
func TestConsumerUnsubscribesWhileRevoking(t *testing.T) {
	play(t, Settings{}, `
		topic t 2 -> ok
		topic u 2 -> ok
		hb A epoch=0 topics=t+u -> epoch=1 t:0+1,u:0+1
		hb B epoch=0 topics=t -> epoch=2 -
		hb A epoch=1 -> epoch=1 u:0+1                       # it must give up both of t
		hb A epoch=1 topics=t -> epoch=1 -                  # and now u as well
		hb A epoch=1 has=u:0 -> epoch=1
		hb A epoch=1 has=- -> epoch=3 t:1
		hb B epoch=2 -> epoch=3 t:0
	`)
}

// Partitions that a member waits for come as others let go of them, and it may have to
// give up some of what it has meanwhile.
func TestConsumerWaitsForOthers(t *testing.T) {
	play(t, Settings{}, `
		topic t 6 -> ok
		hb A epoch=0 topics=t -> epoch=1 t:0+1+2+3+4+5
		hb B epoch=0 topics=t -> epoch=2 -
		hb C epoch=0 topics=t -> epoch=3 -
		cdescribe -> Reconciling epoch=3 target=3 by=uniform A@1=t:0+1+2+3+4+5→t:0+1 B@2=-→t:3+4 C@3=-→t:2+5
		hb A epoch=1 -> epoch=1 t:0+1
		hb B epoch=2 -> epoch=3
		hb A epoch=1 has=t:0+1 -> epoch=3
		hb C epoch=3 -> epoch=3 t:2+5
		hb B epoch=3 -> epoch=3 t:3+4
		cdescribe -> Stable epoch=3 target=3 by=uniform A@3=t:0+1 B@3=t:3+4 C@3=t:2+5
	`)
}

// Offsets are taken of members in their epoch, and by hand while there are no members.
func TestConsumerOffsets(t *testing.T) {
	play(t, Settings{}, `
		topic t 1 -> ok
		hb A epoch=0 topics=t -> epoch=1 t:0
		commit id=A gen=1 offsets=t/0@5 -> ok
		commit id=A gen=0 offsets=t/0@6 -> STALE_MEMBER_EPOCH
		commit id=A gen=2 offsets=t/0@6 -> STALE_MEMBER_EPOCH
		commit id=B gen=1 offsets=t/0@6 -> UNKNOWN_MEMBER_ID
		commit offsets=t/0@6 -> UNKNOWN_MEMBER_ID
		commit v=8 id=A gen=1 offsets=t/0@6 -> UNSUPPORTED_VERSION
		fetch all -> t/0@5
		offsetdelete topics=t/0 -> ok t/0:GROUP_SUBSCRIBED_TO_TOPIC
		delete -> NON_EMPTY_GROUP
		log reload
		fetch all -> t/0@5
		hb A epoch=-1 -> epoch=-1
		commit offsets=t/0@7 -> ok
		fetch all -> t/0@7
		delete -> ok
		fetch all ->
		commit offsets=t/0@8 -> ok                         # a group that only holds offsets
		list -> ok g:classic:Empty:
		hb A epoch=0 topics=t -> epoch=1 t:0               # and becomes one of the new kind
		fetch all -> t/0@8
		list -> ok g:consumer:Stable:consumer
		log reload
		fetch all -> t/0@8
		list -> ok g:consumer:Stable:consumer
	`)
}

// Offsets of a group that nobody needs go after their time, and an empty group with them.
func TestConsumerGroupExpires(t *testing.T) {
	play(t, Settings{OffsetsRetention: time.Hour}, `
		topic t 1 -> ok
		hb A epoch=0 topics=t -> epoch=1 t:0
		commit id=A gen=1 offsets=t/0@5,u/0@6 -> ok ok
		hb A epoch=-1 -> epoch=-1
		after 50m
		fetch all -> t/0@5 u/0@6
		after 20m
		fetch all ->
		cdescribe -> GROUP_ID_NOT_FOUND
	`)
}

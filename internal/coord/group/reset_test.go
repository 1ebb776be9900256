package group

import "testing"

// The offsets of a running group are set in the moment in which its members are dropped:
// nothing that they still send counts, and they go on from the new offsets.
func TestReset(t *testing.T) {
	cases := map[string]string{
		"not without being asked for": pair + `
			commit offsets=t/0@5 -> UNKNOWN_MEMBER_ID
			commit offsets=t/0@5 fence=x -> INVALID_REQUEST
			commit offsets=t/0@5 fence=members id=a-1 gen=1 -> INVALID_REQUEST
			commit offsets=t/0@5 fence=members gen=1 -> INVALID_REQUEST
			commit offsets=t/0@5 fence=members inst=i -> INVALID_REQUEST
			heartbeat id=a-1 gen=1 -> ok
		`,
		"of members": pair + `
			commit id=a-1 gen=1 offsets=t/0@10,t/1@20 -> ok ok
			commit offsets=t/0@5,t/1@6 fence=members -> ok ok
			fetch -> t/0@5 t/1@6
			commit id=a-1 gen=1 offsets=t/0@11 -> UNKNOWN_MEMBER_ID
			commit id=a-1 gen=2 offsets=t/0@11 -> UNKNOWN_MEMBER_ID
			txncommit id=a-1 gen=1 offsets=t/0@11 -> UNKNOWN_MEMBER_ID
			heartbeat id=a-1 gen=1 -> UNKNOWN_MEMBER_ID
			describe -> ok Empty consumer
			log reload
			fetch -> t/0@5 t/1@6
			describe -> ok Empty consumer
			commit id=b-2 gen=1 offsets=t/0@11 -> UNKNOWN_MEMBER_ID
			join a -> MEMBER_ID_REQUIRED id=a-3
			join a id=a-3 -> waits
			after 3s
			a <- id=a-3 gen=3 leader=a-3 proto=range members=a-3
			sync a id=a-3 gen=3 assign=a-3:x -> consumer range "x"
			fetch -> t/0@5 t/1@6
			commit id=a-3 gen=3 offsets=t/0@7 -> ok
			fetch -> t/0@7 t/1@6
		`,
		"while they join": pair + `
			join b id=b-2 protos=range:u -> waits
			commit id=a-1 gen=1 offsets=t/0@10 -> ok
			commit offsets=t/0@5 fence=members -> ok
			b <- UNKNOWN_MEMBER_ID                                  # it said that it has nothing
			commit id=a-1 gen=1 offsets=t/0@11 -> UNKNOWN_MEMBER_ID
			after 2m                                                # no timer of the rebalance is left
			describe -> ok Empty consumer
			fetch -> t/0@5
		`,
		"while they join, with partitions that they keep": pair + `
			join b id=b-2 protos=range:u has=t:1 -> waits
			commit offsets=t/0@5,t/1@6 fence=members -> ok ok
			b <- id=b-2 gen=2 leader= proto=range                   # a generation without anything in it
			sync b id=b-2 gen=2 -> consumer range -
			heartbeat id=b-2 gen=2 -> UNKNOWN_MEMBER_ID
			commit id=b-2 gen=2 offsets=t/1@11 -> UNKNOWN_MEMBER_ID
			join b id=b-2 protos=range:u -> UNKNOWN_MEMBER_ID id=b-2
			fetch -> t/0@5 t/1@6
		`,
		"while they wait for their assignment": pair + `
			join b id=b-2 protos=range:u has=t:1 -> waits
			join a id=a-1 -> id=a-1 gen=2 leader=a-1 proto=range members=a-1,b-2
			b <- id=b-2 gen=2 leader=a-1 proto=range
			sync b id=b-2 gen=2 -> waits
			commit offsets=t/0@5 fence=members -> ok
			b <- consumer range -
			sync a id=a-1 gen=2 assign=a-1:x -> consumer range -
			heartbeat id=b-2 gen=2 -> UNKNOWN_MEMBER_ID
			heartbeat id=a-1 gen=2 -> UNKNOWN_MEMBER_ID
			commit id=a-1 gen=2 offsets=t/0@11 -> UNKNOWN_MEMBER_ID
			after 2m
			fetch -> t/0@5
		`,
		"of members that join before they hear of it": pair + `
			commit offsets=t/0@5 fence=members -> ok
			join a id=a-1 protos=roundrobin:t,range:t has=t:0 -> id=a-1 gen=2 leader= proto=range
			join b id=b-2 protos=cooperative:t has=t:1 -> id=b-2 gen=2 leader= proto=cooperative
			sync a id=a-1 gen=2 -> consumer range -
			sync b id=b-2 gen=2 -> consumer cooperative -
			commit id=a-1 gen=2 offsets=t/0@11 -> UNKNOWN_MEMBER_ID # as it gives up what it had
			txncommit id=a-1 gen=2 offsets=t/0@11 -> UNKNOWN_MEMBER_ID
			heartbeat id=a-1 gen=2 -> UNKNOWN_MEMBER_ID
			join a id=a-1 -> UNKNOWN_MEMBER_ID id=a-1               # with nothing left
			join a -> MEMBER_ID_REQUIRED id=a-3
			join a id=a-3 -> waits
			leave id=b-2 -> ok b-2:UNKNOWN_MEMBER_ID
			after 3s
			a <- id=a-3 gen=3 leader=a-3 proto=range members=a-3
			fetch -> t/0@5
			after 50s
			join b id=b-2 protos=cooperative:t has=t:1 -> id=b-2 gen=4 leader= proto=cooperative
			after 61s                                               # it has been silent
			join b id=b-2 protos=cooperative:t has=t:1 -> UNKNOWN_MEMBER_ID id=b-2
		`,
		"of members that join and have nothing": pair + `
			commit offsets=t/0@5 fence=members -> ok
			join a id=a-1 -> UNKNOWN_MEMBER_ID id=a-1
			sync a id=a-1 gen=1 -> UNKNOWN_MEMBER_ID
			join b id=b-2 protos=range:garbage -> UNKNOWN_MEMBER_ID id=b-2
		`,
		"of static members": `
			join a inst=i -> waits
			after 3s
			a <- id=i-1 gen=1 leader=i-1 proto=range members=i-1
			sync a id=i-1 gen=1 assign=i-1:x -> consumer range "x"
			commit offsets=t/0@5 fence=members -> ok
			heartbeat id=i-1 inst=i gen=1 -> UNKNOWN_MEMBER_ID
			commit id=i-1 inst=i gen=1 offsets=t/0@11 -> UNKNOWN_MEMBER_ID
			join a inst=i -> waits
			after 3s
			a <- id=i-2 gen=3 leader=i-2 proto=range members=i-2
			fetch -> t/0@5
		`,
		"of a group without members, and of none": `
			commit offsets=t/0@5 fence=members -> ok
			commit offsets=t/0@6 fence=members -> ok
			fetch -> t/0@6
			list -> ok g:classic:Empty:
		`,
		"of what does not read topics": `
			join a v=3 type=connect -> waits
			after 3s
			commit offsets=t/0@5 fence=members -> NON_EMPTY_GROUP
			heartbeat id=a-1 gen=1 -> ok
		`,
		"not if none can be stored": pair + `
			commit offsets=t/0@5 meta=0123456789a fence=members -> OFFSET_METADATA_TOO_LARGE
			heartbeat id=a-1 gen=1 -> ok
		`,
		"and an open transaction of a member": pair + `
			txncommit id=a-1 gen=1 offsets=t/0@10 -> ok
			commit offsets=t/0@5 fence=members -> ok
			fetch stable=yes -> t/0@UNSTABLE_OFFSET_COMMIT
			end commit -> ok
			fetch stable=yes -> t/0@5
			log reload
			fetch stable=yes -> t/0@5
		`,
		"all or nothing when the log fails": pair + `
			commit id=a-1 gen=1 offsets=t/0@10 -> ok
			log full
			commit offsets=t/0@5 fence=members -> COORDINATOR_NOT_AVAILABLE
			heartbeat id=a-1 gen=1 -> ok
			fetch -> t/0@10
		`,
		"of a consumer group": `
			topic t 2 -> ok
			hb A epoch=0 topics=t -> epoch=1 t:0+1
			hb B epoch=0 topics=t -> epoch=2 -
			hb A epoch=1 -> epoch=1 t:0
			hb A epoch=1 has=t:0 -> epoch=2
			hb B epoch=2 -> epoch=2 t:1
			commit id=A gen=2 offsets=t/0@10 -> ok
			commit offsets=t/0@5 -> UNKNOWN_MEMBER_ID
			commit offsets=t/0@5,t/1@6 fence=members -> ok ok
			cdescribe -> Empty epoch=3 target=2 by=uniform
			commit id=A gen=2 offsets=t/0@11 -> UNKNOWN_MEMBER_ID
			txncommit id=A gen=2 offsets=t/0@11 -> UNKNOWN_MEMBER_ID
			hb A epoch=2 -> UNKNOWN_MEMBER_ID
			log reload
			cdescribe -> Empty epoch=3 target=2 by=uniform
			commit id=B gen=2 offsets=t/1@11 -> UNKNOWN_MEMBER_ID
			hb A epoch=0 topics=t -> epoch=4 t:0+1
			commit id=A gen=2 offsets=t/0@11 -> STALE_MEMBER_EPOCH  # late, under its old epoch
			txncommit id=A gen=2 offsets=t/0@11 -> ILLEGAL_GENERATION
			fetch -> t/0@5 t/1@6
			commit id=A gen=4 offsets=t/0@7 -> ok
		`,
	}
	for name, script := range cases {
		t.Run(name, func(t *testing.T) { play(t, Settings{MetadataMaxBytes: 10}, script) })
	}
}

// Consumer groups hold offsets by the rules of their kind.
func TestConsumerGroupOffsets(t *testing.T) {
	play(t, Settings{}, `
		topic t 2 -> ok
		hb A epoch=0 topics=t -> epoch=1 t:0+1
		commit offsets=t/0@1 -> UNKNOWN_MEMBER_ID             # by hand, while there are members
		commit id=A gen=1 offsets=t/0@1,u/0@1 -> ok ok
		commit id=A gen=1 v=8 offsets=t/0@2 -> UNSUPPORTED_VERSION
		commit id=A gen=0 offsets=t/0@2 -> STALE_MEMBER_EPOCH
		commit id=B gen=1 offsets=t/0@2 -> UNKNOWN_MEMBER_ID
		txncommit id=A gen=1 offsets=t/1@3 -> ok
		txncommit id=A gen=0 offsets=t/1@4 -> ILLEGAL_GENERATION
		txncommit offsets=t/1@4 -> ok
		fetch topics=t/0,t/1 stable=yes -> t/0@1 t/1@UNSTABLE_OFFSET_COMMIT
		end commit -> ok
		fetch stable=yes -> t/0@1 t/1@4 u/0@1
		offsetdelete topics=t/0,u/0 -> ok t/0:GROUP_SUBSCRIBED_TO_TOPIC u/0:ok
		fetch -> t/0@1 t/1@4
		topicdeleted t -> ok
		fetch ->
	`)
}

// They expire from their commit, once nobody subscribes; then the group goes, if it is empty.
func TestConsumerGroupExpiry(t *testing.T) {
	play(t, Settings{OffsetsRetention: 60e9, RetentionCheckInterval: 10e9, ConsumerSession: 600e9}, `
		topic t 1 -> ok
		hb A epoch=0 topics=t -> epoch=1 t:0
		commit id=A gen=1 offsets=t/0@1,u/0@1 -> ok ok
		txncommit id=A gen=1 offsets=v/0@1 -> ok
		after 2m
		fetch -> t/0@1
		hb A epoch=-1 -> epoch=-1
		after 30s
		fetch ->
		list -> ok g:consumer:Empty:consumer                  # the transaction holds it
		end abort -> ok
		after 30s
		list -> ok
		log reload
		list -> ok
	`)
}

package group

import (
	"testing"
	"time"
)

// Offsets in transactions: pending until the marker, then the group's, or gone; the same
// after a load.
func TestTxnOffsets(t *testing.T) {
	cases := map[string]string{
		"are the group's when the transaction commits": `
			commit offsets=t/0@1 -> ok
			txncommit offsets=t/0@10,t/1@20 -> ok ok
			fetch -> t/0@1                                       # nothing yet
			fetch topics=t/0,t/1,t/2 stable=yes -> t/0@UNSTABLE_OFFSET_COMMIT t/1@UNSTABLE_OFFSET_COMMIT t/2@-1
			fetch stable=yes -> t/0@UNSTABLE_OFFSET_COMMIT       # all that are committed
			log reload
			fetch topics=t/0,t/1,t/2 stable=yes -> t/0@UNSTABLE_OFFSET_COMMIT t/1@UNSTABLE_OFFSET_COMMIT t/2@-1
			end commit -> ok
			fetch stable=yes -> t/0@10 t/1@20
			log reload
			fetch stable=yes -> t/0@10 t/1@20
		`,
		"are gone when it aborts": `
			commit offsets=t/0@1 -> ok
			txncommit offsets=t/0@10,t/1@20 -> ok ok
			end abort -> ok
			fetch stable=yes -> t/0@1
			fetch topics=t/1 stable=yes -> t/1@-1
			log reload
			fetch stable=yes -> t/0@1
		`,
		"of several producers stand beside each other": `
			txncommit pid=7 offsets=t/0@10 -> ok
			txncommit pid=8 offsets=t/0@11 -> ok
			end commit pid=8 -> ok
			fetch topics=t/0 -> t/0@11
			fetch topics=t/0 stable=yes -> t/0@UNSTABLE_OFFSET_COMMIT
			end commit pid=7 -> ok                               # written before the other: stays behind
			fetch topics=t/0 stable=yes -> t/0@11
		`,
		"of several producers that end in the order of their writes": `
			txncommit pid=7 offsets=t/0@10 -> ok
			txncommit pid=8 offsets=t/0@11 -> ok
			end commit pid=7 -> ok
			fetch topics=t/0 -> t/0@10
			log reload
			end commit pid=8 -> ok                               # written after the other, though before its end
			fetch topics=t/0 stable=yes -> t/0@11
			log reload
			fetch topics=t/0 stable=yes -> t/0@11
		`,
		"and commits outside: the later write counts": `
			txncommit offsets=t/0@10 -> ok
			commit offsets=t/0@5 -> ok
			end commit -> ok
			fetch stable=yes -> t/0@5
			log reload
			fetch stable=yes -> t/0@5
		`,
		"again in the same transaction": `
			txncommit offsets=t/0@10 -> ok
			txncommit offsets=t/0@12 -> ok
			end commit -> ok
			fetch stable=yes -> t/0@12
		`,
		"of a zombie are refused": `
			txncommit epoch=1 offsets=t/0@10 -> ok
			txncommit epoch=0 offsets=t/0@9 -> INVALID_PRODUCER_EPOCH
			end abort epoch=0 -> INVALID_PRODUCER_EPOCH
			end commit epoch=2 version=2 -> ok                   # by version 2 the end bumps the epoch
			end commit epoch=2 version=2 -> ok                   # and may come again
			txncommit epoch=1 offsets=t/0@11 -> INVALID_PRODUCER_EPOCH
			fetch stable=yes -> t/0@10
		`,
		"of a coordinator that was deposed are not ended": `
			txncommit offsets=t/0@10 -> ok
			end abort coordinator=5 -> ok
			txncommit offsets=t/0@11 -> ok
			end commit coordinator=4 -> TRANSACTION_COORDINATOR_FENCED
			fetch topics=t/0 stable=yes -> t/0@UNSTABLE_OFFSET_COMMIT
			end commit coordinator=5 -> ok
			fetch stable=yes -> t/0@11
		`,
		"that nobody knows are ended all the same": `
			end commit -> ok
			fetch stable=yes ->
			list -> ok
		`,
		"with too much metadata, and one that fits": `
			txncommit offsets=t/0@10 meta=0123456789a -> OFFSET_METADATA_TOO_LARGE
			txncommit offsets=t/0@10 meta=0123456789 -> ok
			end commit -> ok
			fetch -> t/0@10
		`,
		"of the group without a name are not taken": `
			txncommit group= offsets=t/0@10 -> INVALID_GROUP_ID
		`,
		"wait until they are committed, and so do markers": `
			log holds
			txncommit x offsets=t/0@10 -> waits
			end commit -> waits
			log commits
			x <- ok
			commit <- ok
			fetch stable=yes -> t/0@10
		`,
		"are refused by a full disk, and nothing is lost": `
			txncommit offsets=t/0@10 -> ok
			log full
			txncommit offsets=t/1@10 -> COORDINATOR_NOT_AVAILABLE
			log full
			end commit -> COORDINATOR_NOT_AVAILABLE
			fetch topics=t/0 stable=yes -> t/0@UNSTABLE_OFFSET_COMMIT
			end commit -> ok
			fetch stable=yes -> t/0@10
		`,
		"elsewhere": `
			txncommit offsets=t/0@10 -> ok
			log moves
			fetch topics=t/0 stable=yes -> t/0@UNSTABLE_OFFSET_COMMIT
			end commit -> ok
			fetch stable=yes -> t/0@10
			log resigns
			txncommit offsets=t/0@11 -> NOT_COORDINATOR
			end commit -> NOT_COORDINATOR
		`,
	}
	for name, script := range cases {
		t.Run(name, func(t *testing.T) { play(t, Settings{MetadataMaxBytes: 10}, script) })
	}
}

// What is deleted while a transaction is open stays deleted when it commits; what it writes
// after that counts.
func TestTxnOffsetsDeleted(t *testing.T) {
	cases := map[string]string{
		"by hand": `
			txncommit offsets=t/0@10,u/0@11 -> ok ok
			offsetdelete topics=t/0 -> ok t/0:ok
			fetch topics=t/0,u/0 stable=yes -> t/0@-1 u/0@UNSTABLE_OFFSET_COMMIT
			end commit -> ok
			fetch stable=yes -> u/0@11
			log reload
			fetch stable=yes -> u/0@11
		`,
		"by hand, and then written again": `
			txncommit offsets=t/0@10 -> ok
			offsetdelete topics=t/0 -> ok t/0:ok
			txncommit offsets=t/0@12 -> ok
			end commit -> ok
			fetch stable=yes -> t/0@12
			log reload
			fetch stable=yes -> t/0@12
		`,
		"with their topic": `
			txncommit offsets=t/0@10,u/0@11 -> ok ok
			topicdeleted t -> ok
			end commit -> ok
			fetch stable=yes -> u/0@11
		`,
		"with their group": `
			commit offsets=t/1@1 -> ok
			txncommit offsets=t/0@10 -> ok
			delete -> ok
			end commit -> ok
			fetch stable=yes ->
			fetch topics=t/0,t/1 stable=yes -> t/0@-1 t/1@-1
			list -> ok
			log reload
			list -> ok
			fetch topics=t/0 stable=yes -> t/0@-1
		`,
		"with their group, which the transaction brings back": `
			txncommit offsets=t/0@10 -> ok
			delete -> ok
			txncommit offsets=t/1@11 -> ok
			end commit -> ok
			fetch stable=yes -> t/1@11
			list -> ok g:classic:Empty:
			log reload
			fetch stable=yes -> t/1@11
			list -> ok g:classic:Empty:
		`,
		"by time, but not while they are pending": `
			commit offsets=t/0@1,t/1@1 -> ok ok
			txncommit offsets=t/0@10,t/2@10 -> ok ok
			after 3h
			fetch -> t/0@1
			list -> ok g:classic:Empty:
			end abort -> ok
			after 2m
			fetch ->
			list -> ok
			log reload
			list -> ok
		`,
		"by time, a group that was only in a transaction": `
			txncommit offsets=t/0@10 -> ok
			after 3h
			list -> ok g:classic:Empty:
			end abort -> ok
			after 2m
			list -> ok
		`,
	}
	set := Settings{OffsetsRetention: time.Hour, RetentionCheckInterval: time.Minute}
	for name, script := range cases {
		t.Run(name, func(t *testing.T) { play(t, set, script) })
	}
}

// A member that is not of the present generation cannot commit in a transaction (KIP-447);
// who says nothing of itself is let in, as clients before version 3 are.
func TestTxnOffsetsFenced(t *testing.T) {
	cases := map[string]string{
		"a member of the classic protocol": pair + `
			txncommit id=a-1 gen=1 offsets=t/0@10 -> ok
			txncommit id=a-1 gen=0 offsets=t/0@11 -> ILLEGAL_GENERATION
			txncommit id=a-1 gen=2 offsets=t/0@11 -> ILLEGAL_GENERATION
			txncommit id=a-1 offsets=t/0@11 -> ILLEGAL_GENERATION
			txncommit id=x-9 gen=1 offsets=t/0@11 -> UNKNOWN_MEMBER_ID
			txncommit gen=1 offsets=t/0@11 -> UNKNOWN_MEMBER_ID
			txncommit inst=i offsets=t/0@11 -> UNKNOWN_MEMBER_ID
			txncommit offsets=t/1@12 -> ok
			end commit -> ok
			fetch stable=yes -> t/0@10 t/1@12
		`,
		"whatever the state of the group": pair + `
			join b id=b-2 protos=range:u -> waits
			txncommit id=a-1 gen=1 offsets=t/0@10 -> ok
			join a id=a-1 -> id=a-1 gen=2 leader=a-1 proto=range members=a-1,b-2
			txncommit id=a-1 gen=1 offsets=t/0@11 -> ILLEGAL_GENERATION
			txncommit id=a-1 gen=2 offsets=t/0@12 -> ok          # completing, which a plain commit may not
			end commit -> ok
			fetch stable=yes -> t/0@12
		`,
		"and no commit keeps it alive": pair + `
			after 9s
			heartbeat id=b-2 gen=1 -> ok
			txncommit id=a-1 gen=1 offsets=t/0@10 -> ok
			after 2s
			txncommit id=a-1 gen=1 offsets=t/0@10 -> UNKNOWN_MEMBER_ID
		`,
		"a static member whose instance lives on elsewhere": `
			join a inst=i -> waits
			after 3s
			sync a id=i-1 gen=1 assign=i-1:x -> consumer range "x"
			txncommit id=i-1 inst=i gen=1 offsets=t/0@10 -> ok
			txncommit id=other inst=i gen=1 offsets=t/0@11 -> FENCED_INSTANCE_ID
		`,
		"of a group that is not there": `
			txncommit id=a-1 gen=1 offsets=t/0@10 -> ILLEGAL_GENERATION
			txncommit id=a-1 offsets=t/0@10 -> ok
			end commit -> ok
			list -> ok g:classic:Empty:
		`,
		"of a group that is empty": pair + `
			leave id=a-1,b-2 -> ok a-1:ok b-2:ok
			txncommit id=a-1 gen=1 offsets=t/0@10 -> UNKNOWN_MEMBER_ID
			txncommit id=a-1 offsets=t/0@11 -> ok
		`,
	}
	for name, script := range cases {
		t.Run(name, func(t *testing.T) { play(t, Settings{}, script) })
	}
}

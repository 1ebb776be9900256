package group

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/odradek/odradek/internal/proto/record"
)

func TestOffsets(t *testing.T) {
	cases := map[string]string{
		"by hand, without members": `
			fetch topics=t/0 -> t/0@-1
			fetch -> 
			commit offsets=t/0@10,t/1@20,a/0@5 -> ok ok ok
			fetch topics=t/0,t/1,t/2,u/0 -> t/0@10 t/1@20 t/2@-1 u/0@-1
			fetch -> a/0@5 t/0@10 t/1@20
			fetch v=7 -> a/0@5 t/0@10 t/1@20
			fetch v=1 topics=t/0 -> t/0@10
			describe -> ok Empty
			list -> ok g:classic:Empty:
			log reload
			fetch -> a/0@5 t/0@10 t/1@20
		`,
		"even of the group without a name": `
			commit group= offsets=t/0@10 -> ok
			fetch group= topics=t/0 -> t/0@10
		`,
		"of members": pair + `
			commit id=a-1 gen=1 offsets=t/0@10 -> ok
			commit id=a-1 gen=0 offsets=t/0@11 -> ILLEGAL_GENERATION
			commit id=a-1 gen=2 offsets=t/0@11 -> ILLEGAL_GENERATION
			commit id=a-9 gen=1 offsets=t/0@11 -> UNKNOWN_MEMBER_ID
			commit offsets=t/0@11 -> UNKNOWN_MEMBER_ID      # not by hand while there are members
			commit id=a-1 offsets=t/0@11 -> ILLEGAL_GENERATION
			fetch topics=t/0 -> t/0@10
			leave id=a-1,b-2 -> ok a-1:ok b-2:ok
			commit id=a-1 gen=1 offsets=t/0@12 -> UNKNOWN_MEMBER_ID
			commit offsets=t/0@13 -> ok
			fetch topics=t/0 -> t/0@13
		`,
		"of a group that is not there": `
			commit id=a-1 gen=1 v=9 offsets=t/0@10 -> GROUP_ID_NOT_FOUND
			commit id=a-1 gen=1 v=8 offsets=t/0@10 -> ILLEGAL_GENERATION
		`,
		"while a rebalance goes on": pair + `
			join b id=b-2 protos=range:u -> waits
			commit id=a-1 gen=1 offsets=t/0@10 -> ok        # before it joins again
			join a id=a-1 -> id=a-1 gen=2 leader=a-1 proto=range members=a-1,b-2
			commit id=a-1 gen=2 offsets=t/0@11 -> REBALANCE_IN_PROGRESS
			fetch topics=t/0 -> t/0@10
		`,
		"keep a member alive": pair + `
			after 9s
			commit id=a-1 gen=1 offsets=t/0@10 -> ok
			heartbeat id=b-2 gen=1 -> ok
			after 9s
			heartbeat id=a-1 gen=1 -> ok
		`,
		"with too much metadata": `
			commit offsets=t/0@10 meta=0123456789 -> ok
			commit offsets=t/0@11,t/1@11 meta=0123456789a -> OFFSET_METADATA_TOO_LARGE OFFSET_METADATA_TOO_LARGE
			fetch topics=t/0 -> t/0@10
		`,
		"leave when they are committed": `
			log holds
			commit x offsets=t/0@10 -> waits
			fetch y topics=t/0 -> waits
			log commits
			x <- ok
			y <- t/0@10
		`,
		"of deleted topics": `
			commit offsets=t/0@10,u/0@11 -> ok ok
			commit group=h offsets=t/1@10 -> ok
			topicdeleted t v -> ok
			fetch -> u/0@11
			fetch group=h ->
			log reload
			fetch -> u/0@11
		`,
		"deleted by hand": `
			commit offsets=t/0@10,u/0@11 -> ok ok
			offsetdelete topics=t/0,t/5 -> ok t/0:ok t/5:ok
			fetch -> u/0@11
			offsetdelete group=none topics=t/0 -> GROUP_ID_NOT_FOUND
			offsetdelete group= topics=t/0 -> INVALID_GROUP_ID
		`,
		"deleted by hand from a group that consumes": pair + `
			commit id=a-1 gen=1 offsets=t/0@10,u/0@11 -> ok ok
			offsetdelete topics=t/0,u/0 -> ok t/0:GROUP_SUBSCRIBED_TO_TOPIC u/0:ok
			fetch -> t/0@10
		`,
		"deleted by hand from a group that says garbage": `
			join a v=3 protos=range:garbage -> waits
			after 3s
			offsetdelete topics=u/0 -> ok u/0:GROUP_SUBSCRIBED_TO_TOPIC
		`,
		"deleted by hand from a group of another kind": `
			join a v=3 type=connect -> waits
			after 3s
			offsetdelete topics=u/0 -> NON_EMPTY_GROUP
		`,
		"deleted with the group": pair + `
			commit id=a-1 gen=1 offsets=t/0@10 -> ok
			delete -> NON_EMPTY_GROUP
			leave id=a-1,b-2 -> ok a-1:ok b-2:ok
			delete -> ok
			delete -> GROUP_ID_NOT_FOUND
			fetch ->
			describe -> GROUP_ID_NOT_FOUND Dead
			describe v=5 -> ok Dead
			list -> ok
			log reload
			list -> ok
			fetch ->
		`,
	}
	for name, script := range cases {
		t.Run(name, func(t *testing.T) { play(t, Settings{MetadataMaxBytes: 10}, script) })
	}
}

func TestList(t *testing.T) {
	play(t, Settings{}, pair+`
		commit group=h offsets=t/0@1 -> ok
		list -> ok g:classic:Stable:consumer h:classic:Empty:
		list states=stable -> ok g:classic:Stable:consumer
		list states=Empty,Dead -> ok h:classic:Empty:
		list types=Classic -> ok g:classic:Stable:consumer h:classic:Empty:
		list types=consumer,what -> ok
	`)
}

// Offsets expire (KIP-211): of a group with members those of topics that it does not
// subscribe to, of an empty one all from when it became empty, of one that never had
// members from their commit.
func TestExpiry(t *testing.T) {
	set := Settings{OffsetsRetention: time.Hour, RetentionCheckInterval: time.Minute}
	cases := map[string]string{
		"by hand": `
			commit offsets=t/0@1 -> ok
			after 30m
			commit offsets=t/1@1 -> ok
			after 32m
			fetch -> t/1@1
			after 30m
			fetch ->
			list -> ok
			log reload
			list -> ok
		`,
		"with an expiry of their own": `
			commit v=4 retain=10m offsets=t/0@1 -> ok
			commit v=4 offsets=t/1@1 -> ok
			after 12m
			fetch -> t/1@1
		`,
		"of an empty group": `
			join a v=3 session=30m -> waits
			after 3s
			sync a id=a-1 gen=1 assign=a-1:x -> consumer range "x"
			commit id=a-1 gen=1 offsets=t/0@1,u/0@1 -> ok ok
			after 29m
			heartbeat id=a-1 gen=1 -> ok
			after 29m
			heartbeat id=a-1 gen=1 -> ok
			after 10m
			fetch -> t/0@1                         # u is not subscribed to
			leave id=a-1 -> ok a-1:ok
			after 55m
			fetch -> t/0@1
			log reload
			fetch -> t/0@1
			after 10m
			fetch ->
			describe -> GROUP_ID_NOT_FOUND Dead
		`,
		"not of a group with a member on its way": `
			join a session=30m -> MEMBER_ID_REQUIRED id=a-1
			after 5m
			describe -> ok Empty
			after 30m
			describe -> GROUP_ID_NOT_FOUND Dead
		`,
	}
	for name, script := range cases {
		t.Run(name, func(t *testing.T) { play(t, set, script) })
	}
}

// Offsets in a transaction count when its marker says commit; until then who asks for
// stable ones is told to wait.
func TestTransactions(t *testing.T) {
	withService(t, Settings{OffsetsRetention: time.Minute, RetentionCheckInterval: time.Minute}, func(h *house) {
		h.play(`commit offsets=t/0@1 -> ok`)
		inTransaction(h, 7, "t", 0, 50)
		inTransaction(h, 8, "t", 1, 60)
		h.play(`
			log reload
			fetch topics=t/0,t/1 -> t/0@1 t/1@-1
			fetch topics=t/0,t/1,t/2 stable=yes -> t/0@UNSTABLE_OFFSET_COMMIT t/1@UNSTABLE_OFFSET_COMMIT t/2@-1
			after 3m
			fetch -> t/0@1                         # does not expire meanwhile
		`)
		h.log.Put(record.EndTxn(7, 0, record.EndTxnMarker{Commit: true}, time.Now().UnixMilli()))
		h.log.Put(record.EndTxn(8, 0, record.EndTxnMarker{}, time.Now().UnixMilli()))
		h.play(`
			log reload
			fetch topics=t/0,t/1 stable=yes -> t/0@50 t/1@-1
			commit offsets=t/0@55 -> ok
		`)
		inTransaction(h, 7, "t", 0, 70)
		h.play(`
			log reload
			topicdeleted t -> ok
			fetch stable=yes topics=t/0 -> t/0@-1
		`)
		h.log.Put(record.EndTxn(7, 0, record.EndTxnMarker{Commit: true}, time.Now().UnixMilli()))
		h.play(`
			log reload
			fetch stable=yes topics=t/0 -> t/0@-1
		`)
	})
}

// inTransaction puts an offset of group g into the log, as a producer's transaction does.
func inTransaction(h *house, producer int64, topic string, partition int32, at int64) {
	h.Helper()
	b := record.NewBuilder(record.BuilderConfig{ProducerID: producer, Transactional: true})
	r, _ := offsetRecord(nil, "g", topic, partition, &offset{offset: at, leaderEpoch: -1, expireMillis: -1, commitMillis: time.Now().UnixMilli()})
	b.Append(record.Record{Timestamp: time.Now().UnixMilli(), Key: r.Key, Value: r.Value})
	batch, err := b.Build()
	if err != nil {
		h.Fatal(err)
	}
	h.log.Put(batch)
	synctest.Wait()
}

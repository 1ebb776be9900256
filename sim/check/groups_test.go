package check

import (
	"testing"
	"time"
)

// Groups, what they commit, what the cluster says of itself, life and rights.
func TestGroupsByHand(t *testing.T) {
	session := Options{Session: time.Second}
	complete := Options{Groups: map[string]Group{"g": {Complete: []string{"a"}}}}
	for _, c := range []tale{
		{"a partition goes from one to the other", nil, session, `
			1 assign group=g member=m generation=1 places=a/0,a/1
			1 heartbeat group=g member=m generation=1
			1 revoke group=g member=m generation=1 places=a/1
			2 assign group=g member=n generation=2 places=a/1
			1 heartbeat group=g member=m generation=2
			2 commitOffset a/1 offset=5 group=g member=n generation=2`},
		{"given to two in a generation", bad("C11"), Options{}, `
			1 assign group=g member=m generation=1 places=a/0
			2 assign group=g member=n generation=1 places=a/0`},
		{"given to two epochs of members", bad("C11"), Options{}, `
			1 assign group=g member=m generation=5 places=a/0 consumer
			2 assign group=g member=n generation=6 places=a/0 consumer
			1 heartbeat group=g member=m generation=6`},
		{"who heard late that it was thrown out", nil, session, `
			1 assign group=g member=m generation=5 places=a/0 consumer
			2 assign group=g member=n generation=6 places=a/0 consumer
			1 heartbeat group=g member=m generation=5 fail
			1 lost group=g member=m generation=5 places=a/0`},
		{"two own it, and one gives it up in order", bad("C11"), session, `
			1 assign group=g member=m generation=5 places=a/0 consumer
			1 heartbeat group=g member=m generation=5
			2 assign group=g member=n generation=6 places=a/0 consumer
			1 revoke group=g member=m generation=5 places=a/0`},
		{"given up in order, by who was not heard of for long", nil, session, `
			1 assign group=g member=m generation=5 places=a/0 consumer
			2 assign group=g member=n generation=6 places=a/0 consumer @2000000000-2000000010
			1 revoke group=g member=m generation=5 places=a/0 @2000000100-2000000110`},
		{"who lost it commits", bad("C11"), Options{}, `
			1 assign group=g member=m generation=5 places=a/0 consumer
			2 assign group=g member=n generation=6 places=a/0 consumer
			1 commitOffset a/0 offset=3 group=g member=m generation=6`},
		{"a member of an old generation is listened to", bad("C11"), Options{}, `
			1 assign group=g member=m generation=1 places=a/0
			1 revoke group=g member=m generation=1 places=a/0
			2 assign group=g member=n generation=2 places=a/0
			1 commitOffset a/0 offset=5 group=g member=m generation=1`},
		{"who was thrown out commits and gives up as a new member", nil, session, `
			1 assign group=g member=m generation=1 places=a/0
			1 heartbeat group=g member=m generation=1
			2 assign group=g member=n generation=2 places=a/0
			1 commitOffset a/0 offset=5 group=g member=o generation=3
			1 revoke group=g member=o generation=3 places=a/0
			2 commitOffset a/0 offset=6 group=g member=n generation=3`},
		{"who was given it again as a new member loses it and commits", bad("C11"), session, `
			1 assign group=g member=m generation=1 places=a/0
			1 assign group=g member=o generation=2 places=a/0
			2 assign group=g member=n generation=3 places=a/0
			1 commitOffset a/0 offset=5 group=g member=o generation=3`},
		{"a generation goes back", bad("C11"), Options{}, `
			1 assign group=g member=m generation=5 places=a/0 consumer
			1 assign group=g member=m generation=4 places=a/1 consumer`},

		{"commits and questions", nil, Options{}, `
			1 fetchOffset a/0 group=g
			1 commitOffset a/0 group=g offset=5
			2 fetchOffset a/0 group=g offset=5
			1 commitOffset a/0 group=g offset=6 info
			2 fetchOffset a/0 group=g offset=5
			2 fetchOffset a/0 group=g offset=6
			1 deleteOffset a/0 group=g
			1 fetchOffset a/0 group=g`},
		{"an offset is forgotten", bad("C12"), Options{}, `
			1 commitOffset a/0 group=g offset=5
			2 fetchOffset a/0 group=g`},
		{"an offset goes back by itself", bad("C12"), Options{}, `
			1 commitOffset a/0 group=g offset=5
			1 commitOffset a/0 group=g offset=6
			2 fetchOffset a/0 group=g offset=6
			2 fetchOffset a/0 group=g offset=5`},
		{"a deleted offset is back", bad("C12"), Options{}, `
			1 commitOffset a/0 group=g offset=5
			1 deleteOffset a/0 group=g
			2 fetchOffset a/0 group=g offset=5`},
		{"an offset that nobody committed", bad("C12"), Options{}, `2 fetchOffset a/0 group=g offset=0`},
		{"a refused commit counts", bad("C12"), Options{}, `
			1 commitOffset a/0 group=g offset=5 fail
			2 fetchOffset a/0 group=g offset=5`},
		{"a commit of which nobody was told counts, and then does not", bad("C12"), Options{}, `
			1 commitOffset a/0 group=g offset=5 info
			2 fetchOffset a/0 group=g offset=5
			2 fetchOffset a/0 group=g`},
		{"offsets of a transaction", nil, Options{}, `
			1 commitOffset a/0 group=g offset=5 txn=1
			2 fetchOffset a/0 group=g
			1 endTxn txn=1 commit
			2 fetchOffset a/0 group=g requireStable offset=5
			1 commitOffset a/0 group=g offset=9 txn=2
			1 endTxn txn=2
			2 fetchOffset a/0 group=g requireStable offset=5`},
		{"who does not ask for what is stable may see it late", nil, Options{}, `
			1 commitOffset a/0 group=g offset=5 txn=1
			1 endTxn txn=1 commit
			2 fetchOffset a/0 group=g`},
		{"the offsets of a committed transaction are not there", bad("C12"), Options{}, `
			1 commitOffset a/0 group=g offset=5 txn=1
			1 endTxn txn=1 commit
			2 fetchOffset a/0 group=g requireStable`},
		{"the offsets of an aborted transaction are there", bad("C12"), Options{}, `
			1 commitOffset a/0 group=g offset=5 txn=1
			1 endTxn txn=1
			2 fetchOffset a/0 group=g requireStable offset=5`},
		{"records are committed, and their offsets are not", bad("C12"), Options{}, `
			1 send a/0 1#0 offset=0 txn=1
			1 commitOffset b/0 group=g offset=5 txn=1
			1 endTxn txn=1 commit info
			9 poll a/0 committed 0:1#0
			2 fetchOffset b/0 group=g requireStable offset=5
			1 commitOffset b/0 group=g offset=6
			2 fetchOffset b/0 group=g requireStable offset=5`},
		{"offsets are committed, and their records are not", bad("C12"), Options{}, `
			1 send a/0 1#0 offset=0 txn=1
			1 commitOffset b/0 group=g offset=5 txn=1
			1 endTxn txn=1 commit info
			8 drain a/0 committed @2000-2100 start=0 high=2
			2 fetchOffset b/0 group=g requireStable offset=5`},

		{"topics come and go", nil, Options{}, `
			1 get key=topic/a absent
			1 create key=topic/a text=one
			1 create key=topic/a text=two fail err=exists
			1 get key=topic/a text=one
			1 put key=config/a/x text=1
			2 getStale key=config/a/x absent broker=1
			2 getStale key=config/a/x text=1 broker=1
			1 remove key=topic/a
			1 remove key=topic/a fail err=absent
			1 get key=topic/a absent
			2 metadataOffset broker=1 offset=5
			2 metadataOffset broker=2 offset=4
			2 metadataOffset broker=1 offset=6`},
		{"a created topic is not there", bad("C14"), Options{}, `
			1 create key=topic/a text=one
			1 get key=topic/a absent`},
		{"a deleted topic is back", bad("C14"), Options{}, `
			1 create key=topic/a text=one
			1 remove key=topic/a
			1 get key=topic/a text=one`},
		{"a topic is created twice", bad("C14"), Options{}, `
			1 create key=topic/a text=one
			1 create key=topic/a text=two`},
		{"a topic that is not there exists", bad("C14"), Options{}, `1 create key=topic/a text=one fail err=exists`},
		{"a config goes back", bad("C14"), Options{}, `
			1 put key=config/a/x text=1
			1 put key=config/a/x text=2
			1 get key=config/a/x text=1`},
		{"a broker's copy goes back", bad("C14"), Options{}, `
			1 put key=config/a/x text=1
			1 put key=config/a/x text=2
			2 getStale key=config/a/x text=2 broker=1
			2 getStale key=config/a/x text=1 broker=1`},
		{"what nobody was told the end of is done late", nil, Options{}, `
			1 put key=config/a/x text=1 info @10-60
			2 put key=config/a/x text=2 @70-80
			2 getStale key=config/a/x text=2 broker=1
			2 getStale key=config/a/x text=1 broker=1`},
		{"what nobody was told the end of is done late, and shown a second time", bad("C14"), Options{}, `
			1 put key=config/a/x text=1 info
			2 getStale key=config/a/x text=1 broker=2
			2 put key=config/a/x text=2
			2 getStale key=config/a/x text=2 broker=1
			2 getStale key=config/a/x text=1 broker=1`},
		{"a broker's copy goes back by two", bad("C14"), Options{}, `
			1 put key=config/a/x text=1 @1-15
			2 put key=config/a/x text=2 @10-60
			3 put key=config/a/x text=3 @20-70
			2 getStale key=config/a/x text=2 broker=1 @80-81
			2 getStale key=config/a/x text=3 broker=1 @82-83
			2 getStale key=config/a/x text=1 broker=1 @84-85`},
		{"another broker's copy is late", nil, Options{}, `
			1 put key=config/a/x text=1
			1 put key=config/a/x text=2
			2 getStale key=config/a/x text=2 broker=1
			2 getStale key=config/a/x text=1 broker=2`},
		{"a copy of what never was", bad("C14"), Options{}, `2 getStale key=config/a/x text=2 broker=1`},
		{"a copy of what will be", bad("C14"), Options{}, `
			2 getStale key=config/a/x text=2 broker=1
			1 put key=config/a/x text=2`},
		{"a broker goes back in the cluster's log", bad("C14"), Options{}, `
			2 metadataOffset broker=1 offset=5
			2 metadataOffset broker=1 offset=4`},

		{"a partition cannot be read to its end", bad("C17"), Options{}, `8 drain a/0 info`},
		{"a group never gets a record", bad("C17"), complete, `
			1 send a/0 1#0 offset=0
			1 send a/0 1#1 offset=1
			9 poll a/0 0:1#0 group=g
			7 poll a/0 1:1#1 group=h
			8 drain a/0 committed @2000-2100 start=0 high=2
			8 poll a/0 committed @2010-2020 0:1#0 1:1#1`},
		{"a group gets all", nil, complete, `
			1 send a/0 1#0 offset=0
			9 poll a/0 0:1#0 group=g
			8 drain a/0 committed @2000-2100 start=0 high=1
			8 poll a/0 committed @2010-2020 0:1#0`},

		{"the history contradicts itself: a value twice", bad("C0"), Options{}, `
			1 send a/0 1#0 offset=0
			1 send a/0 1#0 offset=1`},
		{"the history contradicts itself: an end before the beginning", bad("C0"), Options{}, `1 send a/0 1#0 offset=0 @20-10`},
		{"the history contradicts itself: no value", bad("C0"), Options{}, `1 send a/0 offset=0`},
		{"the history contradicts itself: no group", bad("C0"), Options{}, `1 commitOffset a/0 offset=0`},
		{"the history contradicts itself: a transaction begins twice", bad("C0"), Options{}, `
			1 beginTxn txn=1
			1 beginTxn txn=1`},
	} {
		c.run(t)
	}
}

// When faults are over.
func TestLifeByHand(t *testing.T) {
	alive := Options{Life: Life{Within: 100, Bound: 50}}
	for _, c := range []tale{
		{"all is answered in time", nil, alive, `
			1 send a/0 1#0 info @10-20
			7 heal @1000-1010
			1 send a/0 1#1 info @1020-1030
			1 send a/0 1#2 offset=1 @1200-1220
			1 initProducer transactionalId=x fail @1200-1220
			1 send a/0 1#3 info @1990-1995
			7 fault @2000-2000`},
		{"a send is not answered well", bad("C17"), alive, `
			7 heal @1000-1010
			1 send a/0 1#2 info @1200-1220
			7 fault @2000-2000`},
		{"a send is answered late", bad("C17"), alive, `
			7 heal @1000-1010
			1 send a/0 1#2 offset=0 @1200-1300
			7 fault @2000-2000`},
		{"a question is never answered", bad("C17"), alive, `
			7 heal @1000-1010
			1 fetchOffset a/0 group=g info @1200-9223372036854775807
			7 fault @2000-2000`},
	} {
		c.run(t)
	}
}

// Rules and rights.
func TestRightsByHand(t *testing.T) {
	o := Options{Rights: Rights{Super: []string{"User:root"}, Lag: 50}}
	for _, c := range []tale{
		{"what is allowed is done, what is not is not", nil, o, `
			1 allow key=r1 principal=User:x host=* operation=READ resource=topic:literal:a @10-20
			1 forbid key=r2 principal=User:* host=h operation=ALL resource=topic:prefixed:a @10-20
			2 access principal=User:x host=i operation=READ resource=topic:a @100-110
			2 access principal=User:x host=i operation=DESCRIBE resource=topic:a @100-110
			2 access principal=User:x host=i operation=WRITE resource=topic:a fail @100-110
			2 access principal=User:x host=h operation=READ resource=topic:a fail @100-110
			2 access principal=User:root host=h operation=READ resource=topic:a @100-110`},
		{"while a rule changes both are right", nil, o, `
			1 allow key=r1 principal=User:x host=* operation=READ resource=topic:literal:a @10-20
			2 access principal=User:x host=i operation=READ resource=topic:a @30-40
			2 access principal=User:x host=i operation=READ resource=topic:a fail @30-40
			1 remove key=r1 @200-210
			2 access principal=User:x host=i operation=READ resource=topic:a @220-230
			2 access principal=User:x host=i operation=READ resource=topic:a fail @220-230`},
		{"done without a rule", bad("C18"), o, `2 access principal=User:x host=i operation=READ resource=topic:a @100-110`},
		{"done by a rule for another", bad("C18"), o, `
			1 allow key=r1 principal=User:x host=* operation=READ resource=topic:literal:a @10-20
			2 access principal=User:y host=i operation=READ resource=topic:a @100-110`},
		{"done by a rule for another name", bad("C18"), o, `
			1 allow key=r1 principal=User:x host=* operation=READ resource=topic:literal:a @10-20
			2 access principal=User:x host=i operation=READ resource=topic:ab @100-110`},
		{"done by a rule that is gone", bad("C18"), o, `
			1 allow key=r1 principal=User:x host=* operation=READ resource=topic:literal:a @10-20
			1 remove key=r1 @30-40
			2 access principal=User:x host=i operation=READ resource=topic:a @100-110`},
		{"done though it is forbidden", bad("C18"), o, `
			1 allow key=r1 principal=User:x host=* operation=ALL resource=topic:literal:* @10-20
			1 forbid key=r2 principal=User:x host=* operation=READ resource=topic:literal:a @10-20
			2 access principal=User:x host=i operation=READ resource=topic:a @100-110`},
		{"refused though it is allowed", bad("C18"), o, `
			1 allow key=r1 principal=User:x host=* operation=ALL resource=topic:prefixed:o @10-20
			2 access principal=User:x host=i operation=READ resource=topic:orders fail @100-110`},
	} {
		c.run(t)
	}
}

// Share groups.
func TestSharesByHand(t *testing.T) {
	o := Options{ShareGroups: map[string]ShareGroup{"s": {Complete: []string{"a"}, Deliveries: 2}}}
	const sent = `
			1 send a/0 1#0 offset=0
			1 send a/0 1#1 offset=1
			`
	const drained = `
			8 drain a/0 committed @2000-2100 start=0 high=2
			8 poll a/0 committed @2010-2020 0:1#0 1:1#1`
	for _, c := range []tale{
		{"all is acknowledged", nil, o, sent + `
			2 shareAcquire a/0 0:1#0 1:1#1 group=s member=m deliveries=1,1
			2 shareAck a/0 0: group=s member=m
			2 shareAck a/0 1: group=s member=m ack=release
			3 shareAcquire a/0 1:1#1 group=s member=n deliveries=2
			3 shareAck a/0 1: group=s member=n ack=reject` + drained},
		{"given as often as is allowed", nil, o, sent + `
			2 shareAcquire a/0 0:1#0 1:1#1 group=s member=m deliveries=1,1
			2 shareAck a/0 0: group=s member=m info
			3 shareAcquire a/0 1:1#1 group=s member=n deliveries=2` + drained},
		{"given again after it was accepted", bad("C19"), Options{}, sent + `
			2 shareAcquire a/0 0:1#0 group=s member=m
			2 shareAck a/0 0: group=s member=m
			3 shareAcquire a/0 0:1#0 group=s member=n`},
		{"given again after it was rejected", bad("C19"), Options{}, sent + `
			2 shareAcquire a/0 0:1#0 group=s member=m
			2 shareAck a/0 0: group=s member=m ack=reject
			3 shareAcquire a/0 0:1#0 group=s member=n`},
		{"another group's affair", nil, Options{}, sent + `
			2 shareAcquire a/0 0:1#0 group=s member=m
			2 shareAck a/0 0: group=s member=m
			3 shareAcquire a/0 0:1#0 group=z member=n`},
		{"accepted twice", bad("C19"), Options{}, sent + `
			2 shareAcquire a/0 0:1#0 group=s member=m @1020-1028
			3 shareAcquire a/0 0:1#0 group=s member=n @1022-1029
			2 shareAck a/0 0: group=s member=m
			3 shareAck a/0 0: group=s member=n`},
		{"which is allowed to who was given it before", nil, Options{LateAcks: true}, sent + `
			2 shareAcquire a/0 0:1#0 group=s member=m @1020-1028
			3 shareAcquire a/0 0:1#0 group=s member=n @1022-1029
			2 shareAck a/0 0: group=s member=m
			3 shareAck a/0 0: group=s member=n`},
		{"but not after", bad("C19"), Options{LateAcks: true}, sent + `
			2 shareAcquire a/0 0:1#0 group=s member=m
			2 shareAck a/0 0: group=s member=m
			3 shareAcquire a/0 0:1#0 group=s member=n
			3 shareAck a/0 0: group=s member=n`},
		{"accepted by who was never given it", bad("C19"), Options{}, sent + `
			2 shareAcquire a/0 0:1#0 group=s member=m
			3 shareAck a/0 0: group=s member=n`},
		{"one is never given", bad("C19"), o, sent + `
			2 shareAcquire a/0 0:1#0 group=s member=m
			2 shareAck a/0 0: group=s member=m` + drained},
		{"one is given once, and forgotten", bad("C19"), o, sent + `
			2 shareAcquire a/0 0:1#0 1:1#1 group=s member=m deliveries=1,1
			2 shareAck a/0 0: group=s member=m` + drained},
		{"given what another has at that offset", bad("C2", "C4"), Options{}, sent + `
			2 shareAcquire a/0 0:1#1 group=s member=m`},
	} {
		c.run(t)
	}
}

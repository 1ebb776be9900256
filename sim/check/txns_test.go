package check

import (
	"testing"
	"time"
)

// Transactions, and those who make them.
func TestTransactionsByHand(t *testing.T) {
	for _, c := range []tale{
		{"one is committed, one aborted", nil, Options{}, `
			1 beginTxn txn=1
			1 send a/0 1#0 offset=0 txn=1
			1 send b/0 1#1 offset=0 txn=1
			1 endTxn txn=1 commit
			1 beginTxn txn=2
			1 send a/0 1#2 offset=2 txn=2
			1 endTxn txn=2
			8 drain a/0 @2000-2100 start=0 high=4
			8 poll a/0 @2010-2020 0:1#0 2:1#2
			8 drain a/0 committed @2200-2300 start=0 high=4
			8 poll a/0 committed @2210-2220 0:1#0
			8 drain b/0 committed @2400-2500 start=0 high=2
			8 poll b/0 committed @2410-2420 0:1#1`},
		{"nobody was told, and it is all there", nil, Options{}, `
			1 send a/0 1#0 offset=0 txn=1
			1 send a/0 1#1 offset=1 txn=1
			1 endTxn txn=1 commit info
			8 drain a/0 committed @2200-2300 start=0 high=3
			8 poll a/0 committed @2210-2220 0:1#0 1:1#1`},
		{"nobody was told, and nothing is there", nil, Options{}, `
			1 send a/0 1#0 offset=0 txn=1
			1 endTxn txn=1 commit info
			8 drain a/0 committed @2200-2300 start=0 high=3`},
		{"a send of which nobody was told is no part of it", nil, Options{}, `
			1 send a/0 1#0 offset=0 txn=1
			1 send a/0 1#1 info txn=1
			1 endTxn txn=1 commit
			8 drain a/0 committed @2200-2300 start=0 high=3
			8 poll a/0 committed @2210-2220 0:1#0`},

		{"aborted, and read as committed", bad("C5"), Options{}, `
			1 send a/0 1#0 offset=0 txn=1
			1 endTxn txn=1
			9 poll a/0 committed 0:1#0`},
		{"never ended, and read as committed", bad("C5"), Options{}, `
			1 send a/0 1#0 offset=0 txn=1
			9 poll a/0 committed 0:1#0`},
		{"refused to commit, and read as committed", bad("C5"), Options{}, `
			1 send a/0 1#0 offset=0 txn=1
			1 endTxn txn=1 commit fail
			9 poll a/0 committed 0:1#0`},
		{"aborted, and read by who reads all", nil, Options{}, `
			1 send a/0 1#0 offset=0 txn=1
			1 endTxn txn=1
			9 poll a/0 0:1#0`},

		{"torn: half of what was committed", bad("C6"), Options{}, `
			1 send a/0 1#0 offset=0 txn=1
			1 send b/0 1#1 offset=0 txn=1
			1 endTxn txn=1 commit
			8 drain a/0 committed @2200-2300 start=0 high=2
			8 poll a/0 committed @2210-2220 0:1#0
			8 drain b/0 committed @2400-2500 start=0 high=2`},
		{"torn: half, and nobody was told", bad("C6"), Options{}, `
			1 send a/0 1#0 offset=0 txn=1
			1 send b/0 1#1 offset=0 txn=1
			1 endTxn txn=1 commit info
			8 drain a/0 committed @2200-2300 start=0 high=2
			8 poll a/0 committed @2210-2220 0:1#0
			8 drain b/0 committed @2400-2500 start=0 high=2`},
		{"torn: what nobody was told of is there, the rest is not", bad("C6"), Options{}, `
			1 send a/0 1#0 info txn=1
			1 send b/0 1#1 offset=0 txn=1
			1 endTxn txn=1 commit info
			9 poll a/0 committed 0:1#0
			8 drain b/0 committed @2400-2500 start=0 high=2`},
		{"committed, and nothing is there", bad("C6"), Options{}, `
			1 send a/0 1#0 offset=0 txn=1
			1 endTxn txn=1 commit
			8 drain a/0 committed @2200-2300 start=0 high=2`},
		{"committed and aborted", bad("C6"), Options{}, `
			1 endTxn txn=1 commit
			1 endTxn txn=1`},
		{"a reader goes over a transaction", bad("C9"), Options{}, `
			1 send a/0 1#0 offset=0 txn=1
			1 endTxn txn=1 commit
			1 send a/0 1#1 offset=2
			9 poll a/0 committed from=0 2:1#1`},
		{"a reader goes over what was aborted", nil, Options{}, `
			1 send a/0 1#0 offset=0 txn=1
			1 endTxn txn=1
			1 send a/0 1#1 offset=2
			9 poll a/0 committed from=0 2:1#1`},

		{"read before it was asked to commit", bad("C7"), Options{}, `
			1 send a/0 1#0 offset=0 txn=1
			9 poll a/0 committed 0:1#0
			1 endTxn txn=1 commit`},
		{"read while it was asked to commit", nil, Options{}, `
			1 send a/0 1#0 offset=0 txn=1
			9 poll a/0 committed 0:1#0 @2010-2020
			1 endTxn txn=1 commit @2000-2030`},
		{"read above what is stable", bad("C7"), Options{}, `
			1 send a/0 1#0 offset=0
			9 poll a/0 committed 0:1#0 stable=0`},
		{"stable above the high watermark", bad("C7"), Options{}, `9 poll a/0 stable=5 high=4`},
		{"what is stable goes back", bad("C7"), Options{}, `
			8 poll a/0 stable=5 high=5
			9 poll a/0 stable=4 high=5`},
		{"what is stable goes back to below what was read", bad("C7"), Options{}, `
			1 send a/0 1#0 offset=4
			8 poll a/0 committed 4:1#0
			9 listOffset a/0 committed offset=4`},

		{"two read each other", bad("C7", "C8"), Options{}, `
			1 beginTxn txn=1 @10-11
			2 beginTxn txn=2 @12-13
			1 send a/0 1#0 offset=0 txn=1 @20-21
			2 send a/0 2#0 offset=1 txn=2 @22-23
			1 poll a/0 committed from=1 1:2#0 @30-31
			2 poll a/0 committed from=0 0:1#0 @32-33
			1 endTxn txn=1 commit @40-41
			2 endTxn txn=2 commit @42-43`},
		{"two read each other, as their ends went on", bad("C8"), Options{}, `
			1 beginTxn txn=1 @10-11
			2 beginTxn txn=2 @12-13
			1 send a/0 1#0 offset=0 txn=1 @20-21
			2 send a/0 2#0 offset=1 txn=2 @22-23
			1 endTxn txn=1 commit @30-50
			2 endTxn txn=2 commit @30-50
			1 poll a/0 committed from=1 1:2#0 @35-40
			2 poll a/0 committed from=0 0:1#0 @35-40`},
		{"it reads itself", bad("C8"), Options{}, `
			1 beginTxn txn=1 @10-11
			1 send a/0 1#0 offset=0 txn=1 @20-21
			1 endTxn txn=1 commit @30-50
			1 poll a/0 committed 0:1#0 @35-40`},
		{"one after the other", nil, Options{}, `
			1 beginTxn txn=1
			1 send a/0 1#0 offset=0 txn=1
			1 endTxn txn=1 commit
			2 beginTxn txn=2
			2 poll a/0 committed 0:1#0
			2 send b/0 2#0 offset=0 txn=2
			2 endTxn txn=2 commit
			1 beginTxn txn=3
			1 poll b/0 committed 0:2#0
			1 endTxn txn=3 commit`},

		{"a producer id for two", bad("C13"), Options{}, `
			1 initProducer producerId=7 producerEpoch=0
			2 initProducer producerId=7 producerEpoch=0`},
		{"a producer id for two transactional ids", bad("C13"), Options{}, `
			1 initProducer transactionalId=x producerId=7 producerEpoch=0
			2 initProducer transactionalId=y producerId=7 producerEpoch=1`},
		{"an epoch twice", bad("C13"), Options{}, `
			1 initProducer transactionalId=x producerId=7 producerEpoch=3
			2 initProducer transactionalId=x producerId=7 producerEpoch=3`},
		{"an epoch goes back", bad("C13"), Options{}, `
			1 initProducer transactionalId=x producerId=7 producerEpoch=3
			2 initProducer transactionalId=x producerId=7 producerEpoch=2`},
		{"a negative epoch", bad("C13"), Options{}, `1 initProducer transactionalId=x producerId=7 producerEpoch=-32768`},
		{"back to an id that was left", bad("C13"), Options{}, `
			1 initProducer transactionalId=x producerId=7 producerEpoch=32766
			1 initProducer transactionalId=x producerId=8 producerEpoch=0
			1 initProducer transactionalId=x producerId=7 producerEpoch=32767`},
		{"a new id when epochs are used up", nil, Options{}, `
			1 initProducer transactionalId=x producerId=7 producerEpoch=32766
			1 initProducer transactionalId=x producerId=8 producerEpoch=0
			1 initProducer transactionalId=x producerId=8 producerEpoch=1`},
		{"a zombie writes", bad("C13"), Options{}, `
			1 initProducer transactionalId=x producerId=7 producerEpoch=3
			2 initProducer transactionalId=x producerId=7 producerEpoch=4
			1 send a/0 1#0 offset=0 producerId=7 producerEpoch=3`},
		{"a zombie commits", bad("C13"), Options{}, `
			1 initProducer transactionalId=x producerId=7 producerEpoch=3
			2 initProducer transactionalId=x producerId=7 producerEpoch=4
			1 endTxn txn=1 commit producerId=7 producerEpoch=3`},
		{"a zombie is refused", nil, Options{}, `
			1 initProducer transactionalId=x producerId=7 producerEpoch=3
			2 initProducer transactionalId=x producerId=7 producerEpoch=4
			1 send a/0 1#0 fail producerId=7 producerEpoch=3
			2 send a/0 2#0 offset=0 producerId=7 producerEpoch=4
			2 send a/0 2#1 offset=1 producerId=7 producerEpoch=5`},

		{"a transaction hangs", bad("C17"), Options{}, `
			1 send a/0 1#0 offset=0 txn=1
			8 drain a/0 @2000-2100 start=0 high=1
			8 poll a/0 @2010-2020 0:1#0
			8 drain a/0 committed @2200-2300 start=0 high=0`},
	} {
		c.run(t)
	}
}

// Compacted topics.
func TestCompactionByHand(t *testing.T) {
	compacted := Options{Topics: map[string]Topic{"a": {Compacted: true, DeleteRetention: time.Second}}}
	for _, c := range []tale{
		{"the last of each key is there", nil, compacted, `
			1 send a/0 1#0 offset=0 key=k
			1 send a/0 1#1 offset=1 key=l
			1 send a/0 1#2 offset=2 key=k
			8 drain a/0 @2000-2100 start=0 high=3
			8 poll a/0 @2010-2020 1:1#1 2:1#2`},
		{"the last of a key is gone", bad("C16"), compacted, `
			1 send a/0 1#0 offset=0 key=k
			1 send a/0 1#1 offset=1 key=l
			8 drain a/0 @2000-2100 start=0 high=2
			8 poll a/0 @2010-2020 0:1#0`},
		{"an older one was kept instead", bad("C16"), compacted, `
			1 send a/0 1#0 offset=0 key=k
			1 send a/0 1#1 offset=1 key=k
			8 drain a/0 @2000-2100 start=0 high=2
			8 poll a/0 @2010-2020 0:1#0`},
		{"a tombstone goes in its time", nil, compacted, `
			1 send a/0 1#0 offset=0 key=k
			1 send a/0 1#1 offset=1 key=k absent
			8 drain a/0 @2000000000-2000000100 start=0 high=2`},
		{"a tombstone goes too soon", bad("C16"), compacted, `
			1 send a/0 1#0 offset=0 key=k
			1 send a/0 1#1 offset=1 key=k absent
			8 drain a/0 @2000-2100 start=0 high=2`},
		{"what was deleted is back", bad("C16"), compacted, `
			1 send a/0 1#0 offset=0 key=k
			1 send a/0 1#1 offset=1 key=k absent
			8 drain a/0 @2000000000-2000000100 start=0 high=2
			8 poll a/0 @2000000010-2000000020 0:1#0`},
		{"an aborted record hides nothing", bad("C16"), compacted, `
			1 send a/0 1#0 offset=0 key=k
			1 send a/0 1#1 offset=1 key=k txn=1
			1 endTxn txn=1
			8 drain a/0 @2000-2100 start=0 high=3`},
		{"a compacted log is too short", bad("C1", "C10"), compacted, `
			1 send a/0 1#0 offset=0 key=k
			8 drain a/0 @2000-2100 start=0 high=0`},
	} {
		c.run(t)
	}
}

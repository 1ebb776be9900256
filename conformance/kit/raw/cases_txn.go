package raw

import (
	"encoding/binary"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// begin makes a producer for a case's transactional id: a new epoch each time.
func (s *session) begin(name string, v int16) {
	find := kmsg.NewPtrFindCoordinatorRequest()
	find.CoordinatorType, find.CoordinatorKey = 1, txnID(name, v)
	init := kmsg.NewPtrInitProducerIDRequest()
	init.TransactionalID, init.TransactionTimeoutMillis = ptr(txnID(name, v)), 60000
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		if r, err := s.ask(find, 3); err != nil || r.(*kmsg.FindCoordinatorResponse).ErrorCode != 0 {
			continue
		}
		r, err := s.ask(init, 4)
		if a, ok := r.(*kmsg.InitProducerIDResponse); err == nil && ok && a.ErrorCode == 0 {
			s.producer = identity{a.ProducerID, a.ProducerEpoch}
			return
		}
	}
}

func txnID(name string, v int16) string { return fmt.Sprintf("raw.tx.%s.%d", slug(name), v) }

// add adds partition 0 of the scratch topic to the transaction, as older clients do.
func (s *session) add(name string, v int16) {
	r := kmsg.NewPtrAddPartitionsToTxnRequest()
	r.TransactionalID, r.ProducerID, r.ProducerEpoch = txnID(name, v), s.producer.id, s.producer.epoch
	r.Topics = []kmsg.AddPartitionsToTxnRequestTopic{{Topic: scratch, Partitions: []int32{0}}}
	s.again(func() (int16, error) {
		a, err := s.ask(r, 3)
		if err != nil {
			return 0, err
		}
		return a.(*kmsg.AddPartitionsToTxnResponse).Topics[0].Partitions[0].ErrorCode, nil
	})
}

// again asks until the answer is no more that another transaction of the producer is on
// its way to its end.
func (s *session) again(ask func() (int16, error)) {
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if code, err := ask(); err != nil || code != 51 {
			return
		}
	}
}

// end ends the transaction of a case, and waits until that is done.
func (s *session) end(name string, v int16, commit bool) {
	r := kmsg.NewPtrEndTxnRequest()
	r.TransactionalID, r.ProducerID, r.ProducerEpoch, r.Commit = txnID(name, v), s.producer.id, s.producer.epoch, commit
	for range 2 { // the second one is answered when the first is done
		s.again(func() (int16, error) {
			a, err := s.ask(r, 4)
			if err != nil {
				return 0, err
			}
			return a.(*kmsg.EndTxnResponse).ErrorCode, nil
		})
	}
}

// in is a batch of the case's producer, in its transaction.
func (s *session) in(sequence uint32) []byte {
	b := batch(3)
	binary.BigEndian.PutUint16(b[21:], 0x10)
	binary.BigEndian.PutUint64(b[43:], uint64(s.producer.id))
	binary.BigEndian.PutUint16(b[51:], uint16(s.producer.epoch))
	binary.BigEndian.PutUint32(b[53:], sequence)
	return seal(b)
}

// begun makes a case in which a producer of its own name has begun.
func begun(name string, make func(s *session, v int16) kmsg.Request) one {
	return one{name: name, make: make, before: func(s *session, v int16) { s.begin(name, v) }}
}

// open makes a case in which a transaction of the scratch topic is open.
func open(name string, make func(s *session, v int16) kmsg.Request) one {
	return one{name: name, make: make, before: func(s *session, v int16) {
		s.begin(name, v)
		s.add(name, v)
	}}
}

func txnCases() []one {
	return slices.Concat(initCases(), enlistCases(), endCases(), transactionalCases(), watchCases())
}

func initCases() []one {
	init := func(name string, set func(s *session, r *kmsg.InitProducerIDRequest)) one {
		return begun("init "+name, func(s *session, v int16) kmsg.Request {
			r := kmsg.NewPtrInitProducerIDRequest()
			r.TransactionalID, r.TransactionTimeoutMillis = ptr(txnID("init "+name, v)), 60000
			r.ProducerID, r.ProducerEpoch = -1, -1
			set(s, r)
			return r
		})
	}
	return []one{
		init("again", func(*session, *kmsg.InitProducerIDRequest) {}),
		init("too long", func(_ *session, r *kmsg.InitProducerIDRequest) { r.TransactionTimeoutMillis = 1 << 30 }),
		init("no time", func(_ *session, r *kmsg.InitProducerIDRequest) { r.TransactionTimeoutMillis = 0 }),
		init("less than none", func(_ *session, r *kmsg.InitProducerIDRequest) { r.TransactionTimeoutMillis = -1 }),
		from(3, init("as it is", func(s *session, r *kmsg.InitProducerIDRequest) {
			r.ProducerID, r.ProducerEpoch = s.producer.id, s.producer.epoch
		})),
		from(3, init("another's id", func(s *session, r *kmsg.InitProducerIDRequest) { r.ProducerID, r.ProducerEpoch = 9_000_000, 0 })),
		from(3, init("an epoch to come", func(s *session, r *kmsg.InitProducerIDRequest) {
			r.ProducerID, r.ProducerEpoch = s.producer.id, s.producer.epoch+5
		})),
		open("init while open", func(s *session, v int16) kmsg.Request {
			r := kmsg.NewPtrInitProducerIDRequest()
			r.TransactionalID, r.TransactionTimeoutMillis = ptr(txnID("init while open", v)), 60000
			r.ProducerID, r.ProducerEpoch = -1, -1
			return r
		}),
	}
}

func enlistCases() []one {
	add := func(name, id, of string, partition int32, set func(*kmsg.AddPartitionsToTxnRequest)) one {
		return begun("add "+name, func(s *session, v int16) kmsg.Request {
			r := kmsg.NewPtrAddPartitionsToTxnRequest()
			if id == "" {
				r.TransactionalID = txnID("add "+name, v)
			} else {
				r.TransactionalID = id
			}
			r.ProducerID, r.ProducerEpoch = s.producer.id, s.producer.epoch
			r.Topics = []kmsg.AddPartitionsToTxnRequestTopic{{Topic: of, Partitions: []int32{partition}}}
			t := kmsg.NewAddPartitionsToTxnRequestTransaction()
			t.TransactionalID, t.ProducerID, t.ProducerEpoch = r.TransactionalID, r.ProducerID, r.ProducerEpoch
			t.Topics = []kmsg.AddPartitionsToTxnRequestTransactionTopic{{Topic: of, Partitions: []int32{partition}}}
			r.Transactions = append(r.Transactions, t)
			if set != nil {
				set(r)
			}
			return r
		})
	}
	offsets := func(name string, set func(*kmsg.AddOffsetsToTxnRequest)) one {
		return begun("offsets "+name, func(s *session, v int16) kmsg.Request {
			r := kmsg.NewPtrAddOffsetsToTxnRequest()
			r.TransactionalID, r.ProducerID, r.ProducerEpoch, r.Group = txnID("offsets "+name, v), s.producer.id, s.producer.epoch, "raw.tx"
			set(r)
			return r
		})
	}
	return []one{
		add("good", "", scratch, 0, nil),
		add("unknown topic", "", "raw.unknown", 0, nil),
		add("unknown partition", "", scratch, 9, nil),
		add("stranger", "raw.tx.stranger", scratch, 0, nil),
		add("another's id", "", scratch, 0, func(r *kmsg.AddPartitionsToTxnRequest) { r.ProducerID++; r.Transactions[0].ProducerID++ }),
		add("an epoch to come", "", scratch, 0, func(r *kmsg.AddPartitionsToTxnRequest) { r.ProducerEpoch++; r.Transactions[0].ProducerEpoch++ }),
		add("an old epoch", "", scratch, 0, func(r *kmsg.AddPartitionsToTxnRequest) { r.ProducerEpoch--; r.Transactions[0].ProducerEpoch-- }),
		add("nothing", "", scratch, 0, func(r *kmsg.AddPartitionsToTxnRequest) { r.Topics, r.Transactions[0].Topics = nil, nil }),
		from(4, add("is it in", "", scratch, 0, func(r *kmsg.AddPartitionsToTxnRequest) { r.Transactions[0].VerifyOnly = true })),
		from(4, add("two", "", scratch, 0, func(r *kmsg.AddPartitionsToTxnRequest) {
			t := r.Transactions[0]
			t.TransactionalID = "raw.tx.stranger"
			r.Transactions = append(r.Transactions, t)
		})),
		offsets("good", func(*kmsg.AddOffsetsToTxnRequest) {}),
		offsets("stranger", func(r *kmsg.AddOffsetsToTxnRequest) { r.TransactionalID = "raw.tx.stranger" }),
		offsets("another's id", func(r *kmsg.AddOffsetsToTxnRequest) { r.ProducerID++ }),
		offsets("an epoch to come", func(r *kmsg.AddOffsetsToTxnRequest) { r.ProducerEpoch++ }),
		offsets("no group", func(r *kmsg.AddOffsetsToTxnRequest) { r.Group = "" }),
	}
}

func endCases() []one {
	end := func(name string, opened, commit bool, set func(*kmsg.EndTxnRequest)) one {
		make := func(s *session, v int16) kmsg.Request {
			r := kmsg.NewPtrEndTxnRequest()
			r.TransactionalID, r.ProducerID, r.ProducerEpoch, r.Commit = txnID("end "+name, v), s.producer.id, s.producer.epoch, commit
			if set != nil {
				set(r)
			}
			return r
		}
		if opened {
			return open("end "+name, make)
		}
		return begun("end "+name, make)
	}
	twice := func(name string, first, second bool) one {
		o := end(name, true, second, nil)
		before := o.before
		o.before = func(s *session, v int16) {
			before(s, v)
			s.end("end "+name, v, first)
		}
		return o
	}
	mark := func(name, of string, partition int32, set func(*kmsg.WriteTxnMarkersRequestMarker)) one {
		return at("mark "+name, func(s *session) kmsg.Request {
			r := kmsg.NewPtrWriteTxnMarkersRequest()
			m := kmsg.NewWriteTxnMarkersRequestMarker()
			m.ProducerID, m.ProducerEpoch, m.Committed, m.CoordinatorEpoch = 6_000_000, 1, true, 0
			m.Topics = []kmsg.WriteTxnMarkersRequestMarkerTopic{{Topic: of, Partitions: []int32{partition}}}
			if set != nil {
				set(&m)
			}
			r.Markers = append(r.Markers, m)
			return r
		})
	}
	return []one{
		end("commit", true, true, nil), end("abort", true, false, nil),
		end("commit nothing", false, true, nil), end("abort nothing", false, false, nil),
		end("stranger", false, true, func(r *kmsg.EndTxnRequest) { r.TransactionalID = "raw.tx.stranger" }),
		end("no name", false, true, func(r *kmsg.EndTxnRequest) { r.TransactionalID = "" }),
		end("another's id", true, true, func(r *kmsg.EndTxnRequest) { r.ProducerID++ }),
		end("an epoch to come", true, true, func(r *kmsg.EndTxnRequest) { r.ProducerEpoch++ }),
		end("an old epoch", true, true, func(r *kmsg.EndTxnRequest) { r.ProducerEpoch-- }),
		twice("commit again", true, true), twice("abort again", false, false),
		twice("abort what was committed", true, false), twice("commit what was aborted", false, true),
		mark("commit", scratch, 0, nil), mark("abort", scratch, 0, func(m *kmsg.WriteTxnMarkersRequestMarker) { m.Committed = false }),
		mark("old producer epoch", scratch, 0, func(m *kmsg.WriteTxnMarkersRequestMarker) { m.ProducerEpoch = 0 }),
		mark("old coordinator", scratch, 0, func(m *kmsg.WriteTxnMarkersRequestMarker) { m.CoordinatorEpoch = -1 }),
		mark("new coordinator", scratch, 0, func(m *kmsg.WriteTxnMarkersRequestMarker) { m.CoordinatorEpoch = 3 }),
		mark("unknown topic", "raw.unknown", 0, nil), mark("unknown partition", scratch, 9, nil),
		mark("offsets of nobody", "__consumer_offsets", 0, nil),
		from(2, mark("of version 2", scratch, 0, func(m *kmsg.WriteTxnMarkersRequestMarker) {
			m.ProducerID, m.ProducerEpoch, m.TransactionVersion = 6_000_001, 1, 2
		})),
	}
}

// transactionalCases write, commit offsets and read in transactions.
func transactionalCases() []one {
	put := func(name string, prepared func(string, func(*session, int16) kmsg.Request) one, set func(s *session, r *kmsg.ProduceRequest)) one {
		return from(3, prepared("put "+name, func(s *session, v int16) kmsg.Request {
			r := s.produce(scratch, 0, s.in(0))
			r.TransactionID = ptr(txnID("put "+name, v))
			if set != nil {
				set(s, r)
			}
			return r
		}))
	}
	commit := func(name string, set func(r *kmsg.TxnOffsetCommitRequest)) one {
		name = "commit " + name
		o := begun(name, func(s *session, v int16) kmsg.Request {
			r := kmsg.NewPtrTxnOffsetCommitRequest()
			r.TransactionalID, r.Group, r.ProducerID, r.ProducerEpoch, r.Generation = txnID(name, v), fmt.Sprintf("raw.tx.group.%d", v), s.producer.id, s.producer.epoch, -1
			t := kmsg.NewTxnOffsetCommitRequestTopic()
			t.Topic, t.TopicID = topic, s.ids[topic]
			p := kmsg.NewTxnOffsetCommitRequestTopicPartition()
			p.Partition, p.Offset, p.Metadata = 0, 5, ptr("note")
			t.Partitions = append(t.Partitions, p)
			r.Topics = append(r.Topics, t)
			set(r)
			return r
		})
		before := o.before
		o.before = func(s *session, v int16) {
			before(s, v)
			r := kmsg.NewPtrAddOffsetsToTxnRequest()
			r.TransactionalID, r.ProducerID, r.ProducerEpoch, r.Group = txnID(name, v), s.producer.id, s.producer.epoch, fmt.Sprintf("raw.tx.group.%d", v)
			_, _ = s.ask(r, 3)
		}
		return o
	}
	fetch := func(name string, stable bool) one {
		return from(7, one{name: "pending " + name, make: func(s *session, v int16) kmsg.Request {
			r := kmsg.NewPtrOffsetFetchRequest()
			r.Group, r.RequireStable = "raw.tx.group.0", stable
			r.Topics = []kmsg.OffsetFetchRequestTopic{{Topic: topic, Partitions: []int32{0, 1}}}
			g := kmsg.NewOffsetFetchRequestGroup()
			g.Group = r.Group
			g.Topics = []kmsg.OffsetFetchRequestGroupTopic{{Topic: topic, TopicID: s.ids[topic], Partitions: []int32{0, 1}}}
			r.Groups = append(r.Groups, g)
			return r
		}})
	}
	return []one{
		put("good", open, nil),
		put("not added", begun, nil),
		put("another's id", open, func(s *session, r *kmsg.ProduceRequest) { r.TransactionID = ptr("raw.tx.stranger") }),
		put("no id", open, func(s *session, r *kmsg.ProduceRequest) { r.TransactionID = nil }),
		put("an old epoch", open, func(s *session, r *kmsg.ProduceRequest) {
			b := r.Topics[0].Partitions[0].Records
			binary.BigEndian.PutUint16(b[51:], uint16(s.producer.epoch-1))
			seal(b)
		}),
		put("an epoch to come", open, func(s *session, r *kmsg.ProduceRequest) {
			b := r.Topics[0].Partitions[0].Records
			binary.BigEndian.PutUint16(b[51:], uint16(s.producer.epoch+1))
			seal(b)
		}),
		put("acks one", open, func(s *session, r *kmsg.ProduceRequest) { r.Acks = 1 }),
		commit("good", func(*kmsg.TxnOffsetCommitRequest) {}),
		commit("unknown topic", func(r *kmsg.TxnOffsetCommitRequest) {
			r.Topics[0].Topic, r.Topics[0].TopicID = "raw.unknown", [16]byte{9}
		}),
		commit("unknown partition", func(r *kmsg.TxnOffsetCommitRequest) { r.Topics[0].Partitions[0].Partition = 9 }),
		commit("long note", func(r *kmsg.TxnOffsetCommitRequest) {
			r.Topics[0].Partitions[0].Metadata = ptr(string(make([]byte, 5000)))
		}),
		commit("another group", func(r *kmsg.TxnOffsetCommitRequest) { r.Group = "raw.tx.other" }),
		commit("an old epoch", func(r *kmsg.TxnOffsetCommitRequest) { r.ProducerEpoch-- }),
		from(3, commit("stranger", func(r *kmsg.TxnOffsetCommitRequest) { r.MemberID, r.Generation = "stranger", 3 })),
		commit("no group", func(r *kmsg.TxnOffsetCommitRequest) { r.Group = "" }),
		fetch("stable", true), fetch("as it is", false),
	}
}

// watchCases tell of transactions.
func watchCases() []one {
	describe := func(name string, ids ...string) one {
		return at("describe "+name, func(*session) kmsg.Request {
			r := kmsg.NewPtrDescribeTransactionsRequest()
			r.TransactionalIDs = ids
			return r
		})
	}
	list := func(name string, set func(r *kmsg.ListTransactionsRequest)) one {
		return at("list "+name, func(*session) kmsg.Request {
			r := kmsg.NewPtrListTransactionsRequest()
			r.DurationFilterMillis = -1
			set(r)
			return r
		})
	}
	of := func(name string, level int8) one {
		return from(4, at("read "+name, func(s *session) kmsg.Request {
			r := kmsg.NewPtrFetchRequest()
			r.MaxBytes, r.ReplicaID, r.SessionEpoch, r.IsolationLevel = 1<<20, -1, -1, level
			t := kmsg.NewFetchRequestTopic()
			t.Topic, t.TopicID = scratch, s.ids[scratch]
			p := kmsg.NewFetchRequestTopicPartition()
			p.FetchOffset, p.PartitionMaxBytes, p.CurrentLeaderEpoch = 1000, 1<<20, -1
			t.Partitions = append(t.Partitions, p)
			r.Topics = append(r.Topics, t)
			return r
		}))
	}
	latest := func(name string, level int8) one {
		return from(2, at("end "+name, func(s *session) kmsg.Request {
			r := s.listOffsets(scratch, 0, -1, -1)
			r.IsolationLevel = level
			return r
		}))
	}
	return []one{
		describe("open", txnID("add good", 0)), describe("done", txnID("end commit", 0), txnID("end abort", 0)),
		describe("empty", txnID("end commit nothing", 0)), describe("unknown", "raw.tx.stranger"), describe("no name", ""),
		list("all", func(*kmsg.ListTransactionsRequest) {}),
		list("of a state", func(r *kmsg.ListTransactionsRequest) { r.StateFilters = []string{"Ongoing", "Lost"} }),
		list("of nobody", func(r *kmsg.ListTransactionsRequest) { r.ProducerIDFilters = []int64{9_000_000} }),
		from(1, list("old ones", func(r *kmsg.ListTransactionsRequest) { r.DurationFilterMillis = 1 << 40 })),
		from(2, list("by a pattern", func(r *kmsg.ListTransactionsRequest) { r.TransactionalIDPattern = ptr("raw\\.tx\\.end-com.*") })),
		from(2, list("by a wrong pattern", func(r *kmsg.ListTransactionsRequest) { r.TransactionalIDPattern = ptr("(") })),
		of("committed", 1), of("uncommitted", 0), latest("committed", 1), latest("uncommitted", 0),
	}
}

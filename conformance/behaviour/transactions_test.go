package behaviour

import (
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

const transactional = 1 << 4 // attribute of a batch

// txn is a transactional producer.
type txn struct {
	*conn
	name  string
	id    int64
	epoch int16
	next  int32 // sequence number in partition 0 of any topic
}

// inits asks for the producer of a transactional id, as one that is new.
func (c *conn) inits(version int16, name string, timeoutMillis int32) *kmsg.InitProducerIDResponse {
	c.t.Helper()
	return c.resumes(version, name, timeoutMillis, -1, -1)
}

// resumes asks as one that had a producer id and epoch.
func (c *conn) resumes(version int16, name string, timeoutMillis int32, id int64, epoch int16) *kmsg.InitProducerIDResponse {
	c.t.Helper()
	req := kmsg.NewPtrInitProducerIDRequest()
	req.TransactionalID, req.TransactionTimeoutMillis, req.ProducerID, req.ProducerEpoch = &name, timeoutMillis, id, epoch
	return ask[*kmsg.InitProducerIDResponse](c, version, req)
}

// txn is a producer of a transactional id, when there is a coordinator.
func (n *node) txn(name string) *txn {
	n.t.Helper()
	c := n.dial()
	for range 500 {
		find := kmsg.NewPtrFindCoordinatorRequest()
		find.CoordinatorType, find.CoordinatorKeys = 1, []string{name}
		if ask[*kmsg.FindCoordinatorResponse](c, 4, find).Coordinators[0].ErrorCode == 0 {
			if resp := c.inits(4, name, 60_000); resp.ErrorCode == 0 {
				return &txn{conn: c, name: name, id: resp.ProducerID, epoch: resp.ProducerEpoch}
			}
		}
		time.Sleep(20 * time.Millisecond)
	}
	n.t.Fatalf("transactional id %s has no coordinator", name)
	return nil
}

// batch is a batch of the producer's transaction.
func (x *txn) batch(values ...string) *batch {
	b := newBatch(values...).by(x.id, x.epoch, x.next)
	b.Attributes |= transactional
	return b
}

// write produces into partition 0 in a version.
func (x *txn) write(version int16, topic string, values ...string) int16 {
	x.t.Helper()
	req := produceRequest(-1, topic, [16]byte{}, x.batch(values...).bytes())
	req.TransactionID = &x.name
	code := ask[*kmsg.ProduceResponse](x.conn, version, req).Topics[0].Partitions[0].ErrorCode
	if code == 0 {
		x.next += int32(len(values))
	}
	return code
}

// add has partition 0 of a topic join the transaction, as clients do.
func (x *txn) add(version int16, topic string) int16 {
	x.t.Helper()
	req := kmsg.NewPtrAddPartitionsToTxnRequest()
	req.TransactionalID, req.ProducerID, req.ProducerEpoch = x.name, x.id, x.epoch
	req.Topics = []kmsg.AddPartitionsToTxnRequestTopic{{Topic: topic, Partitions: []int32{0}}}
	return ask[*kmsg.AddPartitionsToTxnResponse](x.conn, version, req).Topics[0].Partitions[0].ErrorCode
}

// end asks for an end, and becomes who the answer says.
func (x *txn) end(version int16, commit bool) int16 {
	x.t.Helper()
	resp := x.asksEnd(version, commit)
	if version >= 5 && resp.ErrorCode == 0 {
		x.id, x.epoch, x.next = resp.ProducerID, resp.ProducerEpoch, 0
	}
	return resp.ErrorCode
}

func (x *txn) asksEnd(version int16, commit bool) *kmsg.EndTxnResponse {
	x.t.Helper()
	req := kmsg.NewPtrEndTxnRequest()
	req.TransactionalID, req.ProducerID, req.ProducerEpoch, req.Commit = x.name, x.id, x.epoch, commit
	return ask[*kmsg.EndTxnResponse](x.conn, version, req)
}

func (x *txn) state() kmsg.DescribeTransactionsResponseTransactionState {
	x.t.Helper()
	req := kmsg.NewPtrDescribeTransactionsRequest()
	req.TransactionalIDs = []string{x.name}
	return ask[*kmsg.DescribeTransactionsResponse](x.conn, 0, req).TransactionStates[0]
}

// mark sends the marker of a transaction to partition 0 of a topic.
func (c *conn) mark(topic string, id int64, epoch int16, version int8) int16 {
	c.t.Helper()
	req := kmsg.NewPtrWriteTxnMarkersRequest()
	m := kmsg.NewWriteTxnMarkersRequestMarker()
	m.ProducerID, m.ProducerEpoch, m.Committed, m.TransactionVersion = id, epoch, true, version
	m.Topics = []kmsg.WriteTxnMarkersRequestMarkerTopic{{Topic: topic, Partitions: []int32{0}}}
	req.Markers = []kmsg.WriteTxnMarkersRequestMarker{m}
	return ask[*kmsg.WriteTxnMarkersResponse](c, 2, req).Markers[0].Topics[0].Partitions[0].ErrorCode
}

// commitOffset commits an offset of partition 0 of a topic for a group, as a part of the
// transaction.
func (x *txn) commitOffset(group, topic string, offset int64) int16 {
	x.t.Helper()
	req := kmsg.NewPtrTxnOffsetCommitRequest()
	req.TransactionalID, req.Group, req.ProducerID, req.ProducerEpoch = x.name, group, x.id, x.epoch
	t := kmsg.NewTxnOffsetCommitRequestTopic()
	t.Topic = topic
	p := kmsg.NewTxnOffsetCommitRequestTopicPartition()
	p.Offset = offset
	t.Partitions = append(t.Partitions, p)
	req.Topics = append(req.Topics, t)
	return ask[*kmsg.TxnOffsetCommitResponse](x.conn, 5, req).Topics[0].Partitions[0].ErrorCode
}

// stable asks for offsets of a group, none of which may be in an open transaction: of
// partition 0 of each topic.
func (c *conn) stable(group string, topics ...string) []kmsg.OffsetFetchResponseGroupTopic {
	c.t.Helper()
	req := kmsg.NewPtrOffsetFetchRequest()
	req.RequireStable = true
	g := kmsg.NewOffsetFetchRequestGroup()
	g.Group = group
	for _, topic := range topics {
		t := kmsg.NewOffsetFetchRequestGroupTopic()
		t.Topic, t.Partitions = topic, []int32{0}
		g.Topics = append(g.Topics, t)
	}
	req.Groups = append(req.Groups, g)
	resp := ask[*kmsg.OffsetFetchResponse](c, 8, req).Groups[0]
	expect(c.t, "OffsetFetch", resp.ErrorCode, nil)
	return resp.Topics
}

func TestBehaviour099OffsetsOfAnOpenTransaction(t *testing.T) {
	onNode(t, nil, func(n *node) {
		admin := n.member("g", "")
		admin.generation = -1
		for _, topic := range []string{"t", "u"} {
			admin.create(topic, 1)
			expect(t, "commit", admin.commit(topic, 3, "").ErrorCode, nil)
		}
		x := n.txn("x")
		for _, end := range []struct {
			commit bool
			want   int64
		}{{false, 3}, {true, 7}} {
			expect(t, "commit in a transaction", x.commitOffset("g", "t", 7), nil)
			got := admin.stable("g", "t", "u")
			expect(t, "while it is open", got[0].Partitions[0].ErrorCode, kerr.UnstableOffsetCommit)
			same(t, "offset", got[0].Partitions[0].Offset, -1)
			expect(t, "of another topic", got[1].Partitions[0].ErrorCode, nil)
			same(t, "offset of another topic", got[1].Partitions[0].Offset, 3)
			same(t, "for who does not mind", admin.committed("g", "t"), 3)
			expect(t, "end", x.end(5, end.commit), nil)
			time.Sleep(time.Second)
			got = admin.stable("g", "t")
			expect(t, "after the end", got[0].Partitions[0].ErrorCode, nil)
			same(t, "offset after the end", got[0].Partitions[0].Offset, end.want)
		}
	})
}

func TestBehaviour100PendingOffsetsDoNotExpire(t *testing.T) {
	onNode(t, props{"offsets.retention.minutes": "1", "offsets.retention.check.interval.ms": "10000"}, func(n *node) {
		admin := n.member("g", "")
		admin.generation = -1
		for _, topic := range []string{"t", "u"} {
			admin.create(topic, 1)
			expect(t, "commit", admin.commit(topic, 3, "").ErrorCode, nil)
		}
		x := n.txn("x")
		x.epoch = x.inits(4, "x", 600_000).ProducerEpoch
		expect(t, "commit in a transaction", x.commitOffset("g", "t", 7), nil)
		time.Sleep(5 * time.Minute)
		same(t, "with an open transaction", admin.committed("g", "t"), 3)
		same(t, "without one", admin.committed("g", "u"), -1)
		expect(t, "abort", x.end(5, false), nil)
		time.Sleep(5 * time.Minute)
		same(t, "after its end", n.dial().committed("g", "t"), -1)
	})
}

func TestBehaviour102WhoGetsAProducerID(t *testing.T) {
	onNode(t, nil, func(n *node) {
		x := n.txn("x")
		req := kmsg.NewPtrInitProducerIDRequest()
		req.ProducerID, req.ProducerEpoch = 77, 7
		resp := ask[*kmsg.InitProducerIDResponse](x.conn, 4, req)
		expect(t, "without a transactional id", resp.ErrorCode, nil)
		same(t, "its epoch", resp.ProducerEpoch, 0)
		if resp.ProducerID == 77 || resp.ProducerID == x.id {
			t.Errorf("producer id %d is not fresh", resp.ProducerID)
		}
		expect(t, "an empty transactional id", x.inits(4, "", 1000).ErrorCode, kerr.InvalidRequest)
		expect(t, "15 minutes", x.inits(4, "y", 900_000).ErrorCode, nil)
		expect(t, "more than 15 minutes", x.inits(4, "y", 900_001).ErrorCode, kerr.InvalidTransactionTimeout)
		expect(t, "no time", x.inits(4, "y", 0).ErrorCode, kerr.InvalidTransactionTimeout)
	})
}

func TestBehaviour103OpenTransactionIsAbortedFirst(t *testing.T) {
	onNode(t, nil, func(n *node) {
		x := n.txn("x")
		x.create("t", 1)
		expect(t, "write", x.write(12, "t", "a"), nil)
		expect(t, "another takes the id", x.inits(4, "x", 1000).ErrorCode, kerr.ConcurrentTransactions)
		time.Sleep(time.Second)
		same(t, "state", x.state().State, "CompleteAbort")
		resp := x.inits(4, "x", 1000)
		expect(t, "asks again", resp.ErrorCode, nil)
		same(t, "epochs later", resp.ProducerEpoch, x.epoch+2)
		expect(t, "the one before ends", x.end(5, true), kerr.ProducerFenced)
		same(t, "stable end", x.listOffset(11, "t", -1, -1).Offset, 2)
	})
}

func TestBehaviour105LostEpochIsGivenAgain(t *testing.T) {
	onNode(t, nil, func(n *node) {
		x := n.txn("x")
		for range 2 { // the answer may have been lost
			resp := x.resumes(4, "x", 1000, x.id, x.epoch)
			expect(t, "goes on", resp.ErrorCode, nil)
			same(t, "epoch", resp.ProducerEpoch, x.epoch+1)
		}
		expect(t, "goes on from there", x.resumes(4, "x", 1000, x.id, x.epoch+1).ErrorCode, nil)
		expect(t, "comes too late", x.resumes(4, "x", 1000, x.id, x.epoch).ErrorCode, kerr.ProducerFenced)
		expect(t, "another producer", x.resumes(4, "x", 1000, x.id+1000, 0).ErrorCode, kerr.ProducerFenced)
	})
}

func TestBehaviour106LeadersAskTheCoordinator(t *testing.T) {
	onNode(t, nil, func(n *node) {
		x := n.txn("x")
		x.create("t", 1)
		expect(t, "version 10, not in the transaction", x.write(10, "t", "a"), kerr.InvalidTxnState)
		expect(t, "version 11, not in the transaction", x.write(11, "t", "a"), kerr.TransactionAbortable)
		same(t, "state", x.state().State, "Empty")
		expect(t, "version 12 joins by itself", x.write(12, "t", "a"), nil)
		same(t, "state", x.state().State, "Ongoing")
		expect(t, "commit", x.end(5, true), nil)
		stranger := &txn{conn: x.conn, name: "x", id: x.id + 1000}
		expect(t, "version 11, unknown producer", stranger.write(11, "t", "a"), kerr.InvalidProducerIDMapping)
		expect(t, "version 12, unknown producer", stranger.write(12, "t", "a"), kerr.InvalidProducerIDMapping)
	})
}

// In a cluster that has not agreed on transaction.version 2 clients add partitions
// themselves, and an end keeps the epoch.
func TestBehaviour106OlderClusters(t *testing.T) {
	onNode(t, nil, func(n *node) {
		c := n.dial()
		req := kmsg.NewPtrUpdateFeaturesRequest()
		u := kmsg.NewUpdateFeaturesRequestFeatureUpdate()
		u.Feature, u.MaxVersionLevel, u.UpgradeType = "transaction.version", 0, 2
		req.FeatureUpdates, req.TimeoutMillis = append(req.FeatureUpdates, u), 5000
		expect(t, "downgrade", ask[*kmsg.UpdateFeaturesResponse](c, 2, req).ErrorCode, nil)
		x := n.txn("x")
		x.create("t", 1)
		epoch := x.epoch
		for _, commit := range []bool{true, false} {
			expect(t, "not in the transaction", x.write(11, "t", "a"), kerr.TransactionAbortable)
			expect(t, "add", x.add(3, "t"), nil)
			expect(t, "write", x.write(11, "t", "a"), nil)
			expect(t, "end", x.end(4, commit), nil)
			time.Sleep(time.Second)
		}
		p := x.committedOnly("t", 0)
		same(t, "stable", p.LastStableOffset, 4)
		same(t, "aborted", len(p.AbortedTransactions), 1)
		same(t, "epoch", x.state().ProducerEpoch, epoch)
	})
}

func TestBehaviour107LateWritesAreRefused(t *testing.T) {
	onNode(t, nil, func(n *node) {
		x := n.txn("x")
		x.create("t", 1)
		expect(t, "add", x.add(3, "t"), nil)
		expect(t, "write", x.write(11, "t", "a"), nil)
		expect(t, "abort", x.end(4, false), nil)
		time.Sleep(time.Second)
		expect(t, "a write that was on its way", x.write(11, "t", "b"), kerr.TransactionAbortable)
		same(t, "stable end", x.listOffset(11, "t", -1, -1).Offset, 2)
	})
}

func TestBehaviour108EndsBumpTheEpoch(t *testing.T) {
	onNode(t, nil, func(n *node) {
		x := n.txn("x")
		x.create("t", 1)
		expect(t, "write", x.write(12, "t", "a"), nil)
		before := *x
		expect(t, "commit", x.end(5, true), nil)
		same(t, "epoch", x.epoch, before.epoch+1)
		time.Sleep(time.Second)
		again := before.asksEnd(5, true)
		expect(t, "commit, asked again", again.ErrorCode, nil)
		same(t, "the same epoch", again.ProducerEpoch, x.epoch)
		expect(t, "abort of what was committed", before.asksEnd(5, false).ErrorCode, kerr.InvalidTxnState)
		expect(t, "commit of nothing", x.asksEnd(5, true).ErrorCode, kerr.InvalidTxnState)
		expect(t, "abort of nothing", x.end(5, false), nil)
		same(t, "epoch", x.epoch, before.epoch+2)
		expect(t, "two epochs late", before.asksEnd(5, true).ErrorCode, kerr.ProducerFenced)
	})
}

func TestBehaviour110TransactionsTimeOut(t *testing.T) {
	onNode(t, nil, func(n *node) {
		x := n.txn("x")
		x.create("t", 1)
		resp := x.inits(4, "x", 5000)
		x.epoch = resp.ProducerEpoch
		expect(t, "write", x.write(12, "t", "a"), nil)
		time.Sleep(4 * time.Second)
		same(t, "state", x.state().State, "Ongoing")
		time.Sleep(12 * time.Second)
		same(t, "state", x.state().State, "CompleteAbort")
		same(t, "epoch", x.state().ProducerEpoch, x.epoch+1)
		expect(t, "a write", x.write(12, "t", "b"), kerr.InvalidProducerEpoch)
	})
}

func TestBehaviour111FencedIsNotSaidToOldClients(t *testing.T) {
	onNode(t, nil, func(n *node) {
		old := n.txn("x")
		n.txn("x")
		old.create("t", 1)
		for _, w := range []struct {
			what string
			code int16
			want error
		}{
			{"InitProducerId 3", old.resumes(3, "x", 1000, old.id, old.epoch).ErrorCode, kerr.InvalidProducerEpoch},
			{"InitProducerId 4", old.resumes(4, "x", 1000, old.id, old.epoch).ErrorCode, kerr.ProducerFenced},
			{"AddPartitionsToTxn 1", old.add(1, "t"), kerr.InvalidProducerEpoch},
			{"AddPartitionsToTxn 2", old.add(2, "t"), kerr.ProducerFenced},
			{"EndTxn 1", old.end(1, true), kerr.InvalidProducerEpoch},
			{"EndTxn 2", old.end(2, true), kerr.ProducerFenced},
		} {
			expect(t, w.what, w.code, w.want)
		}
	})
}

func TestBehaviour112LateMarkersAreRefused(t *testing.T) {
	onNode(t, nil, func(n *node) {
		x := n.txn("x")
		x.create("t", 1)
		expect(t, "write", x.write(12, "t", "a"), nil)
		expect(t, "marker of version 2 with the epoch of the writes", x.mark("t", x.id, x.epoch, 2), kerr.InvalidProducerEpoch)
		expect(t, "commit", x.end(5, true), nil)
		time.Sleep(time.Second)
		expect(t, "the same marker again", x.mark("t", x.id, x.epoch, 2), nil)
		expect(t, "write", x.write(12, "t", "b"), nil)
		expect(t, "the same marker, late", x.mark("t", x.id, x.epoch, 2), kerr.InvalidProducerEpoch)
		same(t, "stable end", x.listOffset(11, "t", -1, -1).Offset, 4)
	})
}

func TestBehaviour034PlainBatchInsideTransaction(t *testing.T) {
	onNode(t, nil, func(n *node) {
		x := n.txn("x")
		x.create("t", 1)
		expect(t, "write", x.write(12, "t", "a"), nil)
		b := newBatch("b").by(x.id, x.epoch, x.next)
		expect(t, "a plain batch", x.produce("t", b.bytes()).ErrorCode, kerr.InvalidTxnState)
		expect(t, "write", x.write(12, "t", "b"), nil)
	})
}

// committedOnly reads what read_committed sees.
func (c *conn) committedOnly(topic string, from int64) kmsg.FetchResponseTopicPartition {
	c.t.Helper()
	req := fetchRequest(topic, from)
	req.IsolationLevel = 1
	return ask[*kmsg.FetchResponse](c, 12, req).Topics[0].Partitions[0]
}

func TestBehaviour054AbortedTransactionsAreTold(t *testing.T) {
	onNode(t, nil, func(n *node) {
		x, y := n.txn("x"), n.txn("y")
		x.create("t", 1)
		xid, yid := x.id, y.id
		expect(t, "x writes", x.write(12, "t", "x"), nil) // 0
		expect(t, "y writes", y.write(12, "t", "y"), nil) // 1
		expect(t, "y commits", y.end(5, true), nil)       // 2
		time.Sleep(time.Second)
		expect(t, "y writes", y.write(12, "t", "y"), nil) // 3
		expect(t, "y aborts", y.end(5, false), nil)       // 4
		time.Sleep(time.Second)
		same(t, "y waits for x", x.committedOnly("t", 0).LastStableOffset, 0)
		expect(t, "x aborts", x.end(5, false), nil) // 5
		time.Sleep(time.Second)
		p := x.committedOnly("t", 0)
		same(t, "stable", p.LastStableOffset, 6)
		same(t, "batches", len(batches(x.conn, p.RecordBatches)), 6)
		told := map[int64]int64{}
		for _, a := range p.AbortedTransactions {
			told[a.ProducerID] = a.FirstOffset
		}
		if len(p.AbortedTransactions) != 2 || told[xid] != 0 || told[yid] != 3 {
			t.Errorf("aborted: %+v", p.AbortedTransactions)
		}
		if a := x.fetch("t", 0).AbortedTransactions; len(a) != 0 {
			t.Errorf("read_uncommitted is told %+v", a)
		}
	})
}

func TestBehaviour055LastStableOffsetOfOpenTransaction(t *testing.T) {
	onNode(t, nil, func(n *node) {
		x := n.txn("x")
		x.create("t", 1)
		x.must("t", newBatch("before"))
		expect(t, "write", x.write(12, "t", "a"), nil)
		x.must("t", newBatch("after"))
		p := x.committedOnly("t", 0)
		same(t, "stable", p.LastStableOffset, 1)
		same(t, "high watermark", p.HighWatermark, 3)
		same(t, "batches", len(batches(x.conn, p.RecordBatches)), 1)
		same(t, "batches of all", len(batches(x.conn, x.fetch("t", 0).RecordBatches)), 3)
		expect(t, "commit", x.end(5, true), nil)
		time.Sleep(time.Second)
		same(t, "stable", x.committedOnly("t", 0).LastStableOffset, 4)
	})
}

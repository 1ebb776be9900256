package cli

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/odradek/odradek/internal/proto/record"
	"github.com/rogpeppe/go-internal/testscript"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"
)

func init() {
	scriptCommands["txn"] = scriptTxn
	scriptCommands["hangtxn"] = scriptHangTxn
	scriptCommands["txnoffsets"] = scriptTxnOffsets
	scriptCommands["member848"] = scriptModernMember
	scriptCommands["sharemember"] = scriptShareMember
}

func scriptClient(ts *testscript.TestScript, opts ...kgo.Opt) *kgo.Client {
	cl, err := kgo.NewClient(append(opts, kgo.SeedBrokers(strings.Split(ts.Getenv("ODRADEK_BOOTSTRAP_SERVERS"), ",")...), kgo.ClientID("tester"))...)
	ts.Check(err)
	return cl
}

// txn ID TOPIC PARTITION COUNT commit|abort|open writes records in a transaction and ends
// it, or leaves it open.
func scriptTxn(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 5 {
		ts.Fatalf("usage: txn ID TOPIC PARTITION COUNT commit|abort|open")
	}
	partition, err := strconv.Atoi(args[2])
	ts.Check(err)
	n, err := strconv.Atoi(args[3])
	ts.Check(err)
	cl := scriptClient(ts, kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.TransactionalID(args[0]), kgo.TransactionTimeout(10*time.Minute))
	ts.Defer(cl.Close)
	ctx := context.Background()
	ts.Check(cl.BeginTransaction())
	for i := range n {
		ts.Check(cl.ProduceSync(ctx, &kgo.Record{Topic: args[1], Partition: int32(partition), Value: fmt.Appendf(nil, "t%d", i)}).FirstErr())
	}
	switch args[4] {
	case "commit":
		ts.Check(cl.EndTransaction(ctx, kgo.TryCommit))
	case "abort":
		ts.Check(cl.EndTransaction(ctx, kgo.TryAbort))
	}
}

// txnoffsets ID GROUP TOPIC OFFSET commits an offset of partition 0 in a transaction that
// is left open.
func scriptTxnOffsets(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 4 {
		ts.Fatalf("usage: txnoffsets ID GROUP TOPIC OFFSET")
	}
	at, err := strconv.ParseInt(args[3], 10, 64)
	ts.Check(err)
	cl := scriptClient(ts, kgo.TransactionalID(args[0]), kgo.TransactionTimeout(10*time.Minute))
	ts.Defer(cl.Close)
	ctx := context.Background()
	ts.Check(cl.BeginTransaction())
	id, epoch, err := cl.ProducerID(ctx)
	ts.Check(err)
	add := kmsg.NewPtrAddOffsetsToTxnRequest()
	add.TransactionalID, add.ProducerID, add.ProducerEpoch, add.Group = args[0], id, epoch, args[1]
	added, err := add.RequestWith(ctx, cl)
	ts.Check(err)
	ts.Check(kerr.ErrorForCode(added.ErrorCode))
	req := kmsg.NewPtrTxnOffsetCommitRequest()
	req.TransactionalID, req.Group, req.ProducerID, req.ProducerEpoch = args[0], args[1], id, epoch
	t := kmsg.NewTxnOffsetCommitRequestTopic()
	p := kmsg.NewTxnOffsetCommitRequestTopicPartition()
	p.Offset = at
	t.Topic, t.Partitions = args[2], append(t.Partitions, p)
	req.Topics = append(req.Topics, t)
	resp, err := req.RequestWith(ctx, cl)
	ts.Check(err)
	ts.Check(kerr.ErrorForCode(resp.Topics[0].Partitions[0].ErrorCode))
}

// hangtxn ID TOPIC COUNT writes records of a transaction into partition 0, of which the
// coordinator never hears: a cluster that does not verify lets that happen to who produces
// as clients did before version 2 of transactions.
func scriptHangTxn(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: hangtxn ID TOPIC COUNT")
	}
	n, err := strconv.Atoi(args[2])
	ts.Check(err)
	old := kversion.Stable()
	old.SetMaxKeyVersion(kmsg.Produce.Int16(), 11)
	cl := scriptClient(ts, kgo.TransactionalID(args[0]), kgo.MaxVersions(old))
	ts.Defer(cl.Close)
	ctx := context.Background()
	id, epoch, err := cl.ProducerID(ctx)
	ts.Check(err)
	b := record.NewBuilder(record.BuilderConfig{ProducerID: id, ProducerEpoch: epoch, Transactional: true})
	for i := range n {
		b.Append(record.Record{Offset: int64(i), Timestamp: time.Now().UnixMilli(), Value: fmt.Appendf(nil, "t%d", i)})
	}
	batch, err := b.Build()
	ts.Check(err)
	req := kmsg.NewPtrProduceRequest()
	req.TransactionID, req.Acks, req.TimeoutMillis = &args[0], -1, 10_000
	t := kmsg.NewProduceRequestTopic()
	p := kmsg.NewProduceRequestTopicPartition()
	p.Records = batch
	t.Topic, t.Partitions = args[1], append(t.Partitions, p)
	req.Topics = append(req.Topics, t)
	resp, err := cl.Broker(1).Request(ctx, req)
	ts.Check(err)
	ts.Check(kerr.ErrorForCode(resp.(*kmsg.ProduceResponse).Topics[0].Partitions[0].ErrorCode))
}

// member848 GROUP TOPIC makes a member of a group of type consumer, as member does.
func scriptModernMember(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: member848 GROUP TOPIC")
	}
	cl := scriptClient(ts, kgo.ServerSideBalancer(), kgo.ConsumerGroup(args[0]), kgo.ConsumeTopics(args[1]), kgo.DisableAutoCommit(),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	ts.Defer(cl.Close)
	ctx := context.Background()
	fetches := cl.PollRecords(ctx, 1)
	ts.Check(fetches.Err0())
	ts.Check(cl.CommitRecords(ctx, fetches.Records()...))
}

// sharemember GROUP TOPIC makes a member of a share group, which stays until the script
// ends, and waits until it has taken a record and released it.
func scriptShareMember(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: sharemember GROUP TOPIC")
	}
	cl := scriptClient(ts, kgo.ShareGroup(args[0]), kgo.ConsumeTopics(args[1]))
	ts.Defer(cl.Close)
	ctx := context.Background()
	fetches := cl.PollRecords(ctx, 1)
	ts.Check(fetches.Err0())
	cl.MarkAcks(kgo.AckRelease, fetches.Records()...)
	ts.Check(cl.FlushAcks(ctx))
}

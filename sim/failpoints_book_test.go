//go:build failpoint && synctests

package sim

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/odradek/odradek/internal/proto/model"
	"github.com/odradek/odradek/sim/history"
	"github.com/odradek/odradek/sim/world"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// The topics. All but the last keep what they acknowledge.
const (
	orders = "orders"
	copies = "copies" // of transactions
	table  = "table"  // is compacted
	trims  = "trims"  // loses its beginning
	moving = "moving" // has two replicas, here and there
	loose  = "loose"  // acknowledges what one replica has
)

var topics = []struct {
	name       string
	partitions int32
	replicas   int16
	config     map[string]string
}{
	{orders, 2, 3, nil},
	{copies, 1, 3, nil},
	{table, 1, 3, map[string]string{"cleanup.policy": "compact", "min.cleanable.dirty.ratio": "0.01", "file.delete.delay.ms": "500"}},
	{trims, 1, 3, map[string]string{"file.delete.delay.ms": "500"}},
	{moving, 1, 2, map[string]string{"min.insync.replicas": "1"}},
	{loose, 1, 3, map[string]string{"min.insync.replicas": "1"}},
}

// large is the size of most records: segments are a mebibyte, and shall be rolled.
const large = 40_000

// book is the chapters that a cluster may live through.
var book = map[string]func(*run){
	"restart": restart, "fill": fill, "txns": transactions, "share": shareRecords, "compact": compact, "fleeting": fleeting,
	"reassign": reassign, "move": move, "trim": trim, "isolate": isolate, "decide": decide, "behind": behind,
}

func (r *run) prepare() {
	for _, t := range topics {
		config := map[string]*string{}
		for k, v := range t.config {
			config[k] = &v
		}
		r.must("make topic "+t.name, func(ctx context.Context) error {
			_, err := r.adm.CreateTopic(ctx, t.partitions, t.replicas, config, t.name)
			if errors.Is(err, kerr.TopicAlreadyExists) {
				return nil
			}
			return err
		})
	}
}

// put has a producer write records, together, and notes what it is told.
func (r *run) put(ctx context.Context, c *kgo.Client, who int32, seq *int64, tp model.TopicPartition, n, size int, key func(seq int64) []byte) error {
	var list []*kgo.Record
	for range n {
		v := history.MakeValue(who, *seq)
		rec := &kgo.Record{Topic: tp.Topic, Partition: tp.Partition, Value: v.Bytes(size)}
		if key != nil {
			rec.Key = key(*seq)
		}
		r.note.try(tp, v, rec.Key)
		list = append(list, rec)
		*seq++
	}
	for _, done := range c.ProduceSync(ctx, list...) {
		if done.Err != nil {
			return done.Err
		}
		v, _ := history.ParseValue(done.Record.Value)
		r.note.ack(tp, v, done.Record.Offset)
	}
	return nil
}

// produce writes to orders until it is told to stop.
func (r *run) produce() {
	c, who, seq := r.producer(), r.note.producer(), int64(0)
	defer c.Close()
	for i := int32(0); r.writing.Err() == nil; i++ {
		tp := model.TopicPartition{Topic: orders, Partition: i % 2}
		if r.put(r.writing, c, who, &seq, tp, 2, 3000, nil) != nil {
			return // it waits for ever, but for the end
		}
		time.Sleep(41 * time.Millisecond)
	}
}

// fill writes so much that segments and the files of journals are rolled and used again.
func fill(r *run) {
	c, who, seq := r.producer(), r.note.producer(), int64(0)
	defer c.Close()
	for i := range 140 {
		r.must("fill", func(ctx context.Context) error {
			return r.put(ctx, c, who, &seq, model.TopicPartition{Topic: orders, Partition: int32(i) % 2}, 1, large, nil)
		})
	}
}

// restart ends each node in one of the ways there are.
func restart(r *run) {
	for i, k := range r.rng.Perm(3) {
		n := r.w.Nodes()[k]
		r.rest(300 * time.Millisecond)
		switch i {
		case 0:
			r.halt(n)
		case 1:
			n.KillProcess()
			r.start(n)
		case 2:
			n.Kill()
			r.start(n)
		}
		r.until("all nodes serve", r.serve)
	}
	commitOffsets(r)
}

// start starts a node that was killed, and who lost its power meanwhile.
func (r *run) start(n *world.Node) {
	r.revive()
	if n.Broker() == nil {
		n.Launch()
	}
}

// commitOffsets commits the offsets of a group that has no members.
func commitOffsets(r *run) {
	for i := range int64(4) {
		r.must("commit an offset", func(ctx context.Context) error {
			var all kadm.Offsets
			all.Add(kadm.Offset{Topic: orders, Partition: 0, At: i + 1, LeaderEpoch: -1})
			r.note.commit("g", i+1, false)
			answers, err := r.adm.CommitOffsets(ctx, "g", all)
			if err == nil {
				err = answers.Error()
			}
			if err == nil {
				r.note.commit("g", i+1, true)
			}
			return err
		})
	}
}

// transactions commits and aborts some, with offsets of a group among them.
func transactions(r *run) {
	commitOffsets(r)
	who, seq := r.note.producer(), int64(0)
	for done := int64(0); done < 6; {
		r.do(func() {
			c := r.producer(kgo.TransactionalID("t"), kgo.TransactionTimeout(5*time.Second))
			defer c.Close()
			for done < 6 && r.transaction(c, who, &seq, done+1, done%3 != 2) == nil {
				done++
			}
		})
		r.rest(100 * time.Millisecond)
	}
}

func (r *run) transaction(c *kgo.Client, who int32, seq *int64, offset int64, commit bool) error {
	ctx, cancel := context.WithTimeout(r.t.Context(), 30*time.Second)
	defer cancel()
	if err := c.BeginTransaction(); err != nil {
		return err
	}
	note := &txnNote{commit: commit}
	r.note.mu.Lock()
	r.note.txns = append(r.note.txns, note)
	r.note.mu.Unlock()
	var list []*kgo.Record
	for range 3 {
		v := history.MakeValue(who, *seq)
		*seq++
		note.values = append(note.values, v)
		list = append(list, &kgo.Record{Topic: copies, Value: v.Bytes(1500)})
	}
	if err := c.ProduceSync(ctx, list...).FirstErr(); err != nil {
		return err
	}
	if commit {
		r.note.commit("tg", offset, false)
	}
	if err := txnOffset(ctx, c, offset); err != nil {
		return err
	}
	if err := c.EndTransaction(ctx, kgo.TransactionEndTry(commit)); err != nil {
		return err
	}
	note.ended = true
	if commit {
		r.note.commit("tg", offset, true)
	}
	return nil
}

// txnOffset commits an offset in a producer's transaction.
func txnOffset(ctx context.Context, c *kgo.Client, offset int64) error {
	pid, epoch, err := c.ProducerID(ctx)
	if err != nil {
		return err
	}
	add := kmsg.NewPtrAddOffsetsToTxnRequest()
	add.TransactionalID, add.ProducerID, add.ProducerEpoch, add.Group = "t", pid, epoch, "tg"
	added, err := add.RequestWith(ctx, c)
	if err != nil {
		return err
	}
	if err := kerr.ErrorForCode(added.ErrorCode); err != nil {
		return err
	}
	req := kmsg.NewPtrTxnOffsetCommitRequest()
	req.TransactionalID, req.ProducerID, req.ProducerEpoch, req.Group, req.Generation = "t", pid, epoch, "tg", -1
	p := kmsg.NewTxnOffsetCommitRequestTopicPartition()
	p.Partition, p.Offset, p.LeaderEpoch = 0, offset, -1
	req.Topics = []kmsg.TxnOffsetCommitRequestTopic{{Topic: orders, Partitions: []kmsg.TxnOffsetCommitRequestTopicPartition{p}}}
	resp, err := req.RequestWith(ctx, c)
	if err != nil {
		return err
	}
	return kerr.ErrorForCode(resp.Topics[0].Partitions[0].ErrorCode)
}

// shareRecords has a member of a share group read and accept.
func shareRecords(r *run) {
	c := r.w.Client(kgo.ShareGroup("sg"), kgo.ConsumeTopics(orders))
	defer c.Close()
	r.do(func() {
		got := 0
		for began := time.Now(); got < 30 && time.Since(began) < 20*time.Second; {
			ctx, cancel := context.WithTimeout(r.t.Context(), time.Second)
			got += c.PollRecords(ctx, 5).NumRecords()
			cancel()
		}
	})
}

// compact writes keys over and over, until the cleaner has been there.
func compact(r *run) {
	c, who, seq := r.producer(), r.note.producer(), int64(0)
	defer c.Close()
	tp := model.TopicPartition{Topic: table}
	for range 3 {
		for range 12 {
			r.must("write a key", func(ctx context.Context) error {
				return r.put(ctx, c, who, &seq, tp, 3, large, keyOf)
			})
		}
		r.rest(800 * time.Millisecond)
	}
}

func keyOf(seq int64) []byte { return fmt.Append(nil, "k", seq%5) }

// fleeting makes a topic, deletes it and makes it anew.
func fleeting(r *run) {
	const name = "fleeting"
	for i := range 3 {
		r.must("make a topic that goes", func(ctx context.Context) error {
			_, err := r.adm.CreateTopic(ctx, 2, 3, nil, name)
			if errors.Is(err, kerr.TopicAlreadyExists) {
				return nil
			}
			return err
		})
		c, who, seq := r.producer(), r.note.producer(), int64(0)
		r.must("write to it", func(ctx context.Context) error {
			return r.put(ctx, c, who, &seq, model.TopicPartition{Topic: name, Partition: int32(i) % 2}, 4, 1500, nil)
		})
		c.Close()
		if i == 2 {
			break
		}
		r.must("delete it", func(ctx context.Context) error {
			r.note.forget(name)
			answer, err := r.adm.DeleteTopic(ctx, name)
			if errors.Is(err, kerr.UnknownTopicOrPartition) {
				return nil
			}
			return errors.Join(err, answer.Err)
		})
		r.rest(time.Duration(r.rng.Int64N(int64(time.Second))))
	}
	r.rest(700 * time.Millisecond)
}

// reassign has the replicas of a partition go around the nodes.
func reassign(r *run) {
	c, who, seq := r.producer(), r.note.producer(), int64(0)
	defer c.Close()
	for i := range int32(3) {
		r.must("write before it moves", func(ctx context.Context) error {
			return r.put(ctx, c, who, &seq, model.TopicPartition{Topic: moving}, 5, 2000, nil)
		})
		to := []int32{1 + i, 1 + (i+1)%3}
		r.must("reassign", func(ctx context.Context) error {
			var req kadm.AlterPartitionAssignmentsReq
			req.Assign(moving, 0, to)
			answers, err := r.adm.AlterPartitionAssignments(ctx, req)
			if err != nil {
				return err
			}
			return answers.Error()
		})
		r.until("it has moved", func() bool {
			_, p, ok := r.w.Image().Partition(moving, 0)
			return ok && !p.Reassigning() && len(p.Replicas) == 2 && p.Replicas[0] == to[0] && p.Replicas[1] == to[1]
		})
	}
}

// move has replicas move from folder to folder of their nodes.
func move(r *run) {
	for i := range 4 {
		dir := r.w.Nodes()[0].Dirs()[i%2]
		for _, n := range r.w.Nodes() {
			r.do(func() {
				ctx, cancel := context.WithTimeout(r.t.Context(), 3*time.Second)
				defer cancel()
				var req kadm.AlterReplicaLogDirsReq
				all := make(kadm.TopicsSet)
				all.Add(orders, 0, 1)
				all.Add(copies, 0)
				req.Add(dir, all)
				_, _ = r.adm.AlterBrokerReplicaLogDirs(ctx, n.ID, req)
			})
		}
		r.rest(400 * time.Millisecond)
	}
	r.rest(time.Second)
}

// trim deletes the beginning of a partition while a replica sleeps, until nothing is left
// for it to go on from.
func trim(r *run) {
	c, who, seq := r.producer(), r.note.producer(), int64(0)
	defer c.Close()
	tp := model.TopicPartition{Topic: trims}
	fill := func(n int) {
		for range n {
			r.must("write what will be deleted", func(ctx context.Context) error {
				return r.put(ctx, c, who, &seq, tp, 5, large, nil)
			})
		}
	}
	for range 2 {
		fill(3)
		n := r.node()
		n.Kill()
		fill(5)
		r.must("delete records", func(ctx context.Context) error {
			r.note.mu.Lock()
			last := r.note.acked[tp][len(r.note.acked[tp])-1].Offset
			r.note.trim[tp] = max(r.note.trim[tp], last)
			r.note.mu.Unlock()
			var to kadm.Offsets
			to.Add(kadm.Offset{Topic: trims, At: last})
			answers, err := r.adm.DeleteRecords(ctx, to)
			if err != nil {
				return err
			}
			return answers.Error()
		})
		r.rest(1200 * time.Millisecond)
		r.start(n)
		r.until("all nodes serve", r.serve)
		r.rest(1500 * time.Millisecond)
	}
}

// isolate has leaders take records that nobody else gets, and that give way.
func isolate(r *run) {
	for range 2 {
		// Else nobody may take the place of the one that is cut off.
		r.until("all are in sync", func() bool { return r.w.InSync(loose) })
		n := r.w.Leader(loose, 0)
		if n == nil {
			r.rest(time.Second)
			continue
		}
		n.Isolate(true, false)
		r.do(func() {
			c := r.producer(kgo.RequiredAcks(kgo.LeaderAck()), kgo.DisableIdempotentWrite(), kgo.RecordDeliveryTimeout(3*time.Second))
			defer c.Close()
			ctx, cancel := context.WithTimeout(r.t.Context(), 4*time.Second)
			defer cancel()
			for range 45 {
				c.Produce(ctx, &kgo.Record{Topic: loose, Value: make([]byte, large)}, nil)
				time.Sleep(13 * time.Millisecond)
			}
			_ = c.Flush(ctx)
		})
		r.until("another leads", func() bool {
			_, p, ok := r.w.Image().Partition(loose, 0)
			return ok && p.Leader >= 0 && (p.Leader != n.ID || !n.Running())
		})
		r.do(func() {
			c := r.producer(kgo.RecordDeliveryTimeout(20 * time.Second))
			defer c.Close()
			_ = c.ProduceSync(r.t.Context(), &kgo.Record{Topic: loose, Value: make([]byte, 100)})
		})
		n.Isolate(false, false)
		r.rest(2 * time.Second)
	}
}

// decide has the cluster decide many things.
func decide(r *run) {
	for i := range 12 {
		r.must("change a config", func(ctx context.Context) error {
			value := fmt.Sprint(3600000 + i)
			answers, err := r.adm.AlterTopicConfigs(ctx, []kadm.AlterConfig{{Op: kadm.SetConfig, Name: "retention.ms", Value: &value}}, orders)
			if err != nil {
				return err
			}
			return answers[0].Err
		})
	}
}

// behind has a voter sleep until the others have forgotten what it would need.
func behind(r *run) {
	n := r.node()
	n.Kill()
	for range 3 {
		decide(r)
	}
	for _, other := range r.w.Nodes() {
		if other != n && other.Broker() != nil {
			r.halt(other)
			r.until("it serves again", func() bool {
				b := other.Broker()
				if b == nil {
					return false
				}
				select {
				case <-b.Ready():
					return true
				default:
					return false
				}
			})
		}
	}
	decide(r)
	r.start(n)
	r.until("all nodes serve", r.serve)
	decide(r)
}

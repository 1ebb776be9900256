package behaviour

import (
	"bytes"
	"compress/gzip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// produceRequest asks to append batches, one a partition, to topic, which is an id in
// string form from version 13 on.
func produceRequest(acks int16, topic string, id [16]byte, batches ...[]byte) *kmsg.ProduceRequest {
	req := kmsg.NewPtrProduceRequest()
	req.Acks, req.TimeoutMillis = acks, 5000
	t := kmsg.NewProduceRequestTopic()
	t.Topic, t.TopicID = topic, id
	for i, b := range batches {
		p := kmsg.NewProduceRequestTopicPartition()
		p.Partition, p.Records = int32(i), b
		t.Partitions = append(t.Partitions, p)
	}
	req.Topics = append(req.Topics, t)
	return req
}

// produce appends a batch to partition 0 and returns what came of it.
func (c *conn) produce(topic string, b []byte) kmsg.ProduceResponseTopicPartition {
	c.t.Helper()
	return c.produceAs(12, -1, topic, b)
}

func (c *conn) produceAs(version, acks int16, topic string, b []byte) kmsg.ProduceResponseTopicPartition {
	c.t.Helper()
	return ask[*kmsg.ProduceResponse](c, version, produceRequest(acks, topic, [16]byte{}, b)).Topics[0].Partitions[0]
}

// must appends batches to partition 0.
func (c *conn) must(topic string, batches ...*batch) {
	c.t.Helper()
	for _, b := range batches {
		if p := c.produce(topic, b.bytes()); p.ErrorCode != 0 {
			expect(c.t, "produce", p.ErrorCode, nil)
			c.t.FailNow()
		}
	}
}

func TestBehaviour018AcksOutOfRange(t *testing.T) {
	onNode(t, nil, func(n *node) {
		c := n.dial()
		c.create("t", 2)
		for _, acks := range []int16{-2, 2, 7} {
			b := newBatch("x").bytes()
			for _, p := range ask[*kmsg.ProduceResponse](c, 9, produceRequest(acks, "t", [16]byte{}, b, b)).Topics[0].Partitions {
				expect(t, "partition", p.ErrorCode, kerr.InvalidRequiredAcks)
				same(t, "base offset", p.BaseOffset, -1)
			}
		}
		same(t, "records", len(c.fetch("t", 0).RecordBatches), 0)
		for _, acks := range []int16{-1, 1} {
			expect(t, "good acks", c.produceAs(9, acks, "t", newBatch("x").bytes()).ErrorCode, nil)
		}
	})
}

func TestBehaviour019AcksZeroIsSilentOrEnds(t *testing.T) {
	onNode(t, nil, func(n *node) {
		c := n.dial()
		c.create("t", 1)
		c.send(9, produceRequest(0, "t", [16]byte{}, newBatch("x").bytes()))
		// Nothing is said: the next answer is that of the next request.
		wait := fetchRequest("t", 0)
		wait.MaxWaitMillis = 5000
		if p := ask[*kmsg.FetchResponse](c, 12, wait).Topics[0].Partitions[0]; p.ErrorCode != 0 || len(p.RecordBatches) == 0 {
			t.Errorf("after acks 0: error %d, %d bytes", p.ErrorCode, len(p.RecordBatches))
		}
		c.send(9, produceRequest(0, "nowhere", [16]byte{}, newBatch("x").bytes()))
		c.closed()
		c = n.dial()
		c.send(9, produceRequest(0, "t", [16]byte{}, []byte("no batch")))
		c.closed()
	})
}

func TestBehaviour020OneBatchOfMagic2(t *testing.T) {
	onNode(t, nil, func(n *node) {
		c := n.dial()
		c.create("t", 1)
		one := newBatch("x").bytes()
		old := bytes.Clone(one)
		old[16] = 1
		for name, b := range map[string][]byte{"none": {}, "two": append(bytes.Clone(one), one...), "magic 1": old, "cut": one[:len(one)-1]} {
			expect(t, name, c.produce("t", b).ErrorCode, kerr.InvalidRecord)
		}
		zstd := newBatch("x")
		zstd.raw = []byte{0x28, 0xb5, 0x2f, 0xfd, 0, 0, 1, 0, 0}
		zstd.Attributes = 4
		expect(t, "zstd in version 6", c.produceAs(6, -1, "t", zstd.bytes()).ErrorCode, kerr.UnsupportedCompressionType)
		same(t, "records", len(c.fetch("t", 0).RecordBatches), 0)
	})
}

func TestBehaviour021MinISRCountsReplicasThatThereAre(t *testing.T) {
	onNode(t, nil, func(n *node) {
		c := n.dial()
		c.create("t", 1, "min.insync.replicas", "2") // of one replica, as of Kafka 4.0
		expect(t, "acks all", c.produceAs(9, -1, "t", newBatch("x").bytes()).ErrorCode, nil)
	})
}

func TestBehaviour023AcksAllIsReadable(t *testing.T) {
	onNode(t, nil, func(n *node) {
		c := n.dial()
		c.create("t", 1)
		for i := range int64(5) {
			p := c.produce("t", newBatch("a", "b").bytes())
			same(t, "base offset", p.BaseOffset, 2*i)
			same(t, "high watermark", c.fetch("t", 0).HighWatermark, 2*i+2)
		}
	})
}

func TestBehaviour026UnknownTopics(t *testing.T) {
	onNode(t, nil, func(n *node) {
		c := n.dial()
		id := c.create("t", 1)
		b := newBatch("x").bytes()
		get := func(version int16, topic string, id [16]byte) kmsg.ProduceResponseTopic {
			return ask[*kmsg.ProduceResponse](c, version, produceRequest(-1, topic, id, b)).Topics[0]
		}
		byID := get(13, "", [16]byte{1, 2, 3})
		expect(t, "id", byID.Partitions[0].ErrorCode, kerr.UnknownTopicID)
		same(t, "id in the answer", byID.TopicID, [16]byte{1, 2, 3})
		expect(t, "no id", get(13, "", [16]byte{}).Partitions[0].ErrorCode, kerr.UnknownTopicID)
		expect(t, "name", get(12, "nowhere", [16]byte{}).Partitions[0].ErrorCode, kerr.UnknownTopicOrPartition)
		good := get(13, "", id)
		expect(t, "known id", good.Partitions[0].ErrorCode, nil)
		two := ask[*kmsg.ProduceResponse](c, 13, produceRequest(-1, "", id, b, b)).Topics[0].Partitions
		expect(t, "partition beyond", two[1].ErrorCode, kerr.UnknownTopicOrPartition)
		expect(t, "partition beside it", two[0].ErrorCode, nil)
	})
}

func TestBehaviour028InternalTopicsAreForAdmins(t *testing.T) {
	onNode(t, nil, func(n *node) {
		c := n.dial()
		c.coordinator("g")
		b := newBatch()
		b.add([]byte{0, 9, 9}, []byte("x"), b.FirstTimestamp)
		expect(t, "a client", c.produce("__consumer_offsets", b.bytes()).ErrorCode, kerr.InvalidTopicException)
		expect(t, "Kafka's tools", n.dialAs("__admin_client").produce("__consumer_offsets", b.bytes()).ErrorCode, nil)
	})
}

// producer asks for a producer id.
func (c *conn) producer() int64 {
	c.t.Helper()
	resp := ask[*kmsg.InitProducerIDResponse](c, 4, kmsg.NewPtrInitProducerIDRequest())
	expect(c.t, "InitProducerId", resp.ErrorCode, nil)
	return resp.ProducerID
}

func TestBehaviour029FiveBatchesAreRemembered(t *testing.T) {
	onNode(t, nil, func(n *node) {
		c := n.dial()
		c.create("t", 1)
		id := c.producer()
		for seq := range int32(6) {
			c.must("t", newBatch("x").by(id, 0, seq))
		}
		for seq := int32(1); seq < 6; seq++ {
			p := c.produce("t", newBatch("x").by(id, 0, seq).bytes())
			expect(t, "one of the last five", p.ErrorCode, nil)
			same(t, "its offset", p.BaseOffset, int64(seq))
		}
		expect(t, "the sixth last", c.produce("t", newBatch("x").by(id, 0, 0).bytes()).ErrorCode, kerr.OutOfOrderSequenceNumber)
		same(t, "end", c.fetch("t", 0).HighWatermark, 6)
	})
}

func TestBehaviour030DuplicateHasItsFirstOffset(t *testing.T) {
	for _, kind := range []string{"CreateTime", "LogAppendTime"} {
		t.Run(kind, func(t *testing.T) {
			onNode(t, nil, func(n *node) {
				c := n.dial()
				c.create("t", 1, "message.timestamp.type", kind)
				id := c.producer()
				b := newBatch("a", "b").by(id, 0, 0)
				b.MaxTimestamp -= 1000
				b.FirstTimestamp -= 1000
				first := c.produce("t", b.bytes())
				c.must("t", newBatch("other"))
				time.Sleep(time.Minute)
				second := c.produce("t", b.bytes())
				expect(t, "duplicate", second.ErrorCode, nil)
				same(t, "offset", second.BaseOffset, first.BaseOffset)
				want := b.MaxTimestamp // Kafka tells the stored batch's, whatever the type
				if kind == "LogAppendTime" {
					want = first.LogAppendTime
				}
				same(t, "time", second.LogAppendTime, want)
				same(t, "end", c.fetch("t", 0).HighWatermark, 3)
			})
		})
	}
}

func TestBehaviour031SequencesHaveNoGap(t *testing.T) {
	onNode(t, nil, func(n *node) {
		c := n.dial()
		c.create("t", 1)
		id := c.producer()
		c.must("t", newBatch("a").by(id, 0, 0))
		expect(t, "gap", c.produce("t", newBatch("c").by(id, 0, 2).bytes()).ErrorCode, kerr.OutOfOrderSequenceNumber)
		c.must("t", newBatch("b").by(id, 0, 1))
		// The sequence goes round from the greatest to 0.
		id = c.producer()
		const last = 1<<31 - 1
		c.must("t", newBatch("a").by(id, 0, last-1), newBatch("b", "c").by(id, 0, last), newBatch("d").by(id, 0, 1))
	})
}

func TestBehaviour032NewEpochStartsAtZero(t *testing.T) {
	onNode(t, nil, func(n *node) {
		c := n.dial()
		c.create("t", 1)
		id := c.producer()
		c.must("t", newBatch("a").by(id, 0, 17)) // unknown: any sequence
		expect(t, "new epoch, old sequence", c.produce("t", newBatch("b").by(id, 1, 18).bytes()).ErrorCode, kerr.OutOfOrderSequenceNumber)
		c.must("t", newBatch("b").by(id, 1, 0))
	})
}

func TestBehaviour033OldEpochIsFenced(t *testing.T) {
	onNode(t, nil, func(n *node) {
		c := n.dial()
		c.create("t", 1)
		id := c.producer()
		c.must("t", newBatch("a").by(id, 5, 0))
		expect(t, "old epoch", c.produce("t", newBatch("b").by(id, 4, 1).bytes()).ErrorCode, kerr.InvalidProducerEpoch)
	})
}

func TestBehaviour035ProducersExpire(t *testing.T) {
	onNode(t, props{"producer.id.expiration.ms": "60000", "log.retention.check.interval.ms": "60000"}, func(n *node) {
		c := n.dial()
		c.create("t", 1)
		id := c.producer()
		c.must("t", newBatch("a").by(id, 0, 0))
		expect(t, "gap", c.produce("t", newBatch("b").by(id, 0, 7).bytes()).ErrorCode, kerr.OutOfOrderSequenceNumber)
		time.Sleep(12 * time.Minute)
		synctest.Wait()
		c = n.dial() // the first has been idle for too long
		expect(t, "gap of one that was forgotten", c.produce("t", newBatch("b").by(id, 0, 7).bytes()).ErrorCode, nil)
	})
}

func TestBehaviour036BatchesAreChecked(t *testing.T) {
	onNode(t, nil, func(n *node) {
		c := n.dial()
		c.create("t", 1)
		change := func(f func(b *batch)) []byte {
			b := newBatch("a", "b")
			f(b)
			return b.bytes()
		}
		crc := newBatch("a").bytes()
		crc[len(crc)-1] ^= 1
		for name, want := range map[string]struct {
			b   []byte
			err error
		}{
			"checksum":          {crc, kerr.CorruptMessage},
			"count too great":   {change(func(b *batch) { b.NumRecords = 3 }), kerr.InvalidRecord},
			"count of none":     {change(func(b *batch) { b.NumRecords = 0 }), kerr.InvalidRecord},
			"count less":        {change(func(b *batch) { b.NumRecords, b.LastOffsetDelta = 1, 0 }), kerr.InvalidRecord},
			"count and deltas":  {change(func(b *batch) { b.NumRecords, b.LastOffsetDelta = 3, 2 }), kerr.InvalidRecord},
			"base offset":       {change(func(b *batch) { b.FirstOffset = 5 }), kerr.InvalidRecord},
			"control":           {change(func(b *batch) { b.Attributes = control }), kerr.InvalidRecord},
			"negative sequence": {change(func(b *batch) { b.by(1, 0, -1) }), kerr.InvalidRecord},
			"unknown codec":     {change(func(b *batch) { b.Attributes = 5 }), kerr.UnsupportedCompressionType},
		} {
			expect(t, name, c.produce("t", want.b).ErrorCode, want.err)
		}
		same(t, "records", len(c.fetch("t", 0).RecordBatches), 0)
	})
}

func TestBehaviour037LogAppendTime(t *testing.T) {
	onNode(t, nil, func(n *node) {
		c := n.dial()
		c.create("append", 1, "message.timestamp.type", "LogAppendTime")
		c.create("create", 1)
		b := newBatch()
		sent := b.FirstTimestamp - 1000
		b.FirstTimestamp, b.MaxTimestamp = sent, sent
		b.add(nil, []byte("x"), sent)
		now := time.Now().UnixMilli()
		same(t, "time told", c.produce("append", b.bytes()).LogAppendTime, now)
		same(t, "time told of a create time", c.produce("create", b.bytes()).LogAppendTime, -1)
		stored := batches(c, c.fetch("append", 0).RecordBatches)[0]
		same(t, "time stored", stored.MaxTimestamp, now)
		same(t, "type stored", stored.Attributes&logAppendTime, logAppendTime)
		crc := seal(stored.AppendTo(nil))
		same(t, "checksum", batches(c, crc)[0].CRC, stored.CRC)
		stored = batches(c, c.fetch("create", 0).RecordBatches)[0]
		same(t, "producer's time", stored.MaxTimestamp, sent)
		same(t, "producer's type", stored.Attributes&logAppendTime, 0)
	})
}

func TestBehaviour038ProducersDoNotSetLogAppendTime(t *testing.T) {
	onNode(t, nil, func(n *node) {
		c := n.dial()
		c.create("t", 1)
		b := newBatch("x")
		b.Attributes = logAppendTime
		// As in Kafka, the records then bear the batch's greatest time, which is a good
		// one: it is refused only where there is no time to check.
		b.FirstTimestamp, b.MaxTimestamp = -1, -1
		expect(t, "bit set", c.produce("t", b.bytes()).ErrorCode, kerr.InvalidTimestamp)
	})
}

func TestBehaviour039TimestampsHaveLimits(t *testing.T) {
	onNode(t, nil, func(n *node) {
		c := n.dial()
		c.create("t", 1, "message.timestamp.before.max.ms", "60000", "message.timestamp.after.max.ms", "1000")
		now := time.Now().UnixMilli()
		b := newBatch("good")
		b.add(nil, []byte("old"), now-60001).add(nil, []byte("good"), now-60000).add(nil, []byte("new"), now+1001)
		b.MaxTimestamp = now + 1001
		p := c.produce("t", b.bytes())
		expect(t, "produce", p.ErrorCode, kerr.InvalidTimestamp)
		if len(p.ErrorRecords) != 2 || p.ErrorRecords[0].RelativeOffset != 1 || p.ErrorRecords[1].RelativeOffset != 3 {
			t.Errorf("records with errors: %+v, want 1 and 3", p.ErrorRecords)
		}
		c.create("default", 1)
		hour := newBatch()
		hour.add(nil, nil, now+3600_001)
		expect(t, "an hour ahead", c.produce("default", hour.bytes()).ErrorCode, kerr.InvalidTimestamp)
		ancient := newBatch()
		ancient.FirstTimestamp, ancient.MaxTimestamp = 1, 1
		expect(t, "of 1970", c.produce("default", ancient.add(nil, nil, 1).bytes()).ErrorCode, nil)
	})
}

func TestBehaviour040CompactedTopicsNeedKeys(t *testing.T) {
	onNode(t, nil, func(n *node) {
		c := n.dial()
		c.create("t", 1, "cleanup.policy", "compact")
		b := newBatch()
		b.add([]byte("k"), nil, b.FirstTimestamp).add(nil, []byte("v"), b.FirstTimestamp).add([]byte{}, nil, b.FirstTimestamp)
		p := c.produce("t", b.bytes())
		expect(t, "null key", p.ErrorCode, kerr.InvalidRecord)
		if len(p.ErrorRecords) != 1 || p.ErrorRecords[0].RelativeOffset != 1 {
			t.Errorf("records with errors: %+v, want 1", p.ErrorRecords)
		}
		same(t, "records", len(c.fetch("t", 0).RecordBatches), 0)
	})
}

// zipped is b with its records compressed by gzip.
func (b *batch) zipped() *batch {
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	w.Write(b.plain())
	w.Close()
	b.raw, b.Attributes = out.Bytes(), b.Attributes|1
	return b
}

func TestBehaviour041BrokerRecompresses(t *testing.T) {
	onNode(t, nil, func(n *node) {
		c := n.dial()
		for codec, want := range map[string]int16{"producer": 1, "uncompressed": 0, "gzip": 1, "snappy": 2, "lz4": 3, "zstd": 4} {
			c.create(codec, 1, "compression.type", codec)
			b := newBatch("a", "b", "c").zipped()
			expect(t, codec, c.produce(codec, b.bytes()).ErrorCode, nil)
			got := batches(c, c.fetch(codec, 0).RecordBatches)[0]
			same(t, codec, got.Attributes&7, want)
			same(t, "records in "+codec, got.NumRecords, 3)
			if want == 1 && !bytes.Equal(got.Records, b.raw) {
				t.Errorf("%s: the producer's bytes were not kept", codec)
			}
		}
	})
}

func TestBehaviour043BatchesHaveALimit(t *testing.T) {
	onNode(t, nil, func(n *node) {
		c := n.dial()
		exact := newBatch(string(make([]byte, 1000))).bytes()
		limit := len(exact)
		c.create("exact", 1, "max.message.bytes", itoa(limit))
		c.create("less", 1, "max.message.bytes", itoa(limit-1))
		c.create("unzips", 1, "max.message.bytes", itoa(limit-1), "compression.type", "uncompressed")
		c.create("segments", 1, "segment.bytes", "1048576", "max.message.bytes", "4000000")
		expect(t, "at the limit", c.produce("exact", exact).ErrorCode, nil)
		expect(t, "above the limit", c.produce("less", exact).ErrorCode, kerr.MessageTooLarge)
		small := newBatch(string(make([]byte, 1000))).zipped().bytes()
		expect(t, "compressed", c.produce("less", small).ErrorCode, nil)
		expect(t, "too large when stored", c.produce("unzips", small).ErrorCode, kerr.MessageTooLarge)
		big := newBatch(string(make([]byte, 1<<20))).bytes()
		expect(t, "larger than a segment", c.produce("segments", big).ErrorCode, kerr.RecordListTooLarge)
	})
}

func TestBehaviour044LeaderEpochIsStamped(t *testing.T) {
	onNode(t, nil, func(n *node) {
		c := n.dial()
		c.create("t", 1)
		b := newBatch("x")
		b.PartitionLeaderEpoch = 77
		c.must("t", b)
		same(t, "epoch", batches(c, c.fetch("t", 0).RecordBatches)[0].PartitionLeaderEpoch, 0)
		same(t, "offset", batches(c, c.fetch("t", 0).RecordBatches)[0].FirstOffset, 0)
	})
}

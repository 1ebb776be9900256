package broker_test

import (
	"fmt"
	"time"

	"github.com/odradek/odradek/internal/proto/record"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// init gives a writer its id and epoch, and so aborts what it had begun.
func (w *walk) init(p *writer) {
	req := kmsg.NewPtrInitProducerIDRequest()
	if req.TransactionTimeoutMillis, req.ProducerID, req.ProducerEpoch = 900_000, -1, -1; p.name != "" {
		req.TransactionalID = &p.name
	}
	w.until("init "+p.name, func() int16 {
		resp := w.says(int16(2+w.draw(4)), req).(*kmsg.InitProducerIDResponse)
		if resp.ErrorCode != 0 {
			return resp.ErrorCode
		}
		switch {
		case p.next == nil || p.name == "":
			if w.pids[resp.ProducerID] {
				w.t.Errorf("producer id %d is given twice", resp.ProducerID)
			}
		case resp.ProducerID == p.pid && resp.ProducerEpoch <= p.epoch:
			w.t.Errorf("%s: epoch %d after %d", p.name, resp.ProducerEpoch, p.epoch)
		}
		w.pids[resp.ProducerID] = true
		p.renew(resp.ProducerID, resp.ProducerEpoch)
		return 0
	})
	if p.txn != nil {
		w.decided(p, aborted)
	}
	time.Sleep(time.Second)
}

func (w *walk) initOne() { w.init(w.writers[w.draw(len(w.writers))]) }

// write has a writer, or one without an id, write some records.
func (w *walk) write() {
	part, who := w.part(), w.draw(len(w.writers)+1)
	var values []string
	for range 1 + w.draw(3) {
		w.turn++
		values = append(values, fmt.Sprint(w.turn))
	}
	l := w.logs[part]
	if who == len(w.writers) {
		w.until("plain write", func() int16 {
			code, base := w.put(nil, part, build(nil, 0, values))
			if code == 0 {
				w.wants("place in "+part, base, l.append(nil, values...))
			}
			return code
		})
		return
	}
	p := w.writers[who]
	var t *transaction
	if p.name != "" {
		if !p.v2 {
			w.announce(p, part)
		}
		t = p.begin(part)
	}
	seq := p.next[part]
	w.trace = append(w.trace, fmt.Sprint("sequence ", seq))
	var base int64
	forgotten := false
	w.until("write", func() (code int16) {
		code, base = w.put(p, part, build(p, seq, values))
		if last, ok := p.last[part]; ok && last.base < l.start && code == kerr.OutOfOrderSequenceNumber.Code {
			// What it wrote last was deleted, and after a crash only its marker is found, which
			// bears no sequence: Kafka's brokers refuse this too, and clients begin anew.
			forgotten = true
			return 0
		}
		return code
	})
	if forgotten {
		w.init(p)
		return
	}
	w.wants("place in "+part, base, l.append(t, values...))
	p.next[part], p.last[part] = seq+int32(len(values)), sent{seq, base, values}
}

// put sends a batch.
func (w *walk) put(p *writer, part string, batch []byte) (code int16, base int64) {
	req, rt, rp := kmsg.NewPtrProduceRequest(), kmsg.NewProduceRequestTopic(), kmsg.NewProduceRequestTopicPartition()
	rp.Partition, rp.Records = numberOf(part), batch
	rt.Topic, rt.Partitions = part[:1], append(rt.Partitions, rp)
	req.Acks, req.TimeoutMillis, req.Topics = -1, 5000, append(req.Topics, rt)
	version := int16(9 + w.draw(3))
	if p != nil && p.name != "" {
		req.TransactionID = &p.name
		if p.v2 {
			version = 12
		}
	}
	if p != nil {
		w.trace = append(w.trace, fmt.Sprintf("%q epoch %d to %s:", p.name, p.epoch, part))
	}
	got := w.says(version, req).(*kmsg.ProduceResponse).Topics[0].Partitions[0]
	if got.ErrorCode != 0 && got.BaseOffset != -1 {
		w.t.Errorf("error %d bears the offset %d", got.ErrorCode, got.BaseOffset)
	}
	return got.ErrorCode, got.BaseOffset
}

// announce adds a partition to a transaction, as producers of version 1 do.
func (w *walk) announce(p *writer, part string) {
	req := kmsg.NewPtrAddPartitionsToTxnRequest()
	req.TransactionalID, req.ProducerID, req.ProducerEpoch = p.name, p.pid, p.epoch
	req.Topics = []kmsg.AddPartitionsToTxnRequestTopic{{Topic: part[:1], Partitions: []int32{numberOf(part)}}}
	w.until("announce", func() int16 {
		return w.says(int16(w.draw(4)), req).(*kmsg.AddPartitionsToTxnResponse).Topics[0].Partitions[0].ErrorCode
	})
}

// repeat sends again what a writer sent last: it is told where that stands.
func (w *walk) repeat() {
	part, p := w.part(), w.writers[w.draw(len(w.writers))]
	s, ok := p.last[part]
	if !ok || s.base < w.logs[part].start || !p.writes(part) {
		return
	}
	code, base := w.put(p, part, build(p, s.seq, s.values))
	w.wants("a batch again", []int64{int64(code), base}, []int64{0, s.base})
}

// skip sends a batch after one that was never sent: it is refused.
func (w *walk) skip() {
	part, p := w.part(), w.writers[w.draw(len(w.writers))]
	if s, ok := p.last[part]; !ok || s.base < w.logs[part].start || !p.writes(part) {
		return
	}
	code, _ := w.put(p, part, build(p, p.next[part]+5, []string{"skipped"}))
	w.wants("a batch too far", code, kerr.OutOfOrderSequenceNumber.Code)
}

// stale writes and ends with the epoch before: it is refused.
func (w *walk) stale() {
	part, p := w.part(), w.writers[1+w.draw(len(w.writers)-1)]
	if p.epoch == 0 {
		return
	}
	old := *p
	old.epoch--
	if code, base := w.put(&old, part, build(&old, 0, []string{"stale"})); code == 0 {
		w.t.Errorf("%s wrote at %d with epoch %d after %d was given", p.name, base, old.epoch, p.epoch)
	}
	if p.txn != nil { // else it may be the end that was, asked for again
		if code, _, _ := w.over(&old, true); code == 0 {
			w.t.Errorf("%s ended with epoch %d after %d was given", p.name, old.epoch, p.epoch)
		}
	}
}

func (w *walk) over(p *writer, commit bool) (code int16, pid int64, epoch int16) {
	req := kmsg.NewPtrEndTxnRequest()
	req.TransactionalID, req.ProducerID, req.ProducerEpoch, req.Commit = p.name, p.pid, p.epoch, commit
	version := int16(w.draw(5))
	if p.v2 {
		version = 5
	}
	resp := w.says(version, req).(*kmsg.EndTxnResponse)
	return resp.ErrorCode, resp.ProducerID, resp.ProducerEpoch
}

func (w *walk) finishOne() {
	if p := w.writers[1+w.draw(len(w.writers)-1)]; p.txn != nil {
		w.finish(p, w.draw(3) > 0)
	}
}

// finish ends a transaction. Sometimes the power fails as soon as that is decided.
func (w *walk) finish(p *writer, commit bool) {
	id, t := p.pid, p.txn
	w.until("end", func() int16 {
		code, pid, epoch := w.over(p, commit)
		if code == 0 && p.v2 {
			p.renew(pid, epoch)
		}
		return code
	})
	if state := committed; commit {
		w.decided(p, state)
	} else {
		w.decided(p, aborted)
	}
	if w.draw(8) == 7 {
		w.cut()
		time.Sleep(20 * time.Second) // until the coordinators have loaded, and tried again
		for _, part := range t.parts {
			w.markedAgain(part, id, t)
		}
	}
	time.Sleep(2 * time.Second) // the markers
}

// markedAgain takes note of a second marker. A coordinator that finds no note that the first
// was written, because the power failed between the two, writes it again, as Kafka's do.
func (w *walk) markedAgain(part string, id int64, t *transaction) {
	l := w.logs[part]
	bytes := w.fetch(part, l.end(), false).RecordBatches
	if len(bytes) == 0 {
		return
	}
	b, _, err := record.Split(bytes)
	if err != nil {
		w.t.Fatalf("what follows the marker in %s: %v", part, err)
	}
	m, ok, err := b.EndTxnMarker()
	if err != nil || !ok || b.ProducerID() != id || m.Commit != (t.state == committed) {
		w.t.Errorf("%s goes on at %d after the marker of producer %d, and not with the same marker", part, b.BaseOffset(), id)
		return
	}
	w.trace = append(w.trace, "marked again in "+part+";")
	l.recs = append(l.recs, entry{txn: t, marker: true})
}

func (w *walk) group() string { return []string{"g", "h"}[w.draw(2)] }

// commitOffset commits an offset of a group without members.
func (w *walk) commitOffset() {
	group, part, offset := w.group(), w.part(), int64(w.draw(50))
	req, rt, rp := kmsg.NewPtrOffsetCommitRequest(), kmsg.NewOffsetCommitRequestTopic(), kmsg.NewOffsetCommitRequestTopicPartition()
	rp.Partition, rp.Offset = numberOf(part), offset
	rt.Topic, rt.Partitions = part[:1], append(rt.Partitions, rp)
	req.Group, req.Generation, req.Topics = group, -1, append(req.Topics, rt)
	w.until("commit", func() int16 {
		return w.says(int16(2+w.draw(8)), req).(*kmsg.OffsetCommitResponse).Topics[0].Partitions[0].ErrorCode
	})
	w.order++
	w.commit(group, part, offset, w.order)
}

// commitInTxn commits an offset that the end of a transaction decides on.
func (w *walk) commitInTxn() {
	p, group, part, offset := w.writers[1+w.draw(len(w.writers)-1)], w.group(), w.part(), int64(w.draw(50))
	if !p.v2 {
		req := kmsg.NewPtrAddOffsetsToTxnRequest()
		req.TransactionalID, req.ProducerID, req.ProducerEpoch, req.Group = p.name, p.pid, p.epoch, group
		w.until("add offsets", func() int16 { return w.says(int16(w.draw(4)), req).(*kmsg.AddOffsetsToTxnResponse).ErrorCode })
	}
	req, rt, rp := kmsg.NewPtrTxnOffsetCommitRequest(), kmsg.NewTxnOffsetCommitRequestTopic(), kmsg.NewTxnOffsetCommitRequestTopicPartition()
	rp.Partition, rp.Offset = numberOf(part), offset
	rt.Topic, rt.Partitions = part[:1], append(rt.Partitions, rp)
	req.TransactionalID, req.Group, req.ProducerID, req.ProducerEpoch, req.Generation = p.name, group, p.pid, p.epoch, -1
	req.Topics = append(req.Topics, rt)
	version := int16(w.draw(5))
	if p.v2 {
		version = 5
	}
	w.until("commit in a transaction", func() int16 {
		return w.says(version, req).(*kmsg.TxnOffsetCommitResponse).Topics[0].Partitions[0].ErrorCode
	})
	if t := p.begin(""); t.offsets[group] == nil {
		t.offsets[group] = map[string]pending{}
	}
	w.order++
	p.txn.offsets[group][part] = pending{offset, w.order}
}

// offsets asks for the offset of a group; stable ones wait for transactions.
func (w *walk) offsets() {
	group, part, stable := w.group(), w.part(), w.draw(2) == 0
	req, rg, rt := kmsg.NewPtrOffsetFetchRequest(), kmsg.NewOffsetFetchRequestGroup(), kmsg.NewOffsetFetchRequestGroupTopic()
	rt.Topic, rt.Partitions = part[:1], []int32{numberOf(part)}
	rg.Group, rg.Topics = group, append(rg.Topics, rt)
	req.RequireStable, req.Groups = stable, append(req.Groups, rg)
	got := w.says(int16(8+w.draw(2)), req).(*kmsg.OffsetFetchResponse).Groups[0]
	if got.ErrorCode != 0 {
		if err := kerr.ErrorForCode(got.ErrorCode); !kerr.IsRetriable(err) {
			w.t.Errorf("offsets of %s: %v", group, err)
		}
		return
	}
	p, want, ok := got.Topics[0].Partitions[0], int64(-1), false
	if want, ok = w.groups[group][part]; !ok {
		want = -1
	}
	if stable && w.undecided(group, part) {
		w.wants("a pending offset", []int64{int64(p.ErrorCode), p.Offset}, []int64{int64(kerr.UnstableOffsetCommit.Code), -1})
		return
	}
	w.wants("offset of "+group+" in "+part, []int64{int64(p.ErrorCode), p.Offset}, []int64{0, want})
}

// forgetOffset deletes an offset.
func (w *walk) forgetOffset() {
	group, part := w.group(), w.part()
	if _, ok := w.groups[group][part]; !ok || w.undecided(group, part) || len(w.groups[group]) < 2 {
		return
	}
	req, rt := kmsg.NewPtrOffsetDeleteRequest(), kmsg.NewOffsetDeleteRequestTopic()
	rt.Topic, rt.Partitions = part[:1], []kmsg.OffsetDeleteRequestTopicPartition{{Partition: numberOf(part)}}
	req.Group, req.Topics = group, append(req.Topics, rt)
	w.until("delete an offset", func() int16 {
		resp := w.says(0, req).(*kmsg.OffsetDeleteResponse)
		if resp.ErrorCode != 0 {
			return resp.ErrorCode
		}
		return resp.Topics[0].Partitions[0].ErrorCode
	})
	delete(w.groups[group], part)
}

// forgetGroup deletes a group.
func (w *walk) forgetGroup() {
	group := w.group()
	for _, part := range w.parts() {
		if w.undecided(group, part) {
			return
		}
	}
	req := kmsg.NewPtrDeleteGroupsRequest()
	req.Groups = []string{group}
	w.until("delete a group", func() int16 {
		code := w.says(int16(w.draw(3)), req).(*kmsg.DeleteGroupsResponse).Groups[0].ErrorCode
		if code == kerr.GroupIDNotFound.Code && len(w.groups[group]) == 0 {
			return 0
		}
		return code
	})
	delete(w.groups, group)
}

// ends asks where a partition begins and ends.
func (w *walk) ends() {
	part, isolation := w.part(), int8(w.draw(2))
	l := w.logs[part]
	for at, want := range map[int64]int64{-2: l.start, -1: l.end()} {
		if isolation == 1 && at == -1 {
			want = l.stable()
		}
		req, rt, rp := kmsg.NewPtrListOffsetsRequest(), kmsg.NewListOffsetsRequestTopic(), kmsg.NewListOffsetsRequestTopicPartition()
		rp.Partition, rp.Timestamp = numberOf(part), at
		rt.Topic, rt.Partitions = part[:1], append(rt.Partitions, rp)
		req.ReplicaID, req.IsolationLevel, req.Topics = -1, isolation, append(req.Topics, rt)
		w.until("list offsets", func() int16 {
			p := w.says(int16(2+w.draw(9)), req).(*kmsg.ListOffsetsResponse).Topics[0].Partitions[0]
			if p.ErrorCode == 0 {
				w.wants(fmt.Sprintf("offset %d of %s", at, part), p.Offset, want)
			}
			return p.ErrorCode
		})
	}
}

// trim deletes the records before an offset.
func (w *walk) trim() {
	part := w.part()
	l := w.logs[part]
	before := l.start + int64(w.draw(int(l.stable()-l.start)+1))
	if w.draw(3) > 0 {
		return
	}
	req, rt := kmsg.NewPtrDeleteRecordsRequest(), kmsg.NewDeleteRecordsRequestTopic()
	rt.Topic, rt.Partitions = part[:1], []kmsg.DeleteRecordsRequestTopicPartition{{Partition: numberOf(part), Offset: before}}
	req.TimeoutMillis, req.Topics = 5000, append(req.Topics, rt)
	w.until("delete records", func() int16 {
		p := w.says(int16(w.draw(3)), req).(*kmsg.DeleteRecordsResponse).Topics[0].Partitions[0]
		if p.ErrorCode == 0 {
			w.wants("low watermark of "+part, p.LowWatermark, before)
		}
		return p.ErrorCode
	})
	l.start = before
	w.trace = append(w.trace, fmt.Sprint("start of ", part, " is ", before, ";"))
}

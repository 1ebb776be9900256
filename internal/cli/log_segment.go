package cli

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/odradek/odradek/internal/base/vfs"
	"github.com/odradek/odradek/internal/proto/record"
	"github.com/twmb/franz-go/pkg/kgo"
)

// readAt reads n bytes, fewer at the end of the file.
func readAt(f vfs.File, pos int64, n int) ([]byte, error) {
	b := make([]byte, n)
	got, err := f.ReadAt(b, pos)
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return b[:got], err
}

// batchItem is a batch as JSON has it.
type batchItem struct {
	File          string `json:"file"`
	Position      int64  `json:"position"`
	BaseOffset    int64  `json:"baseOffset"`
	LastOffset    int64  `json:"lastOffset"`
	Count         int32  `json:"count"`
	Bytes         int    `json:"bytes"`
	Epoch         int32  `json:"leaderEpoch"`
	MaxTimestamp  int64  `json:"maxTimestamp"`
	TimestampType string `json:"timestampType"`
	Codec         string `json:"compression"`
	ProducerID    int64  `json:"producerId"`
	ProducerEpoch int16  `json:"producerEpoch"`
	BaseSequence  int32  `json:"baseSequence"`
	Transactional bool   `json:"transactional,omitempty"`
	Control       bool   `json:"control,omitempty"`
	CRC           uint32 `json:"crc"`
	Sound         bool   `json:"sound"`
}

// segment prints the batches of a .log file.
func (d *dumper) segment(f vfs.File) error {
	size, err := f.Size()
	if err != nil {
		return err
	}
	var pos, records int64
	batches, next := 0, int64(-1)
	for pos < size {
		b, ok, err := d.batchAt(f, pos, size)
		if err != nil {
			return err
		}
		if !ok {
			break // what lies behind cannot be found
		}
		if b.BaseOffset() < next {
			if err := d.fault(pos, "offset %d after %d", b.BaseOffset(), next-1); err != nil {
				return err
			}
		}
		if err := d.batch(b, pos); err != nil {
			return err
		}
		batches, records, next = batches+1, records+int64(b.Count()), b.NextOffset()
		pos += int64(b.Size())
	}
	if !d.text() {
		return nil
	}
	return d.line(nil, "%s, %s, %d bytes", batchesText(batches), plural(int(records), "record"), pos)
}

func batchesText(n int) string {
	if n == 1 {
		return "1 batch"
	}
	return thousands(n) + " batches"
}

// batchAt reads a batch. ok is false, and the fault told, if there is none.
func (d *dumper) batchAt(f vfs.File, pos, size int64) (b record.Batch, ok bool, err error) {
	head, err := readAt(f, pos, int(min(record.HeaderLen, size-pos)))
	if err != nil {
		return nil, false, err
	}
	_, n, err := record.SplitHeader(head)
	if err != nil {
		return nil, false, d.fault(pos, "no batch begins here (%d bytes to the end): %v", size-pos, err)
	}
	if int64(n) > size-pos {
		return nil, false, d.fault(pos, "a batch of %d bytes is cut off after %d", n, size-pos)
	}
	whole, err := readAt(f, pos, n)
	if err != nil {
		return nil, false, err
	}
	if b, _, err = record.Split(whole); err != nil {
		return nil, false, d.fault(pos, "%v", err)
	}
	return b, true, nil
}

// batch prints a batch and judges its checksum.
func (d *dumper) batch(b record.Batch, pos int64) error {
	wrong := b.Verify()
	it := batchItem{
		File: d.name, Position: pos, BaseOffset: b.BaseOffset(), LastOffset: b.LastOffset(), Count: b.Count(), Bytes: b.Size(),
		Epoch: b.LeaderEpoch(), MaxTimestamp: b.MaxTimestamp(), TimestampType: "CreateTime", Codec: b.Codec().String(),
		ProducerID: b.ProducerID(), ProducerEpoch: b.ProducerEpoch(), BaseSequence: b.BaseSequence(),
		Transactional: b.Transactional(), Control: b.Control(), CRC: b.CRC(), Sound: wrong == nil,
	}
	if b.LogAppendTime() {
		it.TimestampType = "LogAppendTime"
	}
	if err := d.line(it, "%s", it.text(b)); err != nil {
		return err
	}
	if wrong != nil {
		return d.fault(pos, "%v", wrong)
	}
	if !d.records {
		return nil
	}
	return d.recordsOf(b, pos)
}

func (it batchItem) text(b record.Batch) string {
	s := fmt.Sprintf("at %-8d offsets %d-%d  %s  %d bytes  epoch %d  %s  %s", it.Position, it.BaseOffset, it.LastOffset,
		plural(int(it.Count), "record"), it.Bytes, it.Epoch, time.UnixMilli(it.MaxTimestamp).UTC().Format(timeLayout), it.Codec)
	if b.HasProducer() {
		s += fmt.Sprintf("  producer %d/%d from sequence %d", it.ProducerID, it.ProducerEpoch, it.BaseSequence)
	}
	if it.Transactional {
		s += "  transactional"
	}
	if it.Control {
		s += "  control"
	}
	return s + fmt.Sprintf("  crc %08x", it.CRC)
}

// recordsOf prints the records of a batch.
func (d *dumper) recordsOf(b record.Batch, pos int64) error {
	if d.layout == nil {
		d.layout, _ = parseLayout("%o  %T  %k  %v  %h", "oTkvh")
	}
	if m, ok, err := b.EndTxnMarker(); err == nil && ok {
		end := "abort"
		if m.Commit {
			end = "commit"
		}
		return d.line(struct {
			File   string `json:"file"`
			Offset int64  `json:"offset"`
			Marker string `json:"marker"`
			Epoch  int32  `json:"coordinatorEpoch"`
		}{d.name, b.BaseOffset(), end, m.CoordinatorEpoch}, "    %d  %s of a transaction, coordinator epoch %d", b.BaseOffset(), end, m.CoordinatorEpoch)
	}
	for r, err := range b.Records(record.Limits{}) {
		if err != nil {
			return d.fault(pos, "records: %v", err)
		}
		k := &kgo.Record{Offset: r.Offset, Timestamp: time.UnixMilli(r.Timestamp), Key: r.Key, Value: r.Value}
		for _, h := range r.Headers {
			k.Headers = append(k.Headers, kgo.RecordHeader{Key: string(h.Key), Value: h.Value})
		}
		j := toJSON(k)
		j.Partition = nil
		item := struct {
			File string `json:"file"`
			jsonRecord
		}{d.name, j}
		if err := d.line(item, "    %s", strings.TrimRight(printable(d.layout.write(nil, k, "null")), " ")); err != nil {
			return err
		}
	}
	return nil
}

// printable leaves out what could command a terminal.
func printable(b []byte) string {
	clean := []rune(string(b))
	for i, r := range clean {
		if r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 {
			clean[i] = '\uFFFD'
		}
	}
	return string(clean)
}

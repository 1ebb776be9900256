package cli

import (
	"encoding/binary"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/odradek/odradek/internal/base/vfs"
	"github.com/odradek/odradek/internal/store/journal"
	"github.com/odradek/odradek/internal/store/producers"
)

// entries calls one for each entry of size bytes until the file ends or an entry is all
// zeros: Kafka reserves room in indexes.
func (d *dumper) entries(f vfs.File, size int, one func(pos int64, b []byte) error) error {
	total, err := f.Size()
	if err != nil {
		return err
	}
	var pos int64
	for ; pos+int64(size) <= total; pos += int64(size) {
		b, err := readAt(f, pos, size)
		if err != nil {
			return err
		}
		if pos > 0 && strings.Trim(string(b), "\x00") == "" {
			return nil
		}
		if err := one(pos, b); err != nil {
			return err
		}
	}
	if pos < total {
		return d.fault(pos, "%d bytes are less than an entry", total-pos)
	}
	return nil
}

// base is the offset in a file's name.
func (d *dumper) base() int64 {
	digits, _, _ := strings.Cut(filepath.Base(d.name), ".")
	n, _ := strconv.ParseInt(digits, 10, 64) // 0 for a file that was renamed
	return n
}

// offsetIndex prints an .index file, and looks up its entries if the .log is beside it.
func (d *dumper) offsetIndex(f vfs.File) error {
	stem, suffix, _ := strings.Cut(filepath.Base(d.name), ".index")
	log, err := vfs.OS.Open(filepath.Join(filepath.Dir(d.name), stem+".log"+suffix))
	var size int64
	if err == nil {
		defer log.Close()
		if size, err = log.Size(); err != nil {
			return err
		}
	}
	lastOffset, lastPos := int64(-1), int64(-1)
	return d.entries(f, 8, func(at int64, b []byte) error {
		offset := d.base() + int64(binary.BigEndian.Uint32(b))
		pos := int64(binary.BigEndian.Uint32(b[4:]))
		err := d.line(struct {
			File     string `json:"file"`
			Offset   int64  `json:"offset"`
			Position int64  `json:"position"`
		}{d.name, offset, pos}, "offset %d at %d", offset, pos)
		if err != nil {
			return err
		}
		if offset <= lastOffset || pos <= lastPos {
			return d.fault(at, "offset %d at %d does not come after offset %d at %d", offset, pos, lastOffset, lastPos)
		}
		lastOffset, lastPos = offset, pos
		if log == nil {
			return nil
		}
		batch, ok, err := d.batchAt(log, pos, size)
		if err == nil && ok && batch.LastOffset() != offset {
			return d.fault(at, "at %d the log has a batch that ends with offset %d, not %d", pos, batch.LastOffset(), offset)
		}
		return err
	})
}

func (d *dumper) timeIndex(f vfs.File) error {
	last, lastOffset := int64(-1), int64(-1)
	return d.entries(f, 12, func(at int64, b []byte) error {
		ts, offset := int64(binary.BigEndian.Uint64(b)), d.base()+int64(binary.BigEndian.Uint32(b[8:]))
		err := d.line(struct {
			File      string `json:"file"`
			Timestamp int64  `json:"timestamp"`
			Offset    int64  `json:"offset"`
		}{d.name, ts, offset}, "%s up to offset %d", time.UnixMilli(ts).UTC().Format(timeLayout), offset)
		if err == nil && (ts <= last || offset < lastOffset) {
			err = d.fault(at, "time %d, offset %d does not come after %d, %d", ts, offset, last, lastOffset)
		}
		last, lastOffset = ts, offset
		return err
	})
}

func (d *dumper) txnIndex(f vfs.File) error {
	return d.entries(f, 34, func(at int64, b []byte) error {
		n := func(i int) int64 { return int64(binary.BigEndian.Uint64(b[i:])) }
		if v := binary.BigEndian.Uint16(b); v != 0 {
			return d.fault(at, "version %d", v)
		}
		return d.line(struct {
			File       string `json:"file"`
			ProducerID int64  `json:"producerId"`
			First      int64  `json:"firstOffset"`
			Last       int64  `json:"lastOffset"`
			LSO        int64  `json:"lastStableOffset"`
		}{d.name, n(2), n(10), n(18), n(26)}, "producer %d aborted offsets %d-%d, last stable offset %d", n(2), n(10), n(18), n(26))
	})
}

// snapshot prints the producers of a .snapshot file.
func (d *dumper) snapshot(f vfs.File) error {
	text, err := d.all(f)
	if err != nil {
		return err
	}
	entries, err := producers.ReadSnapshot([]byte(text))
	if err != nil {
		return d.fault(0, "%v", err)
	}
	for _, e := range entries {
		open := ""
		if e.TxnFirstOffset >= 0 {
			open = fmt.Sprintf("  open transaction from offset %d", e.TxnFirstOffset)
		}
		if err := d.line(struct {
			File             string `json:"file"`
			ProducerID       int64  `json:"producerId"`
			Epoch            int16  `json:"producerEpoch"`
			LastSequence     int32  `json:"lastSequence"`
			LastOffset       int64  `json:"lastOffset"`
			LastTimestamp    int64  `json:"lastTimestamp"`
			CoordinatorEpoch int32  `json:"coordinatorEpoch"`
			TxnFirstOffset   int64  `json:"txnFirstOffset"`
		}{d.name, e.ProducerID, e.Epoch, e.LastSequence, e.LastOffset, e.LastTimestamp, e.CoordinatorEpoch, e.TxnFirstOffset},
			"producer %d/%d  last sequence %d at offset %d  %s%s", e.ProducerID, e.Epoch, e.LastSequence, e.LastOffset,
			time.UnixMilli(e.LastTimestamp).UTC().Format(timeLayout), open); err != nil {
			return err
		}
	}
	return nil
}

// checkpoint prints a file of numbers: its version, how many lines follow, and the lines.
func (d *dumper) checkpoint(f vfs.File) error {
	text, err := d.all(f)
	if err != nil {
		return err
	}
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	if len(lines) < 2 || lines[0] != "0" {
		return d.fault(0, "version %q, want 0 and the number of lines", lines[0])
	}
	if lines[1] != strconv.Itoa(len(lines)-2) {
		return d.fault(int64(len(lines[0])+1), "%s lines are announced, %d follow", lines[1], len(lines)-2)
	}
	epochs := strings.HasPrefix(filepath.Base(d.name), "leader-epoch")
	for _, l := range lines[2:] {
		words := strings.Fields(l)
		switch {
		case epochs && len(words) == 2:
			err = d.line(struct {
				File  string `json:"file"`
				Epoch string `json:"epoch"`
				Start string `json:"startOffset"`
			}{d.name, words[0], words[1]}, "epoch %s from offset %s", words[0], words[1])
		case !epochs && len(words) == 3:
			err = d.line(struct {
				File      string `json:"file"`
				Topic     string `json:"topic"`
				Partition string `json:"partition"`
				Offset    string `json:"offset"`
			}{d.name, words[0], words[1], words[2]}, "%s-%s offset %s", words[0], words[1], words[2])
		default:
			err = d.fault(0, "line %q", l)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// journalItem is an entry of the journal as JSON has it.
type journalItem struct {
	File      string `json:"file"`
	Position  int64  `json:"position"`
	Sequence  uint64 `json:"sequence"`
	Oldest    uint64 `json:"oldest"`
	Stale     bool   `json:"stale,omitempty"`
	Kind      string `json:"kind"`
	TopicID   string `json:"topicId"`
	Partition int32  `json:"partition"`
	Base      int64  `json:"baseOffset"`
	End       int64  `json:"endOffset"`
	Bytes     int    `json:"bytes"`
}

// journal prints the groups of a journal's file. Their checksums are right: what has a
// wrong one is torn or from an earlier use, and cannot be told from it.
func (d *dumper) journal(f vfs.File) error {
	for g, err := range journal.Inspect(f) {
		if err != nil {
			return d.fault(0, "%v", err)
		}
		stale := ""
		if g.Stale {
			stale = "  from an earlier use"
		}
		if d.text() {
			if err := d.line(nil, "at %-8d group %d  oldest %d  %d bytes%s", g.Pos, g.Sequence, g.Oldest, g.Bytes, stale); err != nil {
				return err
			}
		}
		for _, e := range g.Entries {
			it := journalItem{d.name, g.Pos, g.Sequence, g.Oldest, g.Stale, e.Kind, e.ID.Topic.String(), e.ID.Partition, e.Base, e.End, len(e.Batches)}
			if err := d.line(it, "    %s %s-%d  [%d,%d)  %d bytes", it.Kind, it.TopicID, it.Partition, it.Base, it.End, it.Bytes); err != nil {
				return err
			}
		}
	}
	return nil
}

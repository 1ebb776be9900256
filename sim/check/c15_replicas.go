package check

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/odradek/odradek/internal/base/vfs"
	"github.com/odradek/odradek/internal/proto/record"
	"github.com/odradek/odradek/internal/store/producers"
	"github.com/odradek/odradek/sim/history"
)

// C15: replicas are the same. Below the high watermark each batch of one is, byte for byte,
// in every other that goes so far back (in a compacted topic: each record that both still
// have); batches are whole, offsets and leader epochs rise, and the checkpoint of epochs
// tells of each batch the epoch that it bears; what a node remembers of its producers is
// what its log says of them.

// Replica is the folder of a partition on a node.
type Replica struct {
	Node int32
	FS   vfs.FS
	Dir  string
	// Start is the start of its log, High the high watermark: what is outside is not
	// looked at.
	Start, High int64
}

// Replicas compares the folders of one partition. Nobody may write to them meanwhile.
func Replicas(p history.Place, all []Replica, compacted bool) []Violation {
	r := &report{check: "C15", limit: 10}
	var logs []*replicaLog
	for _, one := range all {
		l := &replicaLog{Replica: one, place: p}
		if err := l.read(); err != nil {
			r.add(nil, "%v on node %d: %v", p, one.Node, err)
			continue
		}
		l.checkEpochs(r)
		if !compacted {
			l.checkGaps(r)
			l.checkProducers(r)
		}
		logs = append(logs, l)
	}
	for i := 1; i < len(logs); i++ {
		if compacted {
			sameRecords(r, logs[0], logs[i])
		} else {
			sameBatches(r, logs[0], logs[i])
		}
	}
	return r.close()
}

// replicaLog is what is in a folder: the batches that have a record in [Start, High), and
// those before them in the first segment.
type replicaLog struct {
	Replica
	place   history.Place
	batches []record.Batch
	names   []string
}

var segmentName = regexp.MustCompile(`^[0-9]{20}\.log$`)

func (l *replicaLog) read() error {
	entries, err := l.FS.ReadDir(l.Dir)
	if err != nil {
		return err
	}
	for _, e := range entries { // sorted, and so in the order of their offsets
		if l.names = append(l.names, e.Name()); !segmentName.MatchString(e.Name()) {
			continue
		}
		b, err := vfs.ReadFile(l.FS, filepath.Join(l.Dir, e.Name()))
		if err != nil {
			return err
		}
		if done, err := l.split(b); done || err != nil {
			return err
		}
	}
	if end := l.end(); end < l.High {
		return fmt.Errorf("its log ends at %d, and the high watermark is %d", end, l.High)
	}
	return nil
}

// split takes the batches of a segment. It is done at the high watermark.
func (l *replicaLog) split(b []byte) (done bool, err error) {
	for len(b) > 0 {
		if l.end() >= l.High {
			return true, nil
		}
		batch, rest, err := record.Split(b)
		if err == nil {
			err = batch.Verify()
		}
		if err != nil {
			return false, fmt.Errorf("after offset %d: %w", l.end(), err)
		}
		if n := len(l.batches); n > 0 && batch.BaseOffset() < l.end() {
			return false, fmt.Errorf("offset %d comes after %d", batch.BaseOffset(), l.end()-1)
		}
		l.batches, b = append(l.batches, batch), rest
	}
	return false, nil
}

func (l *replicaLog) end() int64 {
	if n := len(l.batches); n > 0 {
		return l.batches[n-1].NextOffset()
	}
	return l.Start
}

// checkGaps looks for offsets that no batch has.
func (l *replicaLog) checkGaps(r *report) {
	for i, b := range l.batches[min(1, len(l.batches)):] {
		if before := l.batches[i]; b.BaseOffset() != before.NextOffset() && b.BaseOffset() > l.Start {
			r.add(nil, "%v on node %d has nothing from %d to %d", l.place, l.Node, before.NextOffset(), b.BaseOffset())
		}
	}
}

// checkEpochs holds the epochs of batches against each other and against the checkpoint.
func (l *replicaLog) checkEpochs(r *report) {
	for i, b := range l.batches[min(1, len(l.batches)):] {
		if before := l.batches[i]; b.LeaderEpoch() < before.LeaderEpoch() {
			r.add(nil, "%v on node %d: offset %d has leader epoch %d, after %d", l.place, l.Node, b.BaseOffset(), b.LeaderEpoch(), before.LeaderEpoch())
			return
		}
	}
	text, err := vfs.ReadFile(l.FS, filepath.Join(l.Dir, "leader-epoch-checkpoint"))
	if errors.Is(err, fs.ErrNotExist) && len(l.batches) == 0 {
		return
	}
	if err != nil {
		r.add(nil, "%v on node %d: %v", l.place, l.Node, err)
		return
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	var epochs [][2]int64
	for _, line := range lines[min(2, len(lines)):] {
		epoch, start, _ := strings.Cut(line, " ")
		e, err1 := strconv.ParseInt(epoch, 10, 32)
		s, err2 := strconv.ParseInt(start, 10, 64)
		if err := errors.Join(err1, err2); err != nil {
			r.add(nil, "%v on node %d: its epochs: %v", l.place, l.Node, err)
			return
		}
		epochs = append(epochs, [2]int64{e, s})
	}
	for _, b := range l.batches {
		at := int64(-1)
		for _, e := range epochs {
			if e[1] <= b.BaseOffset() {
				at = e[0]
			}
		}
		if at != int64(b.LeaderEpoch()) && b.BaseOffset() >= l.Start {
			r.add(nil, "%v on node %d: offset %d has leader epoch %d, and the checkpoint says %d", l.place, l.Node, b.BaseOffset(), b.LeaderEpoch(), at)
			return
		}
	}
}

// checkProducers holds each snapshot of producers against the log, where that goes back to
// the beginning.
func (l *replicaLog) checkProducers(r *report) {
	if len(l.batches) == 0 || l.batches[0].BaseOffset() != 0 {
		return
	}
	for _, name := range l.names {
		digits, ok := strings.CutSuffix(name, ".snapshot")
		at, err := strconv.ParseInt(digits, 10, 64)
		if !ok || err != nil || at > l.High {
			continue
		}
		b, err := vfs.ReadFile(l.FS, filepath.Join(l.Dir, name))
		if err != nil {
			r.add(nil, "%v on node %d: %v", l.place, l.Node, err)
			continue
		}
		kept, err := producers.ReadSnapshot(b)
		if err != nil {
			continue // torn by a power cut: one that is damaged is not believed, but thrown away
		}
		var state producers.State
		for _, batch := range l.batches {
			if batch.BaseOffset() < at {
				state.Apply(batch)
			}
		}
		said := state.Entries()
		for _, e := range kept {
			// The log may know of more: who wrote nothing for long is forgotten.
			if !slices.Contains(said, e) {
				r.add(nil, "%v on node %d: %s remembers %+v, which is not what the log says", l.place, l.Node, name, e)
			}
		}
		for _, e := range said {
			if e.TxnFirstOffset >= 0 && !slices.Contains(kept, e) {
				r.add(nil, "%v on node %d: %s forgets a transaction that is open since %d", l.place, l.Node, name, e.TxnFirstOffset)
			}
		}
	}
}

// sameBatches compares all bytes that two logs both have.
func sameBatches(r *report, a, b *replicaLog) {
	from, to := max(a.Start, b.Start), min(a.High, b.High)
	x, y := a.within(from, to), b.within(from, to)
	for i := range max(len(x), len(y)) {
		switch {
		case i >= len(x) || i >= len(y):
			r.add(nil, "%v: nodes %d and %d have %d and %d batches in [%d, %d)", a.place, a.Node, b.Node, len(x), len(y), from, to)
			return
		case !bytes.Equal(x[i], y[i]):
			r.add(nil, "%v: nodes %d and %d differ in the batches at %d and %d, of leader epochs %d and %d", a.place, a.Node, b.Node,
				x[i].BaseOffset(), y[i].BaseOffset(), x[i].LeaderEpoch(), y[i].LeaderEpoch())
			return
		}
	}
}

// within are the batches that begin in [from, to).
func (l *replicaLog) within(from, to int64) (all []record.Batch) {
	for _, b := range l.batches {
		if b.BaseOffset() >= from && b.BaseOffset() < to {
			all = append(all, b)
		}
	}
	return all
}

// sameRecords compares the records that two logs both still have.
func sameRecords(r *report, a, b *replicaLog) {
	x, err := a.records()
	y, err2 := b.records()
	if err = errors.Join(err, err2); err != nil {
		r.add(nil, "%v: %v", a.place, err)
		return
	}
	for _, offset := range slices.Sorted(maps.Keys(x)) {
		if other, both := y[offset]; both && x[offset] != other {
			r.add(nil, "%v: nodes %d and %d differ in the record at %d", a.place, a.Node, b.Node, offset)
			return
		}
	}
}

// records are the key and the value at each offset.
func (l *replicaLog) records() (map[int64][2]string, error) {
	all := make(map[int64][2]string)
	for _, b := range l.within(l.Start, l.High) {
		if b.Control() {
			continue
		}
		var reader record.Reader
		if err := reader.Open(b, record.Limits{}); err != nil {
			return nil, err
		}
		for reader.Next() {
			all[reader.View.Offset] = [2]string{string(reader.View.Key), string(reader.View.Value)}
		}
		err := reader.Err()
		reader.Close()
		if err != nil {
			return nil, err
		}
	}
	return all, nil
}

package commitlog

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"sort"
	"strconv"
	"strings"

	"github.com/odradek/odradek/internal/base/failpoint"
	"github.com/odradek/odradek/internal/base/vfs"
	"github.com/odradek/odradek/internal/proto/model"
	"github.com/odradek/odradek/internal/proto/record"
)

var _ = failpoint.Register("commitlog.epochs.before_write", "commitlog.epochs.after_write")

// epochStart says that the records from start on were written in epoch.
type epochStart struct {
	epoch int32
	start int64
}

// epochs are the leader epochs of a log (KIP-101), oldest first; both numbers only
// grow. The slice is never changed, only replaced.
type epochs []epochStart

func (e epochs) latest() int32 {
	if len(e) == 0 {
		return model.NoEpoch
	}
	return e[len(e)-1].epoch
}

// assign notes that epoch begins at start. Entries that contradict it give way.
func (e epochs) assign(epoch int32, start int64) epochs {
	if n := len(e); n > 0 && e[n-1].epoch == epoch && e[n-1].start <= start {
		return e
	}
	keep := len(e)
	for keep > 0 && (e[keep-1].epoch >= epoch || e[keep-1].start >= start) {
		keep--
	}
	return append(e[:keep:keep], epochStart{epoch, start})
}

// with notes that a record at start is of epoch, among others whose epochs are known.
func (e epochs) with(epoch int32, start int64) epochs {
	if e.at(start) == epoch {
		return e
	}
	all := e.before(start)
	rest := e[len(all):]
	for all = append(all, epochStart{epoch, start}); len(rest) > 0; rest = rest[1:] {
		if rest[0].epoch > epoch {
			all = append(all, rest[0])
		}
	}
	return all
}

// before forgets what begins at end or later.
func (e epochs) before(end int64) epochs {
	keep := sort.Search(len(e), func(i int) bool { return e[i].start >= end })
	return e[:keep:keep]
}

// from forgets what ends at start or before.
func (e epochs) from(start int64) epochs {
	i := sort.Search(len(e), func(i int) bool { return e[i].start > start })
	if i == 0 || i == 1 && e[0].start == start {
		return e
	}
	kept := append(epochs(nil), e[i-1:]...)
	kept[0].start = start
	return kept
}

// end answers OffsetForLeaderEpoch (KIP-101, KIP-279): the greatest epoch that is not
// above the asked one, and where it ends; -1 and -1 if the epoch is not known here.
func (e epochs) end(epoch int32, logEnd int64) (int32, int64) {
	switch {
	case epoch < 0 || len(e) == 0 || epoch > e.latest():
		return model.NoEpoch, -1
	case epoch == e.latest():
		return epoch, logEnd
	}
	higher := sort.Search(len(e), func(i int) bool { return e[i].epoch > epoch })
	if higher == 0 {
		return epoch, e[0].start
	}
	return e[higher-1].epoch, e[higher].start
}

// at is the epoch of the record at offset.
func (e epochs) at(offset int64) int32 {
	i := sort.Search(len(e), func(i int) bool { return e[i].start > offset })
	if i == 0 {
		return model.NoEpoch
	}
	return e[i-1].epoch
}

// The checkpoint is Kafka's text: version 0, the number of entries, an entry a line.
func (e epochs) text() []byte {
	b := fmt.Appendf(nil, "0\n%d\n", len(e))
	for _, s := range e {
		b = fmt.Appendf(b, "%d %d\n", s.epoch, s.start)
	}
	return b
}

func parseEpochs(text string) (epochs, error) {
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	if len(lines) < 2 || lines[0] != "0" || lines[1] != strconv.Itoa(len(lines)-2) {
		return nil, errors.New("not a checkpoint of version 0 with the declared number of lines")
	}
	var e epochs
	for _, line := range lines[2:] {
		a, b, _ := strings.Cut(line, " ")
		epoch, err1 := strconv.ParseInt(a, 10, 32)
		start, err2 := strconv.ParseInt(b, 10, 64)
		if err := errors.Join(err1, err2); err != nil {
			return nil, err
		}
		if n := len(e); epoch < 0 || start < 0 || n > 0 && (int32(epoch) <= e[n-1].epoch || start < e[n-1].start) {
			return nil, fmt.Errorf("line %q does not grow", line)
		}
		e = append(e, epochStart{int32(epoch), start})
	}
	return e, nil
}

// loadEpochs reads the checkpoint; found is false if it is missing or damaged.
func (l *Log) loadEpochs() (found bool, err error) {
	b, err := vfs.ReadFile(l.fs, filepath.Join(l.dir, epochsName))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, storageError(err)
	}
	if l.epochs, err = parseEpochs(string(b)); err == nil && l.had > 0 && l.epochs.latest() >= l.had {
		err = fmt.Errorf("epoch %d is told of, and the cluster has had %d", l.epochs.latest(), l.had)
	}
	if err != nil {
		l.epochs = nil
		l.logger.Warn("leader epoch checkpoint is damaged and made anew", "partition", l.name, "err", err)
		return false, nil
	}
	l.loaded = l.epochs
	return true, nil
}

// never reports whether a batch cannot be of the leader epoch that its header has, which no
// checksum covers. One bit that turns makes the log tell of an epoch far in the future, after
// which no leader could write any more; or of one that was over by then.
func (l *Log) never(b record.Batch) bool {
	e := b.LeaderEpoch()
	return e < model.NoEpoch || l.had > 0 && e >= l.had ||
		e >= 0 && b.NextOffset() <= l.sure && e < l.loaded.at(b.BaseOffset())
}

// Lost notes that the log once reached had, beyond its end, and returns the latest epoch of
// what it has lost, or model.NoEpoch if that is not known; latest is one that the caller
// knows of. The checkpoint keeps it, until Lost is told of nothing beyond the end.
func (l *Log) Lost(had int64, latest int32) int32 {
	l.mu.Lock()
	defer l.mu.Unlock()
	all := l.loaded.before(had)
	if len(all) > 0 && latest > all.latest() {
		all = all.assign(latest, had-1)
	}
	lost := all[len(all.before(l.end)):]
	if len(l.lost)+len(lost) > 0 {
		l.epochsSaved.touch()
	}
	l.lost = lost
	return all.latest()
}

// toSave is what the checkpoint is to have. mu is held.
func (l *Log) toSave() epochs {
	n := len(l.epochs)
	all := l.epochs[:n:n]
	for _, e := range l.lost {
		if e.epoch > l.epochs.latest() && e.start >= l.end {
			all = append(all, e)
		}
	}
	return all
}

func (l *Log) saveEpochs(e epochs) error {
	failpoint.Hit("commitlog.epochs.before_write", l.fs)
	err := vfs.WriteFileDurable(l.fs, filepath.Join(l.dir, epochsName), e.text(), 0o644)
	failpoint.Hit("commitlog.epochs.after_write", l.fs)
	return err
}

// setEpochs publishes a change; Sync makes it durable. mu is held.
func (l *Log) setEpochs(e epochs) {
	if len(e) != len(l.epochs) || len(e) > 0 && (&e[0] != &l.epochs[0] || e[len(e)-1] != l.epochs[len(e)-1]) {
		l.epochs = e
		l.epochsSaved.touch()
	}
}

// LatestEpoch is the epoch of the newest entry, model.NoEpoch if there is none.
func (l *Log) LatestEpoch() int32 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.epochs.latest()
}

// EpochEnd returns the greatest epoch not above the given one and the offset at which
// it ends here: the log end for the latest, -1 and -1 for an epoch not known.
func (l *Log) EpochEnd(epoch int32) (int32, int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.epochs.end(epoch, l.end)
}

// EpochAt is the leader epoch of the record at offset, or model.NoEpoch.
func (l *Log) EpochAt(offset int64) int32 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.epochs.at(offset)
}

// EpochStart is where a leader epoch begins, -1 if it is not known here.
func (l *Log) EpochStart(epoch int32) int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, e := range l.epochs {
		if e.epoch == epoch {
			return e.start
		}
	}
	return -1
}

// ForgetEmptyEpochs takes back what AssignEpoch noted at the log end: a follower knows
// epochs by their records.
func (l *Log) ForgetEmptyEpochs() error {
	l.writing.Lock()
	defer l.writing.Unlock()
	if err := l.usable(); err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.setEpochs(l.epochs.before(l.end))
	return nil
}

// AssignEpoch notes that a leader epoch begins at the log end, though nothing is yet
// written in it: a new leader does so before it answers for the epoch.
func (l *Log) AssignEpoch(epoch int32) error {
	l.writing.Lock()
	defer l.writing.Unlock()
	if err := l.usable(); err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if latest := l.epochs.latest(); epoch < latest {
		return fmt.Errorf("%w: epoch %d after %d", ErrInvariant, epoch, latest)
	}
	l.setEpochs(l.epochs.assign(epoch, l.end))
	return nil
}

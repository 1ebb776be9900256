package commitlog

import (
	"errors"
	"fmt"

	"github.com/odradek/odradek/internal/proto/record"
	"github.com/twmb/franz-go/pkg/kerr"
)

// BeginWithin has an empty log begin with the batch that holds its start, and what follows:
// DeleteRecords has moved the start into a batch, and whoever has the batch gives it whole.
// The start stays where it is, so that nobody sees again what was deleted. The word about
// the recovery point at TruncateTo holds.
// It returns ErrUnexpectedOffset wrapped if the log is not empty or the first batch does
// not hold its start, and otherwise what AppendFollower does; then the log is as it was.
func (l *Log) BeginWithin(b []byte) (Appended, error) {
	l.syncing.Lock()
	defer l.syncing.Unlock()
	l.writing.Lock()
	defer l.writing.Unlock()
	if err := l.usable(); err != nil {
		return Appended{}, err
	}
	defer l.CancelCut()
	first, _, err := record.Split(b)
	if err != nil {
		return Appended{}, fmt.Errorf("begin: %w: %w", kerr.CorruptMessage, err)
	}
	start := l.start
	if start < l.end || first.BaseOffset() >= start || first.NextOffset() <= start {
		return Appended{}, fmt.Errorf("batch at %d, log is [%d, %d): %w", first.BaseOffset(), start, l.end, ErrUnexpectedOffset)
	}
	if err := l.restart(first.BaseOffset(), start); err != nil {
		return Appended{}, err
	}
	a, err := l.appendAsIs(b)
	if err != nil {
		return Appended{}, errors.Join(err, l.restartAt(start))
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.advanceStart(start) // the epochs begin there, too
	return a, nil
}

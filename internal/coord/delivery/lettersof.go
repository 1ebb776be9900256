package delivery

import (
	"bytes"
	"fmt"
	"time"

	"github.com/odradek/odradek/internal/proto/model"
	"github.com/odradek/odradek/internal/proto/record"
	"github.com/odradek/odradek/internal/replica/partition"
	"github.com/odradek/odradek/internal/store/commitlog"
	"github.com/twmb/franz-go/pkg/kerr"
)

// What one batch of letters is made of at most.
const (
	letterBytes   = 128 << 10 // of the log
	letterRecords = 500
)

// lettersOf makes the letters that tell of the records of a run from an offset on, and
// returns the offset to go on from. Where the log has no record there is nothing to tell;
// of what it has had and has no longer, a letter tells without a copy.
func (sh *Share) lettersOf(l *letter, at int64, copied bool) (list []record.Record, next int64, err error) {
	now := sh.service.cfg.Clock.Millis(time.Now())
	add := func(offset int64, r *record.View) {
		letter := record.Record{Offset: int64(len(list)), Timestamp: now, Headers: l.headers(sh, offset)}
		if copied && r != nil {
			letter.Key, letter.Value = bytes.Clone(r.Key), bytes.Clone(r.Value)
		}
		list = append(list, letter)
	}
	read, err := sh.source.Read(partition.ReadArgs{From: at, MaxBytes: letterBytes, MinOne: true,
		CurrentEpoch: sh.epoch, LastFetchedEpoch: model.NoEpoch})
	defer read.Release()
	if isAny(err, kerr.OffsetOutOfRange) && at < read.Start {
		for ; at < read.Start && at <= l.last && len(list) < letterRecords; at++ {
			add(at, nil)
		}
		return list, at, nil
	}
	if err != nil {
		return nil, at, fmt.Errorf("read what goes to the dead letter queue: %w", err)
	}
	if read.Len == 0 {
		return nil, l.last + 1, nil // compaction took the end of the log
	}
	log, err := read.ReadAll(nil)
	if err != nil {
		return nil, at, err
	}
	for b, err := range commitlog.Batches(log) {
		if err != nil {
			return nil, at, err
		}
		if b.BaseOffset() > l.last || len(list) >= letterRecords {
			break
		}
		if err := eachRecord(b, func(offset int64, v *record.View) {
			if offset >= at && offset <= l.last {
				add(offset, v)
			}
		}); err != nil {
			return nil, at, err
		}
		next = b.NextOffset()
	}
	return list, min(max(next, at), l.last+1), nil
}

// eachRecord visits the records of a batch that are for members.
func eachRecord(b record.Batch, visit func(offset int64, v *record.View)) error {
	if b.Control() {
		return nil
	}
	var r record.Reader
	if err := r.Open(b, record.Limits{}); err != nil {
		return fmt.Errorf("%w: %w", kerr.CorruptMessage, err)
	}
	defer r.Close()
	for r.Next() {
		visit(r.View.Offset, &r.View)
	}
	return r.Err()
}

package journal

import (
	"fmt"
	"slices"

	"github.com/odradek/odradek/internal/base/failpoint"
	"github.com/odradek/odradek/internal/proto/model"
	"github.com/odradek/odradek/internal/proto/record"
)

var _ = failpoint.Register("journal.confirm.before_write", "journal.confirm.before_sync")

// Entry is an append to be replayed: batches with the offsets [Base, End) of a
// partition.
type Entry struct {
	ID        model.IDPartition
	Base, End int64
	Batches   []byte
}

func (h groupHeader) matches(b []byte) bool {
	return len(b) == h.length && checksum(b) == h.sum
}

// restore makes the journal go on where the chain ends and returns what to replay.
func (r *reader) restore(j *Journal, chain []*scan) ([]Entry, error) {
	var f fold
	for _, s := range chain {
		if err := r.replay(&f, j, s, chain[len(chain)-1].lastHeader().oldest); err != nil {
			return nil, err
		}
		j.files.live = append(j.files.live, s.file)
	}
	for _, s := range r.scans {
		j.files.highest = max(j.files.highest, s.number)
		if !slices.Contains(chain, s) {
			j.files.free = append(j.files.free, s.file)
		}
	}
	if len(chain) == 0 {
		return nil, j.begin()
	}
	if err := r.confirm(chain[len(chain)-1]); err != nil {
		return nil, err
	}
	last := chain[len(chain)-1].lastHeader()
	j.seq, j.sum, j.announced = last.seq, last.sum, last.oldest
	j.committed, j.next = last.seq, last.seq+1
	return f.entries(j), nil
}

// confirm makes the last group durable, on which others will follow. A process that was
// killed may not have synced it, or a sync may have failed, after which the system
// holds it for clean: so it is written again.
func (r *reader) confirm(s *scan) error {
	h := s.lastHeader()
	pos := s.pos - blocks(h.length)
	b, ok, err := r.group(s, pos, h)
	if err == nil && !ok {
		err = fmt.Errorf("%w: group %d changed while it was read", ErrCorrupt, h.seq)
	}
	if err == nil {
		failpoint.Hit("journal.confirm.before_write", r.cfg.FS)
		_, err = s.handle.WriteAt(b, pos)
	}
	if err == nil {
		failpoint.Hit("journal.confirm.before_sync", r.cfg.FS)
		err = s.handle.Datasync()
	}
	return err
}

// begin starts a journal that has no groups yet.
func (j *Journal) begin() error {
	j.next = 1
	f, _ := j.takeFree()
	if f == nil {
		var err error
		if f, err = j.createNext(false); err != nil {
			return err
		}
	}
	j.files.live = []*file{f}
	return nil
}

// replay reads the groups of a file that matter.
func (r *reader) replay(f *fold, j *Journal, s *scan, oldest uint64) error {
	s.first, s.last, s.lastNo = max(oldest, s.run[0].seq), s.lastHeader().seq, s.lastHeader().seq
	pos := int64(blockBytes)
	for _, h := range s.run {
		if h.seq >= oldest {
			if err := r.replayGroup(f, s, pos, h); err != nil {
				return fmt.Errorf("%w: group %d in %s at %d: %w", ErrCorrupt, h.seq, s.handle.Name(), pos, err)
			}
		}
		pos += blocks(h.length)
	}
	return nil
}

func (r *reader) replayGroup(f *fold, s *scan, pos int64, h groupHeader) error {
	b, ok, err := r.group(s, pos, h)
	if err == nil && !ok {
		err = fmt.Errorf("wrong checksum: %w", errFormat)
	}
	if err != nil {
		return err
	}
	list, err := parseEntries(slices.Clone(b[groupHeaderBytes:]), h.entries)
	if err != nil {
		return err
	}
	for _, e := range list {
		if err := f.add(e, h.seq, s.file); err != nil {
			return err
		}
	}
	return nil
}

// fold applies entries to each other: what was truncated or deleted later goes.
type fold struct {
	list []folded
	byID map[model.IDPartition][]int // indices of list
}

type folded struct {
	Entry
	group uint64
	file  *file
}

func (f *fold) add(e entry, group uint64, in *file) error {
	if f.byID == nil {
		f.byID = map[model.IDPartition][]int{}
	}
	switch e.kind {
	case kindDelete:
		return f.truncate(e.id, 0)
	case kindTruncate:
		return f.truncate(e.id, e.base)
	}
	f.byID[e.id] = append(f.byID[e.id], len(f.list))
	f.list = append(f.list, folded{Entry{e.id, e.base, e.end, e.batches}, group, in})
	return nil
}

func (f *fold) truncate(id model.IDPartition, to int64) error {
	left := f.byID[id]
	for len(left) > 0 {
		e := &f.list[left[len(left)-1]]
		if e.End <= to {
			break
		}
		if err := e.cut(to); err != nil {
			return err
		}
		if len(e.Batches) > 0 {
			break
		}
		left = left[:len(left)-1]
	}
	f.byID[id] = left
	return nil
}

// cut removes the batches that reach beyond to.
func (e *Entry) cut(to int64) error {
	end, rest := e.Base, e.Batches
	for end < to {
		b, after, err := record.Split(rest)
		if err != nil {
			return fmt.Errorf("entry of %s at offset %d: %w", e.ID, end, err)
		}
		if b.NextOffset() > to {
			break
		}
		end, rest = b.NextOffset(), after
	}
	e.Batches, e.End = e.Batches[:len(e.Batches)-len(rest)], end
	return nil
}

// entries returns what is left to replay, and makes the slots that hold it.
func (f *fold) entries(j *Journal) []Entry {
	var list []Entry
	for i := range f.list {
		e := &f.list[i]
		if len(e.Batches) == 0 {
			continue
		}
		s := j.slot(e.ID)
		s.last = e.group
		e.file.list(s)
		list = append(list, e.Entry)
	}
	return list
}

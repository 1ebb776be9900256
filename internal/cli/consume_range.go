package cli

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

const positionHelp = `Positions: start, end, an offset such as 42, +N after the start, -N before the end,
@TIME (milliseconds since 1970 or a date such as 2026-01-31T12:00:00Z), -1h30m or -7d
before now.`

// position is a place in every partition.
type position struct {
	kind  byte // 's'tart, 'e'nd, 'o'ffset, '+', '-', '@'
	n     int64
	given string
}

func parsePosition(text string, now time.Time) (position, error) {
	p := position{given: text}
	number := func(s string) bool {
		n, err := strconv.ParseUint(s, 10, 63) // which takes no sign
		p.n = int64(n)
		return err == nil
	}
	switch {
	case text == "start":
		p.kind = 's'
	case text == "end":
		p.kind = 'e'
	case number(text):
		p.kind = 'o'
	case text != "" && (text[0] == '+' || text[0] == '-') && number(text[1:]):
		p.kind = text[0]
	case strings.HasPrefix(text, "@"):
		ms, err := parseTime(text[1:], now)
		if err != nil {
			return p, err
		}
		p.kind, p.n = '@', ms
	default:
		d, err := parseDuration(strings.TrimPrefix(text, "-"))
		if err != nil || !strings.HasPrefix(text, "-") {
			return p, usagef("%q is no position.\n%s", text, positionHelp)
		}
		p.kind, p.n = '@', now.Add(-d).UnixMilli()
	}
	return p, nil
}

// bounds are the offsets to read of one partition: [from, to), and without end if to is
// negative.
type bounds struct{ from, to int64 }

// ranges are the bounds of every partition to read.
type ranges map[string]map[int32]bounds

func (r ranges) offsets() map[string]map[int32]kgo.Offset {
	m := make(map[string]map[int32]kgo.Offset)
	for t, ps := range r {
		m[t] = make(map[int32]kgo.Offset)
		for p, b := range ps {
			m[t][p] = kgo.NewOffset().At(b.from)
		}
	}
	return m
}

// resolve asks the cluster where from and to are in each partition of the topics. to is
// nil for no end.
func resolve(ctx context.Context, adm *kadm.Client, topics []string, only []int32, from position, to *position, committed bool) (ranges, error) {
	q := asker{ctx: ctx, adm: adm, topics: topics, committed: committed}
	starts, err := q.at(position{kind: 's'})
	if err != nil {
		return nil, err
	}
	begin, err := q.at(from)
	if err != nil {
		return nil, err
	}
	var end map[string]map[int32]int64
	if to != nil {
		if end, err = q.at(*to); err != nil {
			return nil, err
		}
	}
	r := make(ranges)
	for t, ps := range starts {
		r[t] = make(map[int32]bounds)
		for _, p := range slices.Sorted(maps.Keys(ps)) {
			if len(only) > 0 && !slices.Contains(only, p) {
				continue
			}
			b := bounds{begin[t][p], -1}
			if to != nil {
				b.to = end[t][p]
			}
			r[t][p] = b
		}
		for _, p := range only {
			if _, ok := ps[p]; !ok {
				return nil, fmt.Errorf("topic %s has no partition %d: %w", t, p, kerr.UnknownTopicOrPartition)
			}
		}
	}
	return r, nil
}

// asker asks for offsets, each kind once.
type asker struct {
	ctx       context.Context
	adm       *kadm.Client
	topics    []string
	committed bool
	starts    map[string]map[int32]int64
	ends      map[string]map[int32]int64
}

func (q *asker) at(p position) (map[string]map[int32]int64, error) {
	if err := q.limits(); err != nil {
		return nil, err
	}
	if p.kind == '@' {
		return q.ask(q.adm.ListOffsetsAfterMilli(q.ctx, p.n, q.topics...))
	}
	out := make(map[string]map[int32]int64)
	for t, ps := range q.starts {
		out[t] = make(map[int32]int64)
		for n, start := range ps {
			end := q.ends[t][n]
			out[t][n] = min(max(offsetAt(p, start, end), start), max(start, end))
		}
	}
	return out, nil
}

func offsetAt(p position, start, end int64) int64 {
	switch p.kind {
	case 's':
		return start
	case 'e':
		return end
	case '+':
		return start + p.n
	case '-':
		return end - p.n
	case 'o':
		return p.n
	}
	panic("bug: position of kind " + string(p.kind))
}

// limits asks once where the partitions start and end.
func (q *asker) limits() (err error) {
	if q.starts != nil {
		return nil
	}
	if q.starts, err = q.ask(q.adm.ListStartOffsets(q.ctx, q.topics...)); err != nil {
		return err
	}
	if q.committed {
		q.ends, err = q.ask(q.adm.ListCommittedOffsets(q.ctx, q.topics...))
	} else {
		q.ends, err = q.ask(q.adm.ListEndOffsets(q.ctx, q.topics...))
	}
	return err
}

func (q *asker) ask(listed kadm.ListedOffsets, err error) (map[string]map[int32]int64, error) {
	if err != nil {
		return nil, err
	}
	out := make(map[string]map[int32]int64)
	for _, t := range slices.Sorted(maps.Keys(listed)) {
		out[t] = make(map[int32]int64)
		for _, o := range listed[t] {
			if o.Err != nil {
				return nil, fmt.Errorf("topic %s: %w", t, o.Err)
			}
			out[t][o.Partition] = o.Offset
		}
	}
	return out, nil
}

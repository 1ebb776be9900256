package cli

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
)

// whenForms is the help on where.
const whenForms = `start, end, an offset such as 42, a shift from the current offset such as +10 or -10,
or a time: @2026-01-31, @2026-01-31T15:04:05Z, @1700000000000 (milliseconds), @-24h (that long ago)`

// where is a place in a partition, as people name it.
type where struct {
	kind  whereKind
	value int64 // an offset, a difference, or milliseconds
}

type whereKind int

const (
	atStart whereKind = iota
	atEnd
	atOffset
	atShift
	atTime
)

// parseWhere reads start, end, N, +N, -N or @TIME.
func parseWhere(text string, now time.Time) (where, error) {
	switch text {
	case "start", "earliest":
		return where{kind: atStart}, nil
	case "end", "latest":
		return where{kind: atEnd}, nil
	}
	if at, ok := strings.CutPrefix(text, "@"); ok {
		ms, err := parseTime(at, now)
		return where{atTime, ms}, err
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return where{}, usagef("%q is no place in a partition: want %s", text, whenForms)
	}
	if text[0] == '+' || text[0] == '-' {
		return where{atShift, n}, nil
	}
	return where{atOffset, n}, nil
}

// timeLayouts are the spellings of a time; those without a zone are local.
var timeLayouts = []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999", "2006-01-02T15:04", "2006-01-02 15:04:05", "2006-01-02"}

// parseTime reads a time, milliseconds since 1970, or -DURATION before now.
func parseTime(text string, now time.Time) (int64, error) {
	if ago, ok := strings.CutPrefix(text, "-"); ok {
		d, err := parseDuration(ago)
		if err != nil {
			return 0, usagef("@%s: want a duration such as @-24h or @-7d", text)
		}
		return now.Add(-d).UnixMilli(), nil
	}
	if ms, err := strconv.ParseInt(text, 10, 64); err == nil {
		return ms, nil
	}
	for _, layout := range timeLayouts {
		if t, err := time.ParseInLocation(layout, text, now.Location()); err == nil {
			return t.UnixMilli(), nil
		}
	}
	return 0, usagef("@%s is no time: want @2026-01-31, @2026-01-31T15:04:05Z, milliseconds or @-24h", text)
}

// parseDuration is time.ParseDuration with days.
func parseDuration(text string) (time.Duration, error) {
	if days, ok := strings.CutSuffix(text, "d"); ok {
		n, err := strconv.ParseFloat(days, 64)
		if err != nil {
			return 0, err
		}
		return time.Duration(n * float64(24*time.Hour)), nil
	}
	return time.ParseDuration(text)
}

// logEnds are the offsets at which partitions begin and end.
type logEnds struct{ start, end kadm.ListedOffsets }

func (a *App) logEnds(ctx context.Context, adm *kadm.Client, topics ...string) (logEnds, error) {
	start, err := adm.ListStartOffsets(ctx, topics...)
	if err != nil {
		return logEnds{}, err
	}
	end, err := adm.ListEndOffsets(ctx, topics...)
	return logEnds{start, end}, err
}

// bounds returns where a partition begins and ends.
func (l logEnds) bounds(topic string, partition int32) (start, end int64, err error) {
	s, ok := l.start.Lookup(topic, partition)
	e, ok2 := l.end.Lookup(topic, partition)
	switch {
	case !ok || !ok2:
		return 0, 0, fmt.Errorf("the cluster named no offsets of it")
	case s.Err != nil:
		return 0, 0, s.Err
	case e.Err != nil:
		return 0, 0, e.Err
	}
	return s.Offset, e.Offset, nil
}

// partitionsOf is TOPIC or TOPIC:0,1,4-6.
type partitionsOf struct {
	topic      string
	partitions map[int32]bool // nil: all
}

func (p partitionsOf) has(partition int32) bool {
	return p.partitions == nil || p.partitions[partition]
}

// parsePartitions reads TOPIC or TOPIC:0,1,4-6.
func parsePartitions(text string) (partitionsOf, error) {
	topic, list, some := strings.Cut(text, ":")
	if !some {
		return partitionsOf{topic: topic}, nil
	}
	set, err := parseRanges(list)
	if err != nil {
		return partitionsOf{}, usagef("%s: want TOPIC:0,1,4-6", text)
	}
	return partitionsOf{topic, set}, nil
}

// maxPartition bounds what a range such as 0-2147483647 may cost.
const maxPartition = 1 << 20

// parseRanges reads 0,1,4-6.
func parseRanges(list string) (map[int32]bool, error) {
	set := make(map[int32]bool)
	for _, part := range strings.Split(list, ",") {
		from, to, isRange := strings.Cut(part, "-")
		if !isRange {
			to = from
		}
		lo, err1 := strconv.ParseUint(from, 10, 31)
		hi, err2 := strconv.ParseUint(to, 10, 31)
		if err1 != nil || err2 != nil || hi < lo || hi > maxPartition {
			return nil, usagef("%q is no list of partitions: want 0,1,4-6", list)
		}
		for p := lo; p <= hi; p++ {
			set[int32(p)] = true
		}
	}
	return set, nil
}

package cli

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
)

// target is a partition, where it begins and ends, and the offset that a place is there.
type target struct {
	topic          string
	partition      int32
	start, end, at int64
}

func (t target) name() string { return fmt.Sprintf("%s:%d", t.topic, t.partition) }

// resolve finds place in the partitions that args name, in order. What cannot be found
// becomes errors of l. A shift is left to the caller, who knows from where.
func (a *App) resolve(ctx context.Context, adm *kadm.Client, args []string, place where, l *listing) ([]target, error) {
	wanted, topics, err := parseTargets(args)
	if err != nil {
		return nil, err
	}
	details, err := adm.ListTopicsWithInternal(ctx, topics...)
	if err != nil {
		return nil, err
	}
	var there []string
	for _, t := range topics {
		if details.Has(t) {
			there = append(there, t)
		}
	}
	var ends logEnds
	var timed kadm.ListedOffsets
	if len(there) > 0 {
		if ends, err = a.logEnds(ctx, adm, there...); err != nil {
			return nil, err
		}
		if place.kind == atTime {
			if timed, err = adm.ListOffsetsAfterMilli(ctx, place.value, there...); err != nil {
				return nil, err
			}
		}
	}
	var out []target
	for _, w := range wanted {
		if !details.Has(w.topic) {
			l.fail(w.topic, kerr.UnknownTopicOrPartition)
			continue
		}
		for _, p := range pickPartitions(w, details[w.topic], l) {
			t, err := locate(w.topic, p, place, ends, timed)
			if err != nil {
				l.fail(t.name(), err)
				continue
			}
			out = append(out, t)
		}
	}
	return out, nil
}

func parseTargets(args []string) (wanted []partitionsOf, topics []string, err error) {
	for _, arg := range args {
		w, err := parsePartitions(arg)
		if err != nil {
			return nil, nil, err
		}
		wanted = append(wanted, w)
		topics = append(topics, w.topic)
	}
	return wanted, uniq(topics), nil
}

// pickPartitions returns the partitions of d that w wants; what is not there becomes
// errors of l.
func pickPartitions(w partitionsOf, d kadm.TopicDetail, l *listing) []int32 {
	var out []int32
	for _, p := range d.Partitions.Sorted() {
		if w.has(p.Partition) {
			out = append(out, p.Partition)
		}
	}
	for _, p := range slices.Sorted(maps.Keys(w.partitions)) {
		if _, ok := d.Partitions[p]; !ok {
			l.fail(fmt.Sprintf("%s:%d", w.topic, p), kerr.UnknownTopicOrPartition)
		}
	}
	return out
}

func locate(topic string, partition int32, place where, ends logEnds, timed kadm.ListedOffsets) (target, error) {
	t := target{topic: topic, partition: partition}
	var err error
	if t.start, t.end, err = ends.bounds(topic, partition); err != nil {
		return t, err
	}
	switch place.kind {
	case atStart:
		t.at = t.start
	case atEnd:
		t.at = t.end
	case atOffset:
		t.at = place.value
	case atTime:
		o, ok := timed.Lookup(topic, partition)
		if ok && o.Err != nil {
			return t, o.Err
		}
		t.at = o.Offset
		if !ok || o.Offset < 0 { // no record is that young
			t.at = t.end
		}
	}
	return t, nil
}

package crash

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// Check reads everything with clients made for the purpose and compares it with the
// history. It returns an error if it cannot read; contradictions are in the history.
func Check(ctx context.Context, addrs []string, h *History) error {
	c, err := kgo.NewClient(patient(addrs)...)
	if err != nil {
		return err
	}
	defer c.Close()
	admin := kadm.NewClient(c)
	if err := checkTopics(ctx, admin, h); err != nil {
		return err
	}
	for _, group := range []string{readers, counters} {
		if err := checkCommits(ctx, admin, group, h); err != nil {
			return err
		}
	}
	bounds, err := bounds(ctx, admin)
	if err != nil {
		return err
	}
	if err := readAll(ctx, addrs, bounds); err != nil {
		return err
	}
	for p, s := range bounds {
		h.CheckLog(p, *s)
	}
	return nil
}

func checkTopics(ctx context.Context, admin *kadm.Client, h *History) error {
	details, err := admin.ListTopics(ctx)
	if err != nil {
		return fmt.Errorf("list topics: %w", err)
	}
	there := make(map[string][16]byte)
	for name, d := range details {
		there[name] = d.ID
	}
	h.CheckTopics(there)
	return nil
}

func checkCommits(ctx context.Context, admin *kadm.Client, group string, h *History) error {
	offsets, err := admin.FetchOffsets(ctx, group)
	if err == nil {
		err = offsets.Error()
	}
	if err != nil {
		return fmt.Errorf("fetch offsets of %s: %w", group, err)
	}
	for _, p := range h.commitPlaces(group) {
		at := int64(-1)
		if o, ok := offsets.Lookup(p.Topic, p.Partition); ok {
			at = o.At
		}
		h.CheckCommit(group, p, at)
	}
	return nil
}

// commitPlaces are those of which anything was told.
func (h *History) commitPlaces(group string) (places []Place) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for c := range h.commits {
		if c.group == group {
			places = append(places, c.Place)
		}
	}
	return places
}

// bounds asks for the log start and the high watermark of every partition of the load.
func bounds(ctx context.Context, admin *kadm.Client) (map[Place]*Snapshot, error) {
	names := slices.Collect(maps.Keys(topics))
	starts, err := admin.ListStartOffsets(ctx, names...)
	if err == nil {
		err = starts.Error()
	}
	if err != nil {
		return nil, fmt.Errorf("list start offsets: %w", err)
	}
	ends, err := admin.ListEndOffsets(ctx, names...)
	if err == nil {
		err = ends.Error()
	}
	if err != nil {
		return nil, fmt.Errorf("list end offsets: %w", err)
	}
	all := make(map[Place]*Snapshot)
	for topic, partitions := range topics {
		for p := range partitions {
			start, _ := starts.Lookup(topic, p)
			end, _ := ends.Lookup(topic, p)
			all[Place{topic, p}] = &Snapshot{Start: start.Offset, End: end.Offset}
		}
	}
	return all, nil
}

// readAll reads each partition from its start to its end.
func readAll(ctx context.Context, addrs []string, all map[Place]*Snapshot) error {
	from, left := make(map[string]map[int32]kgo.Offset), 0
	for p, s := range all {
		if s.Start == s.End {
			continue
		}
		if from[p.Topic] == nil {
			from[p.Topic] = make(map[int32]kgo.Offset)
		}
		from[p.Topic][p.Partition] = kgo.NewOffset().At(s.Start)
		left++
	}
	if left == 0 {
		return nil
	}
	c, err := kgo.NewClient(patient(addrs, kgo.ConsumePartitions(from), kgo.ConsumeResetOffset(kgo.NoResetOffset()))...)
	if err != nil {
		return err
	}
	defer c.Close()
	for left > 0 {
		fetches := c.PollFetches(ctx)
		if errs := fetches.Errors(); len(errs) > 0 {
			return fmt.Errorf("read %s-%d: %w (%s)", errs[0].Topic, errs[0].Partition, errs[0].Err, unread(all))
		}
		fetches.EachPartition(func(f kgo.FetchTopicPartition) {
			s := all[Place{f.Topic, f.Partition}]
			was := s.done()
			s.take(f.Records)
			if s.done() && !was {
				left--
			}
		})
	}
	return nil
}

// take notes records below the end; later ones are younger than the question.
func (s *Snapshot) take(records []*kgo.Record) {
	for _, r := range records {
		if r.Offset >= s.End {
			s.passed = true
			return
		}
		id, whole := identify(r.Key, r.Value)
		s.Records = append(s.Records, Entry{r.Offset, id, whole})
	}
}

// done tells whether the end has been reached, or passed over a hole.
func (s *Snapshot) done() bool {
	return s.passed || s.Start == s.End || len(s.Records) > 0 && s.Records[len(s.Records)-1].Offset == s.End-1
}

func unread(all map[Place]*Snapshot) string {
	var b []byte
	for p, s := range all {
		if !s.done() {
			b = fmt.Appendf(b, "%v: %d records of [%d, %d); ", p, len(s.Records), s.Start, s.End)
		}
	}
	return string(b)
}

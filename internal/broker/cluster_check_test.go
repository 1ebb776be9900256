package broker

import (
	"bytes"
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/odradek/odradek/internal/proto/model"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// check reads all there is and holds it against what was acknowledged.
func (s *story) check() {
	t := s.r.t
	for _, err := range s.errs {
		t.Error(err)
	}
	for n := range int32(partitions) {
		all := s.inOrder(chaosTopic, n, false)
		for offset := range int64(len(all)) {
			if _, ok := all[offset]; !ok {
				t.Errorf("partition %d: there is nothing at %d", n, offset)
			}
		}
		for offset, v := range s.acked[n] {
			if all[offset] != v {
				t.Errorf("partition %d: %s was acknowledged at %d, and there is %q", n, v, offset, all[offset])
			}
		}
	}
	for n := range int32(2) {
		s.inOrder(looseTopic, n, true)
	}
	s.checkFleeting()
	for topic := range s.r.nodes[0].broker.feed.Image().Topics() {
		for n := range topic.Partitions {
			s.r.replicasAgree(model.TopicPartition{Topic: topic.Name, Partition: int32(n)})
		}
	}
}

// inOrder reads a partition and checks that each producer's records follow one another,
// repeated by one that is not idempotent at most.
func (s *story) inOrder(topic string, n int32, repeats bool) map[int64]string {
	all := s.log(topic, n)
	at := map[string]int64{}
	last := map[byte]string{}
	for _, offset := range slices.Sorted(maps.Keys(all)) {
		v := all[offset]
		v = v[:min(len(v), 8)]
		if before, twice := at[v]; twice && !(repeats && v[0] == '1') {
			s.r.t.Errorf("%s-%d: %s is at %d and at %d", topic, n, v, before, offset)
		}
		at[v] = offset
		if v < last[v[0]] {
			s.r.t.Errorf("%s-%d: %s comes after %s", topic, n, v, last[v[0]])
		}
		last[v[0]] = v
	}
	return all
}

// checkFleeting looks whether a topic that was made again has what it should have alone.
func (s *story) checkFleeting() {
	if _, ok := s.r.nodes[0].broker.feed.Image().Topic(fleetingTopic); !ok {
		return
	}
	all := s.log(fleetingTopic, 0)
	made := ""
	for offset, v := range all {
		if made == "" {
			made = v[:6]
		}
		if v[:6] != made {
			s.r.t.Errorf("a deleted topic's record is back: %s at %d, beside those of %s", v, offset, made)
		}
	}
	for offset, v := range s.fleeted {
		if all[offset] != v {
			s.r.t.Errorf("fleeting topic: %s was acknowledged at %d, and there is %q", v, offset, all[offset])
		}
	}
}

// log reads a partition as a consumer, from its start.
func (s *story) log(topic string, n int32) map[int64]string {
	t := s.r.t
	c := s.r.client()
	defer c.Close()
	adm := kadm.NewClient(c)
	starts, err := adm.ListStartOffsets(t.Context(), topic)
	ends, err2 := adm.ListEndOffsets(t.Context(), topic)
	if err = errors.Join(err, err2); err != nil {
		t.Fatal(err)
	}
	start, _ := starts.Lookup(topic, n)
	end, _ := ends.Lookup(topic, n)
	c.AddConsumePartitions(map[string]map[int32]kgo.Offset{topic: {n: kgo.NewOffset().AtStart()}})
	all := map[int64]string{}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for int64(len(all)) < end.Offset-start.Offset && ctx.Err() == nil {
		c.PollFetches(ctx).EachRecord(func(rec *kgo.Record) { all[rec.Offset] = string(rec.Value) })
	}
	if int64(len(all)) < end.Offset-start.Offset {
		t.Errorf("%s-%d has %d records that can be read, and goes from %d to %d", topic, n, len(all), start.Offset, end.Offset)
	}
	return all
}

// sameMarks reports whether all replicas of all partitions have the same high watermark
// and end.
func (r *rig) sameMarks() bool {
	for topic := range r.nodes[0].broker.feed.Image().Topics() {
		for n, p := range topic.Partitions {
			tp := model.TopicPartition{Topic: topic.Name, Partition: int32(n)}
			var first []int64
			for _, id := range p.Replicas {
				replica, err := r.nodes[id-1].broker.host.Partition(tp)
				if err != nil {
					return false
				}
				log, err := replica.Log()
				if err != nil {
					return false
				}
				if first = append(first, replica.HighWatermark(), log.End()); first[0] != replica.HighWatermark() || first[1] != log.End() || first[0] != first[1] {
					return false
				}
			}
		}
	}
	return true
}

// replicasAgree compares the bytes of every replica of a partition from where the last
// of them starts.
func (r *rig) replicasAgree(tp model.TopicPartition) {
	topic, _ := r.nodes[0].broker.feed.Image().Topic(tp.Topic)
	replicas := topic.Partitions[tp.Partition].Replicas
	start := int64(0)
	for _, id := range replicas {
		if p, err := r.nodes[id-1].broker.host.Partition(tp); err != nil {
			r.t.Errorf("node %d has no %s-%d: %v", id, tp.Topic, tp.Partition, err)
			return
		} else if log, err := p.Log(); err == nil {
			start = max(start, log.Start())
		}
	}
	var first []byte
	for i, id := range replicas {
		p, _ := r.nodes[id-1].broker.host.Partition(tp)
		b, err := readLog(p, start)
		if err != nil {
			r.t.Errorf("node %d: %v", id, err)
			continue
		}
		if i == 0 {
			first = b
		} else if !bytes.Equal(first, b) {
			r.t.Errorf("%s-%d differs on node %d (%d bytes) and %d (%d bytes)", tp.Topic, tp.Partition, replicas[0], len(first), id, len(b))
		}
	}
}

func readLog(p interface {
	ReadLog(from int64, maxBytes int) ([]byte, int64, error)
}, from int64) (all []byte, err error) {
	for {
		b, next, err := p.ReadLog(from, 1<<20)
		if err != nil {
			return nil, err
		}
		if len(b) == 0 {
			return all, nil
		}
		if next <= from {
			return nil, errors.New("a read does not go on")
		}
		all, from = append(all, b...), next
	}
}

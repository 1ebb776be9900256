package group

import (
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/odradek/odradek/internal/coord/fields"
)

// consumerProtocol is the protocol type of consumers, whose metadata the coordinator
// can read: a version, the topics and bytes of the assignor; since version 1 what the
// consumer has, since 2 of which generation, since 3 its rack. Later versions only add to
// the end.
const (
	consumerProtocol    = "consumer"
	maxConsumerProtocol = 3
)

// consumerSubscription is what a consumer says of itself in the classic protocol.
type consumerSubscription struct {
	version int16
	topics  []string
	owned   []topicPartitions
	rack    *string
}

type topicPartitions struct {
	topic      string
	partitions []int32
}

// names are the topics, sorted and each once.
func (s *consumerSubscription) names() []string {
	names := slices.Clone(s.topics)
	slices.Sort(names)
	return slices.Compact(names)
}

// subscription reads the topics that a consumer subscribes to. The bytes are the
// client's and may be anything.
func subscription(metadata []byte) ([]string, error) {
	r := fields.Reader{Rest: metadata}
	s := consumerSubscription{version: r.Int16()}
	s.readTopics(&r)
	return s.topics, s.check(&r, metadata)
}

// parseSubscription reads all of it.
func parseSubscription(metadata []byte) (*consumerSubscription, error) {
	r := fields.Reader{Rest: metadata}
	s := &consumerSubscription{version: r.Int16()}
	s.readTopics(&r)
	if s.version >= 1 {
		s.owned = readTopicPartitions(&r)
	}
	if s.version >= 2 {
		_ = r.Int32() // the generation
	}
	if s.version >= 3 {
		if s.rack = r.Nullable(false); s.rack != nil && *s.rack == "" {
			s.rack = nil
		}
	}
	return s, s.check(&r, metadata)
}

func (s *consumerSubscription) readTopics(r *fields.Reader) {
	for n := r.Count(false); n > 0 && r.Err == nil; n-- {
		s.topics = append(s.topics, r.String(false))
	}
	r.SkipBytes()
}

func (s *consumerSubscription) check(r *fields.Reader, metadata []byte) error {
	if r.Err != nil || s.version < 0 {
		return fmt.Errorf("consumer subscription of version %d, %d bytes: %w", s.version, len(metadata), errMalformed)
	}
	return nil
}

func readTopicPartitions(r *fields.Reader) []topicPartitions {
	var all []topicPartitions
	for n := r.Count(false); n > 0 && r.Err == nil; n-- {
		all = append(all, topicPartitions{topic: r.String(false), partitions: r.Int32s(false)})
	}
	return all
}

// consumerAssignment is what a leader assigned to a consumer: a version, the partitions
// and bytes of the assignor.
type consumerAssignment struct {
	partitions []topicPartitions
	userData   int // its length
}

// parseAssignment reads an assignment; one of no bytes assigns nothing.
func parseAssignment(b []byte) (consumerAssignment, error) {
	var a consumerAssignment
	if len(b) == 0 {
		return a, nil
	}
	r := fields.Reader{Rest: b}
	version := r.Int16()
	a.partitions = readTopicPartitions(&r)
	if n := r.Length(false, 4); n > 0 {
		a.userData = len(r.Take(n))
	}
	if r.Err != nil || version < 0 {
		return a, fmt.Errorf("consumer assignment of version %d, %d bytes: %w", version, len(b), errMalformed)
	}
	return a, nil
}

// parts are partitions by id, of the topics that exist.
func (v *topicView) parts(named []topicPartitions) parts {
	p := parts{}
	for _, tp := range named {
		if id, ok := v.id(tp.topic); ok {
			p.gather(id, tp.partitions)
		}
	}
	return p.settle()
}

// assignment is what a consumer with this metadata is told that it has, of the topics that
// exist.
func (v *topicView) assignment(p parts, metadata []byte) []byte {
	r := fields.Reader{Rest: metadata}
	version := min(max(r.Int16(), 0), maxConsumerProtocol)
	b := fields.AppendInt32(fields.AppendInt16(nil, version), 0)
	n := uint32(0)
	for _, tp := range v.named(p) {
		n++
		b = fields.AppendInt32(fields.AppendString(b, tp.topic), int32(len(tp.partitions)))
		for _, partition := range tp.partitions {
			b = fields.AppendInt32(b, partition)
		}
	}
	binary.BigEndian.PutUint32(b[2:], n)
	return fields.AppendInt32(b, -1)
}

// named are partitions by name, of the topics that exist.
func (v *topicView) named(p parts) []topicPartitions {
	named := make([]topicPartitions, 0, len(p))
	for _, id := range p.topics() {
		if name, ok := v.name(id); ok {
			named = append(named, topicPartitions{topic: name, partitions: p[id]})
		}
	}
	return named
}

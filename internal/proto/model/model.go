// Package model has the words that every floor above shares: topics, partitions and
// their ids, offsets that mean something, and the errors that a client may be told.
// It decides nothing and owns no goroutines.
package model

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
)

// Offsets that stand for a question (ListOffsets) rather than a place.
const (
	OffsetLatest          int64 = -1 // the high watermark, or the last stable offset
	OffsetEarliest        int64 = -2 // the log start
	OffsetMaxTimestamp    int64 = -3 // the record with the greatest timestamp (KIP-734)
	OffsetEarliestLocal   int64 = -4 // the local log start (KIP-405)
	OffsetLatestTiered    int64 = -5 // the last tiered offset (KIP-1005)
	OffsetEarliestPending int64 = -6 // the first offset that waits for upload (KIP-1023)
)

// NoLeader is the leader id of a partition without one, NoEpoch an epoch that is not
// known.
const (
	NoLeader int32 = -1
	NoEpoch  int32 = -1
)

// Names of the topics in which the coordinators keep their state.
const (
	ConsumerOffsetsTopic  = "__consumer_offsets"
	TransactionStateTopic = "__transaction_state"
	ShareGroupStateTopic  = "__share_group_state"
	// ClusterMetadataTopic is the name that the quorum's log goes by. It is no topic:
	// nobody can make it or read it.
	ClusterMetadataTopic = "__cluster_metadata"
)

// Internal reports whether clients may not produce into topic.
func Internal(topic string) bool {
	return topic == ConsumerOffsetsTopic || topic == TransactionStateTopic || topic == ShareGroupStateTopic
}

// ID is a 16-byte id of a topic, a cluster, a folder or an incarnation. Its text is
// Kafka's: URL-safe base64 without padding, 22 characters.
type ID [16]byte

// IsZero reports whether the id is absent.
func (id ID) IsZero() bool { return id == ID{} }

func (id ID) String() string { return base64.RawURLEncoding.EncodeToString(id[:]) }

// MarshalText is the text form, for JSON.
func (id ID) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

// ParseID reads the text form of an ID.
func ParseID(s string) (ID, error) {
	b, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil {
		return ID{}, fmt.Errorf("id %q: %w", s, err)
	}
	if len(b) != len(ID{}) {
		return ID{}, fmt.Errorf("id %q: has %d bytes, want 16", s, len(b))
	}
	return ID(b), nil
}

// NewID draws an id from read, which fills its argument with random bytes. Ids that
// Kafka reserves (zero and one) and ids whose text starts with '-', which tools would
// take for a flag, are drawn again.
func NewID(read func([]byte)) ID {
	for {
		var id ID
		read(id[:])
		id[6], id[8] = id[6]&0x0f|0x40, id[8]&0x3f|0x80
		if !id.IsZero() && id.String()[0] != '-' {
			return id
		}
	}
}

// TopicPartition names a partition as people do.
type TopicPartition struct {
	Topic     string
	Partition int32
}

func (tp TopicPartition) String() string {
	return tp.Topic + "-" + strconv.Itoa(int(tp.Partition))
}

// IDPartition names a partition for ever: a topic that is deleted and made again has
// another id.
type IDPartition struct {
	Topic     ID
	Partition int32
}

func (ip IDPartition) String() string {
	return ip.Topic.String() + "-" + strconv.Itoa(int(ip.Partition))
}

// ValidateTopicName returns why Kafka would refuse the name, or nil.
func ValidateTopicName(name string) error {
	switch {
	case name == "":
		return errors.New("the empty string is not allowed")
	case name == "." || name == "..":
		return errors.New("'.' or '..' are not allowed")
	case len(name) > 249:
		return fmt.Errorf("the length of %q is longer than the max allowed length 249", name)
	}
	for _, c := range []byte(name) {
		if !topicNameByte(c) {
			return fmt.Errorf("%q contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'", name)
		}
	}
	return nil
}

func topicNameByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' ||
		c == '.' || c == '_' || c == '-'
}

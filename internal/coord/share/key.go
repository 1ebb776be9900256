package share

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/odradek/odradek/internal/proto/model"
)

// Key names a share partition: a partition as one share group reads it.
type Key struct {
	Group     string
	TopicID   model.ID
	Partition int32
}

// String is the name by which a coordinator is found for the key, and by which Kafka
// hashes it to a partition of __share_group_state.
func (k Key) String() string {
	return k.Group + ":" + k.TopicID.String() + ":" + strconv.Itoa(int(k.Partition))
}

// ParseKey reads the name of a key. The group may have colons.
func ParseKey(name string) (Key, error) {
	rest, number, _ := cutLast(name)
	group, topic, found := cutLast(rest)
	if !found || strings.TrimSpace(group) == "" {
		return Key{}, fmt.Errorf("%q is not group:topicId:partition", name)
	}
	partition, err := strconv.ParseInt(number, 10, 32)
	if err != nil {
		return Key{}, fmt.Errorf("%q: partition: %w", name, err)
	}
	id, err := model.ParseID(topic)
	if err != nil {
		return Key{}, fmt.Errorf("%q: topic: %w", name, err)
	}
	return Key{group, id, int32(partition)}, nil
}

func cutLast(s string) (before, after string, found bool) {
	at := strings.LastIndexByte(s, ':')
	if at < 0 {
		return "", s, false
	}
	return s[:at], s[at+1:], true
}

// States of a batch of records that are stored. A record that is acquired is stored as
// available: who had acquired it is not remembered.
const (
	Available    int8 = 0
	Acknowledged int8 = 2
	// Archiving is on its way to the dead letter queue: delivered no more, and not done
	// with (KIP-1191).
	Archiving int8 = 3
	Archived  int8 = 4
)

// NoStart is the start offset of a share partition that nobody has read yet.
const NoStart int64 = -1

// StateBatch is a run of records, First and Last included, in one state.
type StateBatch struct {
	First, Last int64
	State       int8 // Available, Acknowledged, Archiving or Archived
	Deliveries  int16
}

// PartitionState is what is stored of a share partition.
type PartitionState struct {
	// StateEpoch counts the initializations of the state; writes bear it.
	StateEpoch int32
	// Start is the share partition's start offset (SPSO): everything below is done with.
	Start int64
	// Batches are those from Start on whose state or count differs from the initial one,
	// ascending and without overlap.
	Batches []StateBatch
	// DeliveryCompleteCount is how many records from Start on are acknowledged or
	// archived, -1 if it is not known (KIP-1226).
	DeliveryCompleteCount int32
}

// Summary is a PartitionState without its batches.
type Summary struct {
	StateEpoch            int32
	LeaderEpoch           int32 // of the last leader that read or wrote
	Start                 int64
	DeliveryCompleteCount int32
}

// Persister keeps the state of share partitions safe. Every method returns when the
// coordinator has answered, or an error of package kerr:
//   - FENCED_STATE_EPOCH: another initialization has taken place
//   - INVALID_REQUEST: the state was never initialized, or has been deleted
//   - FENCED_LEADER_EPOCH: a later leader has read or written
//   - UNKNOWN_TOPIC_OR_PARTITION: the topic is gone
//   - COORDINATOR_NOT_AVAILABLE after many attempts: the outcome is not known.
//
// Safe for concurrent use.
type Persister interface {
	// ReadState reads the state for the leader of a leader epoch, and fences earlier ones.
	// The start is NoStart as long as nobody has read the partition.
	ReadState(ctx context.Context, k Key, leaderEpoch int32) (PartitionState, error)
	// WriteState stores a new start (NoStart leaves it) and the states of batches, which
	// replace what is stored of the same offsets.
	WriteState(ctx context.Context, k Key, stateEpoch, leaderEpoch int32, start int64, completeCount int32, batches []StateBatch) error
	// InitializeState begins a new state at start, or at NoStart for whatever the group's
	// settings say when it is first read.
	InitializeState(ctx context.Context, k Key, stateEpoch int32, start int64) error
	// DeleteState forgets everything of the key.
	DeleteState(ctx context.Context, k Key) error
	// Summaries reads many at once; each key has an entry in exactly one of the maps.
	Summaries(ctx context.Context, keys []Key, leaderEpoch int32) (map[Key]Summary, map[Key]error)
}

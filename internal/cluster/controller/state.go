package controller

import (
	"math/rand/v2"
	"time"

	"github.com/odradek/odradek/internal/cluster/metadata"
	"github.com/odradek/odradek/internal/proto/model"
)

// State is what a decision is made on. Its methods change nothing: they return the
// answer and the records that would make it true, which must be applied together.
type State struct {
	Image *metadata.Image
	Rules Rules
	Rand  *rand.Rand
	Now   time.Time
}

// Rules are the node's settings that decisions depend on. Zero means Kafka's default.
type Rules struct {
	Partitions        int32 // num.partitions; default 1
	ReplicationFactor int16 // default.replication.factor; default 1
	MaxPartitions     int   // new partitions of one request; default 10,000
	// Features are the levels that this release supports, by name.
	Features map[string]metadata.FeatureRange
	// ValidateConfigs says what is wrong with the configs of a resource as they would
	// be. Default: nothing is.
	ValidateConfigs func(r metadata.Resource, configs map[string]string) error
	// ListConfig reports whether a config is a list, to which OpAppend and OpSubtract
	// apply, and its value where none is set. Default: none is.
	ListConfig func(t metadata.ResourceType, key string) (value string, ok bool)
	// MinISR is min.insync.replicas of a topic with these configs. Default: 1.
	MinISR func(configs map[string]string) int
	// Unclean is unclean.leader.election.enable of a topic with these configs. Default:
	// false.
	Unclean func(configs map[string]string) bool
}

func (s State) newID() model.ID {
	return model.NewID(func(b []byte) {
		for i := range b {
			b[i] = byte(s.Rand.Uint32())
		}
	})
}

package world

import (
	"maps"
	"math"
	"math/rand/v2"
	"strconv"
)

// Shape is what a cluster is made of.
type Shape struct {
	// Voters vote in the quorum, and are brokers too unless Split is set. Brokers are so many
	// more nodes that are brokers only. Default: 3 and 0.
	Voters, Brokers int
	Split           bool
	Dirs            int // log folders of a node; default 1
	// FirstEpoch is the first of a transactional producer.
	FirstEpoch int16
	// Static are settings of all nodes, over those that a small world has anyway.
	Static map[string]string
}

// small are the settings of every world: little files, so that they are rolled, and nothing
// that waits for people.
var small = map[string]string{
	"group.initial.rebalance.delay.ms": "0", "log.segment.bytes": "1048576", "odradek.journal.file.bytes": "1048576",
	"default.replication.factor": "3", "min.insync.replicas": "2", "offsets.topic.num.partitions": "4",
	"odradek.scrub.interval.ms": "10000", // a life is shorter than a week
}

func (s *Shape) fill() {
	if s.Voters == 0 {
		s.Voters = 3
	}
	s.Dirs = max(1, s.Dirs)
	static := maps.Clone(small)
	maps.Copy(static, s.Static)
	s.Static = static
}

// Draw draws the shape of a seed's cluster.
func Draw(rng *rand.Rand) Shape {
	s := Shape{Voters: 3, Static: map[string]string{
		"transaction.state.log.num.partitions":                        "4",
		"share.coordinator.state.topic.num.partitions":                "3",
		"transaction.abort.timed.out.transaction.cleanup.interval.ms": "1000",
	}}
	switch rng.IntN(10) {
	case 0, 1, 2, 3:
	case 4, 5:
		s.Brokers = 1
	case 6:
		s.Brokers = 2
	case 7:
		s.Voters = 5
	default:
		s.Brokers, s.Split = 3, true
	}
	perhaps := func(of int, key string, values ...int) {
		if rng.IntN(of) == 0 {
			s.Static[key] = strconv.Itoa(values[rng.IntN(len(values))])
		}
	}
	for _, topic := range []string{"offsets.topic", "transaction.state.log", "share.coordinator.state.topic"} {
		perhaps(2, topic+".segment.bytes", 2000, 10000, 50000)
	}
	perhaps(3, "metadata.log.max.record.bytes.between.snapshots", 3000, 20000)
	perhaps(3, "odradek.journal.file.bytes", 65536, 262144)
	perhaps(4, "share.coordinator.snapshot.update.records.per.snapshot", 2, 10)
	if rng.IntN(4) == 0 {
		s.FirstEpoch = math.MaxInt16 - 1 - int16(rng.IntN(8))
	}
	if rng.IntN(4) == 0 {
		s.Dirs = 2 + rng.IntN(2)
	}
	return s
}

package load

import (
	"encoding/json"
	"flag"
	"fmt"
	"strings"
)

// Flags binds s to flags of fs. They are read from left to right: -load or -spec first,
// then what is to be different.
func Flags(fs *flag.FlagSet, s *Spec) {
	fs.Func("load", "a load of the comparison by name", func(name string) error {
		n, ok := ByName(name)
		if !ok {
			return fmt.Errorf("there is no load %q", name)
		}
		*s = n.Spec
		return nil
	})
	fs.Func("spec", "a whole spec in JSON", func(text string) error {
		d := json.NewDecoder(strings.NewReader(text))
		d.DisallowUnknownFields()
		return d.Decode(s)
	})
	fs.StringVar(&s.Kind, "kind", "", strings.Join(kinds, ", "))
	fs.StringVar(&s.Bootstrap, "bootstrap", "", "host:port, by commas")
	fs.StringVar(&s.Topic, "topic", "", "name of the topic, which must not exist; default: a new name")
	fs.IntVar(&s.Partitions, "partitions", 0, "partitions of the topic")
	fs.IntVar(&s.Replication, "replication", 0, "replicas of a partition")
	fs.IntVar(&s.Size, "size", 0, "bytes of a value")
	fs.IntVar(&s.Batch, "batch", 0, "bytes of a batch")
	fs.Float64Var(&s.Linger, "linger", 0, "milliseconds")
	fs.StringVar(&s.Acks, "acks", "", "all, 1 or 0")
	fs.BoolVar(&s.Idempotent, "idempotent", false, "an idempotent producer")
	fs.StringVar(&s.Compression, "compression", "", "none, lz4, zstd, snappy or gzip")
	fs.BoolVar(&s.Spread, "spread", false, "each record to the next partition")
	fs.IntVar(&s.Producers, "producers", 0, "clients, or raw connections")
	fs.Float64Var(&s.Rate, "rate", 0, "records a second")
	fs.Float64Var(&s.Commit, "commit", 0, "milliseconds of a transaction")
	fs.IntVar(&s.Consumers, "consumers", 0, "consumers that each read everything")
	fs.BoolVar(&s.Group, "group", false, "each consumer is a group")
	fs.IntVar(&s.Passes, "passes", 0, "how often a consumer reads everything")
	fs.IntVar(&s.InFlight, "in-flight", 0, "raw requests without an answer")
	fs.IntVar(&s.Burst, "burst", 0, "raw requests of one write")
	fs.IntVar(&s.Spots, "spots", 0, "partitions of a raw Produce")
	fs.IntVar(&s.Idle, "idle", 0, "connections beside")
	fs.Float64Var(&s.Seconds, "seconds", 0, "how long")
	fs.Int64Var(&s.Bytes, "bytes", 0, "how much")
	fs.Int64Var(&s.Records, "records", 0, "how many")
	fs.Float64Var(&s.Warmup, "warmup", 0, "seconds before it counts")
	fs.StringVar(&s.Jars, "jars", "", "folder of Kafka's jars")
	fs.StringVar(&s.Python, "python", "", "an interpreter with confluent-kafka")
	fs.Func("cold", "folders, by commas, whose files leave the page cache before cold data is read", func(v string) error {
		s.Cold = strings.Split(v, ",")
		return nil
	})
}

package load

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

// The kinds of load.
const (
	Produce  = "produce"  // as much as goes, or Rate records a second
	Consume  = "consume"  // Consumers that each read all of a filled topic, Passes times
	Tail     = "tail"     // Consumers at the end of a topic into which producers write
	EndToEnd = "endtoend" // Rate records a second, each timed from when it was due to when it was read
	Txn      = "txn"      // produce in transactions of Commit milliseconds
	CatchUp  = "catchup"  // producers at Rate for Seconds alone, then as long beside a consumer of cold data
	Idle     = "idle"     // nothing but Spec.Idle connections, for Seconds

	RawProduce = "raw-produce" // prepared requests of one batch each, no client library
	RawFetch   = "raw-fetch"   // one batch an answer
	RawPing    = "raw-ping"    // ApiVersions

	JavaProduce    = "java-produce"    // org.apache.kafka.tools.ProducerPerformance
	JavaConsume    = "java-consume"    // org.apache.kafka.tools.ConsumerPerformance
	RdkafkaProduce = "rdkafka-produce" // librdkafka, by Python
	RdkafkaConsume = "rdkafka-consume"
)

var kinds = []string{Produce, Consume, Tail, EndToEnd, Txn, CatchUp, Idle, RawProduce, RawFetch, RawPing,
	JavaProduce, JavaConsume, RdkafkaProduce, RdkafkaConsume}

// Spec says what load to put on which cluster. A zero field means its default; what a
// kind does not know it does not look at.
type Spec struct {
	Load      string `json:"load"` // its name, for the result
	Kind      string `json:"kind"`
	Bootstrap string `json:"bootstrap"` // host:port, by commas

	// The topic is made before the load and deleted after it.
	Topic        string            `json:"topic,omitempty"`       // default: a new name
	Partitions   int               `json:"partitions,omitempty"`  // default 1
	Replication  int               `json:"replication,omitempty"` // default 1
	TopicConfigs map[string]string `json:"topic_configs,omitempty"`

	Size        int     `json:"size,omitempty"`        // bytes of a value, default 1000; 16 at least where it carries a time
	Batch       int     `json:"batch,omitempty"`       // bytes of a batch: at most, default 16384; exactly, if the kind is raw, where 0 is one record
	Linger      float64 `json:"linger_ms,omitempty"`   // milliseconds, default 0
	Acks        string  `json:"acks,omitempty"`        // all (default), 1 or 0
	Idempotent  bool    `json:"idempotent,omitempty"`  // which acks=all alone can be
	Compression string  `json:"compression,omitempty"` // none (default), lz4, zstd, snappy or gzip
	Spread      bool    `json:"spread,omitempty"`      // each record to the next partition; else a batch to one
	Producers   int     `json:"producers,omitempty"`   // clients, or raw connections; default 1
	Rate        float64 `json:"rate,omitempty"`        // records a second of all producers together, by schedule; 0: as much as goes
	Commit      float64 `json:"commit_ms,omitempty"`   // length of a transaction, default 100

	Consumers int      `json:"consumers,omitempty"` // each reads everything; default 1
	Group     bool     `json:"group,omitempty"`     // each consumer is a group of its own, and commits; else none
	Passes    int      `json:"passes,omitempty"`    // how often a consumer reads everything, default 1
	Cold      []string `json:"cold,omitempty"`      // folders whose files leave the page cache before cold data is read

	InFlight int `json:"in_flight,omitempty"` // raw requests without an answer on a connection, default 1
	Burst    int `json:"burst,omitempty"`     // raw requests that one write sends, default 1
	Spots    int `json:"spots,omitempty"`     // partitions in one raw Produce, a batch for each; default 1

	Idle int `json:"idle,omitempty"` // connections beside, that say nothing

	// A load ends by the first of these; without any it lasts ten seconds.
	Seconds float64 `json:"seconds,omitempty"`
	Bytes   int64   `json:"bytes,omitempty"`   // of values, or of batches if the kind is raw; also how much a topic is filled with to be read, default 1 GiB
	Records int64   `json:"records,omitempty"` // or requests, if the kind is raw

	Warmup float64 `json:"warmup_seconds,omitempty"` // of the same load, before it counts

	Jars   string `json:"jars,omitempty"`   // folder of Kafka's jars, for java kinds; default conformance/.work/libs
	Python string `json:"python,omitempty"` // an interpreter with confluent-kafka, for rdkafka kinds; default conformance/.work/venv/bin/python
}

// raw reports whether the load speaks without a client library.
func (s *Spec) raw() bool { return s.Kind == RawProduce || s.Kind == RawFetch || s.Kind == RawPing }

// timed reports whether records carry the time at which they were due.
func (s *Spec) timed() bool { return s.Kind == EndToEnd || s.Kind == Tail }

// fills reports whether the topic is filled before the load.
func (s *Spec) fills() bool {
	return slices.Contains([]string{Consume, RawFetch, CatchUp, JavaConsume, RdkafkaConsume}, s.Kind)
}

// withDefaults is s with its zero fields set.
func (s Spec) withDefaults() Spec {
	set := func(n *int, def int) {
		if *n == 0 {
			*n = def
		}
	}
	set(&s.Partitions, 1)
	set(&s.Replication, 1)
	set(&s.Size, 1000)
	set(&s.Producers, 1)
	set(&s.Consumers, 1)
	set(&s.Passes, 1)
	set(&s.InFlight, 1)
	set(&s.Burst, 1)
	set(&s.Spots, 1)
	if !s.raw() {
		set(&s.Batch, 16384)
	}
	if s.Acks == "" {
		s.Acks = "all"
	}
	if s.Compression == "" {
		s.Compression = "none"
	}
	if s.Commit == 0 {
		s.Commit = 100
	}
	if s.fills() && s.Bytes == 0 {
		s.Bytes = 1 << 30
	}
	if s.Seconds == 0 && s.Bytes == 0 && s.Records == 0 {
		s.Seconds = 10
	}
	if s.Jars == "" {
		s.Jars = "conformance/.work/libs"
	}
	if s.Python == "" {
		s.Python = "conformance/.work/venv/bin/python"
	}
	return s
}

// check says all that is wrong with a Spec that has its defaults.
func (s *Spec) check() error {
	var errs []error
	refuse := func(bad bool, format string, args ...any) {
		if bad {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	refuse(!slices.Contains(kinds, s.Kind), "there is no kind of load %q", s.Kind)
	refuse(s.Bootstrap == "", "no bootstrap")
	for name, n := range map[string]int{"partitions": s.Partitions, "replication": s.Replication, "size": s.Size,
		"producers": s.Producers, "consumers": s.Consumers, "passes": s.Passes, "in_flight": s.InFlight, "burst": s.Burst, "spots": s.Spots} {
		refuse(n < 1, "%s is %d", name, n)
	}
	refuse(!slices.Contains([]string{"all", "1", "0"}, s.Acks), "acks is %q", s.Acks)
	refuse(!slices.Contains([]string{"none", "gzip", "snappy", "lz4", "zstd"}, s.Compression), "compression is %q", s.Compression)
	refuse(s.Idempotent && s.Acks != "all", "an idempotent producer wants acks=all")
	refuse(s.raw() && s.Acks == "0", "without acknowledgement a raw load has nothing to wait for")
	refuse(s.timed() && s.Size < stampLen, "a record that carries its time has %d bytes at least", stampLen)
	refuse((s.Kind == EndToEnd || s.Kind == CatchUp) && s.Rate <= 0, "%s wants a rate", s.Kind)
	refuse((s.Kind == EndToEnd || s.Kind == CatchUp || s.Kind == Tail || s.Kind == Idle) && s.Seconds <= 0, "%s wants seconds", s.Kind)
	refuse(s.Kind == RawProduce && s.Partitions%s.Spots != 0, "requests of %d partitions do not divide %d", s.Spots, s.Partitions)
	refuse(s.Kind == RawProduce && s.Spots > 1 && s.Batch == 0, "requests of several batches want a size of them")
	refuse(s.Kind == RawFetch && s.Partitions > 1, "a raw fetch is of one partition")
	refuse(s.Kind != RawProduce && s.Spots > 1, "only a raw Produce has several batches")
	refuse(s.Group && s.Passes > 1, "the second pass of a group would begin where the first ended")
	refuse(s.Kind == JavaProduce && s.Records == 0 && s.Bytes == 0, "the Java producer wants to know how many records")
	refuse(s.Kind == RdkafkaProduce && s.Rate > 0, "librdkafka's producer knows no rate here")
	refuse(s.InFlight < s.Burst, "a burst of %d with %d in flight", s.Burst, s.InFlight)
	refuse(s.Seconds < 0 || s.Bytes < 0 || s.Records < 0 || s.Rate < 0 || s.Warmup < 0 || s.Linger < 0 || s.Idle < 0, "something is negative")
	return errors.Join(errs...)
}

func seconds(s float64) time.Duration      { return time.Duration(s * float64(time.Second)) }
func milliseconds(s float64) time.Duration { return time.Duration(s * float64(time.Millisecond)) }

package config

import (
	"math"
	"slices"
	"strings"
	"testing"
	"time"
)

type kv = map[string]string

// A topic's value comes from the topic, else from the strongest of its broker keys, else
// from the default; a dynamic broker value beats any static synonym of it.
func TestTopicInheritance(t *testing.T) {
	for _, c := range []struct {
		name                      string
		static, def, broker, over kv
		want                      int64 // retention.ms
	}{
		{"nothing set", nil, nil, nil, nil, 604800000},
		{"hours", kv{"log.retention.hours": "24"}, nil, nil, nil, 86400000},
		{"minutes beat hours", kv{"log.retention.hours": "24", "log.retention.minutes": "1"}, nil, nil, nil, 60000},
		{"ms beats both", kv{"log.retention.hours": "24", "log.retention.minutes": "1", "log.retention.ms": "5"}, nil, nil, nil, 5},
		{"any negative is for ever", kv{"log.retention.hours": "-7"}, nil, nil, nil, -1},
		{"dynamic default beats static", kv{"log.retention.ms": "5"}, kv{"log.retention.ms": "6"}, nil, nil, 6},
		{"per broker beats default", nil, kv{"log.retention.ms": "6"}, kv{"log.retention.ms": "7"}, nil, 7},
		{"topic beats all", nil, nil, kv{"log.retention.ms": "7"}, kv{"retention.ms": "8"}, 8},
		{"a stored value that cannot be is ignored", nil, nil, kv{"log.retention.ms": "soon"}, kv{"retention.ms": "never"}, 604800000},
	} {
		v, _ := TopicValues(c.static, c.broker, c.def, c.over)
		if got := TopicRetentionMs.Get(v); got != c.want {
			t.Errorf("%s: retention.ms is %d, want %d", c.name, got, c.want)
		}
	}
}

// A lower static synonym does not come back through a dynamic one that was laid over it.
func TestDynamicRemovesSynonyms(t *testing.T) {
	n := Node{Static: kv{"log.roll.ms": "1000", "log.flush.scheduler.interval.ms": "7"}, Default: kv{"log.roll.ms": "2000"}, PerBroker: kv{"log.flush.interval.ms": "9"}}
	v, err := n.Topics().With(nil)
	if err != nil {
		t.Fatal(err)
	}
	if got := TopicSegmentMs.Get(v); got != 2000 {
		t.Errorf("segment.ms is %d", got)
	}
	if got := TopicFlushMs.Get(v); got != 9 {
		t.Errorf("flush.ms is %d", got)
	}
	v, _ = Node{Static: kv{"log.flush.scheduler.interval.ms": "7"}}.Topics().With(nil)
	if got := TopicFlushMs.Get(v); got != 7 {
		t.Errorf("flush.ms is %d, want the scheduler's interval", got)
	}
}

func TestStoredNonsenseIsReported(t *testing.T) {
	_, err := Node{PerBroker: kv{"log.retention.ms": "soon"}}.Values()
	if err == nil || !strings.Contains(err.Error(), "log.retention.ms=soon") {
		t.Errorf("error is %v", err)
	}
	_, err = Node{}.Topics().With(kv{"retention.ms": "never", "segment.ms": "5"})
	if err == nil || !strings.Contains(err.Error(), "retention.ms=never") {
		t.Errorf("error is %v", err)
	}
}

// What the storage floors are told is what the topic's keys say.
func TestCommitLog(t *testing.T) {
	n := Node{Static: kv{"log.cleaner.threads": "2", "log.cleaner.dedupe.buffer.size": "67108864", "log.segment.delete.delay.ms": "9223372036854775807"}}
	b, _ := n.Values()
	v, err := n.Topics().With(kv{"cleanup.policy": "compact,delete", "segment.bytes": "1048576", "retention.ms": "-1"})
	if err != nil {
		t.Fatal(err)
	}
	c := CommitLog(v, b)
	if !c.Compact || !c.Delete || c.SegmentBytes != 1<<20 || c.RetentionMs != -1 || c.RetentionBytes != -1 ||
		c.CompactionMapBytes != 32<<20 || c.ProducerExpiry != 24*time.Hour || c.MaxCompactionLagMs != math.MaxInt64 || c.FileDeleteDelay <= 0 {
		t.Errorf("%+v", c)
	}
	if v, err = n.Topics().With(kv{"segment.bytes": "1048576", "internal.segment.bytes": "5000"}); err != nil || CommitLog(v, b).SegmentBytes != 5000 {
		t.Errorf("segments of %d bytes, %v", CommitLog(v, b).SegmentBytes, err)
	}
}

func TestRules(t *testing.T) {
	v, err := Node{}.Topics().With(kv{"cleanup.policy": "compact,delete", "compression.type": "zstd", "compression.zstd.level": "7",
		"message.timestamp.type": "LogAppendTime", "max.message.bytes": "99"})
	if err != nil {
		t.Fatal(err)
	}
	r := Rules(v)
	if !r.Compacted || !r.LogAppendTime || r.Compression != 4 || r.ZstdLevel != 7 || r.MaxMessageBytes != 99 || r.AfterMaxMs != 3600000 {
		t.Errorf("%+v", r)
	}
	if d, _ := Find(Topic, "compression.type"); d.Range != "" {
		for _, name := range strings.Split(strings.TrimPrefix(d.Range, "one of "), ", ") {
			if _, ok := codecs[name]; !ok {
				t.Errorf("compression.type %s has no codec", name)
			}
		}
	}
}

func TestReplicationFactorFollowsBrokers(t *testing.T) {
	unset, _ := Node{}.Values()
	set, _ := Node{Static: kv{"offsets.topic.replication.factor": "3", "default.replication.factor": "2"}}.Values()
	for brokers, want := range map[int]int{0: 1, 1: 1, 2: 2, 3: 3, 5: 3} {
		if got := ReplicationFactor(OffsetsTopicReplicationFactor, unset, brokers); got != want {
			t.Errorf("%d brokers: %d replicas, want %d", brokers, got, want)
		}
	}
	if got := ReplicationFactor(OffsetsTopicReplicationFactor, set, 1); got != 3 {
		t.Errorf("a factor that was set became %d", got)
	}
}

func find(t *testing.T, entries []Entry, name string) Entry {
	t.Helper()
	i := slices.IndexFunc(entries, func(e Entry) bool { return e.Name == name })
	if i < 0 {
		t.Fatalf("no entry %s", name)
	}
	return entries[i]
}

// show writes an entry as kafka-configs.sh --describe --all does.
func show(e Entry) string {
	v := func(s *string) string {
		if s == nil {
			return "null"
		}
		return *s
	}
	var syn []string
	for _, s := range e.Synonyms {
		syn = append(syn, s.Source.String()+":"+s.Name+"="+v(s.Value))
	}
	out := e.Name + "=" + v(e.Value) + " " + e.Source.String() + " {" + strings.Join(syn, ", ") + "}"
	if e.ReadOnly {
		out += " read-only"
	}
	if e.Sensitive {
		out += " sensitive"
	}
	return out
}

func TestDescribe(t *testing.T) {
	n := Node{
		Static: kv{"log.segment.bytes": "2097152", "log.retention.hours": "24", "node.id": "1", "broker.id": "1", "ssl.key.password": "hush",
			"listener.name.ext.ssl.keystore.password": "hush", "my.own": "x", "compression.type": "gzip", "listeners": "PLAINTEXT://:9092, B://:9093"},
		Default:   kv{"log.segment.bytes": "3145728", "log.cleaner.threads": "2", "leader.replication.throttled.rate": "5"},
		PerBroker: kv{"log.segment.bytes": "4194304", "log.retention.ms": "77"},
	}
	topic := n.DescribeTopic(kv{"segment.bytes": "5242880", "min.insync.replicas": "2"})
	broker := n.DescribeBroker()
	all := n.DescribeDefaultBroker()
	group := n.DescribeGroup(kv{"consumer.session.timeout.ms": "50000"})
	for _, c := range []struct {
		entries []Entry
		want    string
	}{
		{topic, "segment.bytes=5242880 DYNAMIC_TOPIC_CONFIG {DYNAMIC_TOPIC_CONFIG:segment.bytes=5242880, DYNAMIC_BROKER_CONFIG:log.segment.bytes=4194304, DYNAMIC_DEFAULT_BROKER_CONFIG:log.segment.bytes=3145728, STATIC_BROKER_CONFIG:log.segment.bytes=2097152, DEFAULT_CONFIG:log.segment.bytes=1073741824}"},
		{topic, "min.insync.replicas=2 DYNAMIC_TOPIC_CONFIG {DYNAMIC_TOPIC_CONFIG:min.insync.replicas=2, DEFAULT_CONFIG:min.insync.replicas=1}"},
		{topic, "retention.ms=77 DYNAMIC_BROKER_CONFIG {DYNAMIC_BROKER_CONFIG:log.retention.ms=77, STATIC_BROKER_CONFIG:log.retention.hours=24, DEFAULT_CONFIG:log.retention.hours=168}"},
		{topic, "compression.type=gzip STATIC_BROKER_CONFIG {STATIC_BROKER_CONFIG:compression.type=gzip, DEFAULT_CONFIG:compression.type=producer}"},
		{topic, "flush.ms=9223372036854775807 DEFAULT_CONFIG {}"},
		{topic, "remote.storage.enable=false DEFAULT_CONFIG {}"},
		{topic, "min.cleanable.dirty.ratio=0.5 DEFAULT_CONFIG {DEFAULT_CONFIG:log.cleaner.min.cleanable.ratio=0.5}"},
		{broker, "log.segment.bytes=4194304 DYNAMIC_BROKER_CONFIG {DYNAMIC_BROKER_CONFIG:log.segment.bytes=4194304, DYNAMIC_DEFAULT_BROKER_CONFIG:log.segment.bytes=3145728, STATIC_BROKER_CONFIG:log.segment.bytes=2097152, DEFAULT_CONFIG:log.segment.bytes=1073741824}"},
		{broker, "log.retention.ms=77 DYNAMIC_BROKER_CONFIG {DYNAMIC_BROKER_CONFIG:log.retention.ms=77, STATIC_BROKER_CONFIG:log.retention.hours=24, DEFAULT_CONFIG:log.retention.hours=168}"},
		// The file's hours are out of force; Kafka shows the default and what stands behind it.
		{broker, "log.retention.hours=168 STATIC_BROKER_CONFIG {STATIC_BROKER_CONFIG:log.retention.hours=24, DEFAULT_CONFIG:log.retention.hours=168} read-only"},
		{broker, "log.retention.minutes=null DEFAULT_CONFIG {} read-only"},
		{broker, "listeners=PLAINTEXT://:9092,B://:9093 STATIC_BROKER_CONFIG {STATIC_BROKER_CONFIG:listeners=PLAINTEXT://:9092, B://:9093, DEFAULT_CONFIG:listeners=PLAINTEXT://localhost:9092}"},
		{broker, "node.id=1 STATIC_BROKER_CONFIG {STATIC_BROKER_CONFIG:node.id=1, DEFAULT_CONFIG:node.id=1} read-only"},
		{broker, "ssl.key.password=null STATIC_BROKER_CONFIG {STATIC_BROKER_CONFIG:ssl.key.password=null} sensitive"},
		{broker, "listener.name.ext.ssl.keystore.password=null STATIC_BROKER_CONFIG {STATIC_BROKER_CONFIG:listener.name.ext.ssl.keystore.password=null} read-only sensitive"},
		{broker, "my.own=null STATIC_BROKER_CONFIG {STATIC_BROKER_CONFIG:my.own=null} read-only sensitive"},
		{broker, "log.cleaner.threads=2 DYNAMIC_DEFAULT_BROKER_CONFIG {DYNAMIC_DEFAULT_BROKER_CONFIG:log.cleaner.threads=2, DEFAULT_CONFIG:log.cleaner.threads=1}"},
		{all, "log.segment.bytes=3145728 DYNAMIC_DEFAULT_BROKER_CONFIG {DYNAMIC_DEFAULT_BROKER_CONFIG:log.segment.bytes=3145728}"},
		{all, "log.cleaner.threads=2 DYNAMIC_DEFAULT_BROKER_CONFIG {DYNAMIC_DEFAULT_BROKER_CONFIG:log.cleaner.threads=2}"},
		{group, "consumer.session.timeout.ms=50000 DYNAMIC_GROUP_CONFIG {DYNAMIC_GROUP_CONFIG:consumer.session.timeout.ms=50000}"},
		{group, "consumer.heartbeat.interval.ms=5000 DEFAULT_CONFIG {DEFAULT_CONFIG:consumer.heartbeat.interval.ms=5000}"},
		{DescribeClientMetrics(kv{"interval.ms": "1000"}), "interval.ms=1000 DYNAMIC_CLIENT_METRICS_CONFIG {DYNAMIC_CLIENT_METRICS_CONFIG:interval.ms=1000}"},
		{DescribeLoggers(kv{"root": "INFO"}), "root=INFO DYNAMIC_BROKER_LOGGER_CONFIG {}"},
	} {
		name, _, _ := strings.Cut(c.want, "=")
		if got := show(find(t, c.entries, name)); got != c.want {
			t.Errorf("\ngot  %s\nwant %s", got, c.want)
		}
	}
	if len(all) != 3 {
		t.Errorf("all brokers' settings are described as %d entries", len(all))
	}
	if !slices.IsSortedFunc(broker, func(a, b Entry) int { return strings.Compare(a.Name, b.Name) }) {
		t.Error("broker entries are not in name order")
	}
	// Kafka shows 33 topic keys; ours come on top, and those of later releases.
	own := 0
	for _, e := range topic {
		if d, _ := Find(Topic, e.Name); strings.HasPrefix(e.Name, "odradek.") || d.Since != "" {
			own++
		}
		if e.Doc == "" {
			t.Errorf("%s has no documentation", e.Name)
		}
	}
	if len(topic) != 33+own {
		t.Errorf("a topic is described by %d keys", len(topic))
	}
	if got := Only(topic, []string{"retention.ms", "nothing"}); len(got) != 1 {
		t.Errorf("asked for one known key, got %d", len(got))
	}
}

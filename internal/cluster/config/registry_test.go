package config

import (
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// kafkaRow is one key as Kafka 4.2.1 itself lists it; testdata/kafka-4.2.1.tsv was
// printed by its own ConfigDefs.
type kafkaRow struct {
	scope                                                Scope
	dynamic                                              bool
	name, typ, def, importance, mode, internal, validity string
}

func kafkaRows(t *testing.T) []kafkaRow {
	t.Helper()
	b, err := os.ReadFile("testdata/kafka-4.2.1.tsv")
	if err != nil {
		t.Fatal(err)
	}
	scopes := map[string]Scope{"broker": Broker, "broker-dynamic": Broker, "topic": Topic, "group": Group, "client-metrics": ClientMetrics}
	var rows []kafkaRow
	for l := range strings.Lines(string(b)) {
		f := strings.Split(strings.TrimRight(l, "\n"), "\t")
		if len(f) != 8 {
			t.Fatalf("bad row %q", l)
		}
		rows = append(rows, kafkaRow{scopes[f[0]], f[0] == "broker-dynamic", f[1], f[2], f[3], f[4], f[5], f[6], f[7]})
	}
	return rows
}

// Every key of Kafka 4.2 is here with Kafka's type, default, importance, mode and range;
// where a default differs, the declaration says so and names Kafka's.
func TestRegistryIsKafkas(t *testing.T) {
	rows := kafkaRows(t)
	if len(rows) != 392 {
		t.Fatalf("the list has %d keys", len(rows))
	}
	seen := map[*Def]bool{}
	for _, r := range rows {
		d, ok := Find(r.scope, r.name)
		if !ok {
			t.Errorf("%s key %s is missing", r.scope, r.name)
			continue
		}
		seen[d] = true
		if d.Type.String() != strings.ToLower(r.typ) {
			t.Errorf("%s: type %s, Kafka has %s", r.name, d.Type, r.typ)
		}
		if d.Importance.String() != strings.ToLower(r.importance) {
			t.Errorf("%s: importance %s, Kafka has %s", r.name, d.Importance, r.importance)
		}
		mode := r.mode
		if mode == "" {
			mode = "read-only"
		}
		if r.dynamic != d.DynamicOnly || !r.dynamic && d.Mode.String() != mode {
			t.Errorf("%s: mode %s, Kafka has %s", r.name, d.Mode, mode)
		}
		if d.Internal != (r.internal == "internal") {
			t.Errorf("%s: internal is %v", r.name, d.Internal)
		}
		checkDefault(t, d, r.def)
		checkRange(t, d, r.validity)
	}
	for s := range numScopes {
		for d := range All(s) {
			if !seen[d] && !d.Own() && d.Since == "" {
				t.Errorf("%s key %s is not Kafka's and not odradek's own", s, d.Name)
			}
		}
	}
}

func checkDefault(t *testing.T, d *Def, kafka string) {
	t.Helper()
	mine := d.Default
	if d.Null {
		mine = `\N`
	}
	if d.Differs != "" {
		mine = d.KafkaDefault
		if mine == "(required)" {
			mine = `\\R`
		}
	}
	if mine != kafka {
		t.Errorf("%s: default %q, Kafka has %q", d.Name, mine, kafka)
	}
}

var rangePattern = regexp.MustCompile(`^Range \[(-?[\d.]+),\.\.\.(?:,(-?[\d.]+))?\]$`)

func checkRange(t *testing.T, d *Def, kafka string) {
	t.Helper()
	if m := rangePattern.FindStringSubmatch(kafka); m != nil {
		lo, _ := strconv.ParseFloat(m[1], 64)
		tryNumber(t, d, lo, true)
		tryNumber(t, d, lo-1, false)
		if m[2] != "" {
			hi, _ := strconv.ParseFloat(m[2], 64)
			tryNumber(t, d, hi, true)
			tryNumber(t, d, hi+1, false)
		}
		return
	}
	if i := strings.Index(kafka, "["); i >= 0 && strings.Contains(kafka, "Valid") && strings.HasPrefix(kafka[i:], "[") && !strings.HasPrefix(kafka, "Lambda") && !strings.HasPrefix(kafka, "Validator") && !strings.HasPrefix(kafka, "Throttled") {
		vals, _, _ := strings.Cut(kafka[i+1:], "]")
		for v := range strings.SplitSeq(vals, ", ") {
			if _, err := d.Parse(v); err != nil {
				t.Errorf("%s: Kafka accepts %s: %v", d.Name, v, err)
			}
		}
		if _, err := d.Parse("no-such-value"); err == nil {
			t.Errorf("%s accepts no-such-value, Kafka wants %s", d.Name, kafka)
		}
	}
	if strings.Contains(kafka, "isEmptyAllowed=false") {
		if _, err := d.Parse(""); err == nil {
			t.Errorf("%s accepts the empty list", d.Name)
		}
	}
}

func tryNumber(t *testing.T, d *Def, f float64, want bool) {
	t.Helper()
	text := strconv.FormatFloat(f, 'f', -1, 64)
	if _, err := d.Parse(text); (err == nil) != want {
		t.Errorf("%s=%s: err %v, want ok %v", d.Name, text, err, want)
	}
}

// Every key says what it is, and every key without Kafka's effect says why.
func TestRegistrySaysItAll(t *testing.T) {
	for s := range numScopes {
		for d := range All(s) {
			if len(d.Doc) < 12 || !strings.HasSuffix(d.Doc, ".") {
				t.Errorf("%s: doc %q is no sentence", d.Name, d.Doc)
			}
			if d.Meaning != Native && d.Note == "" {
				t.Errorf("%s is %s without a reason", d.Name, d.Meaning)
			}
			if d.check != nil && d.Range == "" {
				t.Errorf("%s has a range that nobody can read", d.Name)
			}
		}
	}
}

// The keys that users set most, by what they are known for.
func TestRegistryHasWhatUsersSet(t *testing.T) {
	broker := strings.Fields(`node.id process.roles controller.quorum.bootstrap.servers controller.quorum.voters listeners
		advertised.listeners listener.security.protocol.map inter.broker.listener.name controller.listener.names log.dirs
		num.partitions default.replication.factor auto.create.topics.enable delete.topic.enable broker.rack
		replica.selector.class log.retention.hours log.retention.minutes log.retention.ms log.retention.bytes
		log.segment.bytes log.roll.hours log.roll.ms log.cleanup.policy log.retention.check.interval.ms message.max.bytes
		socket.request.max.bytes replica.fetch.max.bytes fetch.max.bytes min.insync.replicas unclean.leader.election.enable
		offsets.topic.replication.factor offsets.topic.num.partitions offsets.retention.minutes offset.metadata.max.bytes
		transaction.state.log.replication.factor transaction.state.log.min.isr transaction.max.timeout.ms
		transactional.id.expiration.ms producer.id.expiration.ms group.initial.rebalance.delay.ms
		group.min.session.timeout.ms group.max.session.timeout.ms group.max.size num.network.threads num.io.threads
		queued.max.requests replica.lag.time.max.ms log.flush.interval.messages log.flush.interval.ms log.cleaner.threads
		auto.leader.rebalance.enable controlled.shutdown.enable broker.session.timeout.ms broker.heartbeat.interval.ms
		authorizer.class.name sasl.enabled.mechanisms connections.max.reauth.ms ssl.keystore.location ssl.client.auth
		max.connections max.connections.per.ip connections.max.idle.ms quota.window.num remote.log.storage.system.enable`)
	topic := strings.Fields(`cleanup.policy retention.ms retention.bytes segment.bytes segment.ms max.message.bytes
		min.insync.replicas compression.type message.timestamp.type delete.retention.ms min.compaction.lag.ms
		max.compaction.lag.ms min.cleanable.dirty.ratio flush.messages flush.ms preallocate remote.storage.enable
		local.retention.ms leader.replication.throttled.replicas`)
	for _, n := range broker {
		if _, ok := Find(Broker, n); !ok {
			t.Errorf("no broker key %s", n)
		}
	}
	for _, n := range topic {
		if _, ok := Find(Topic, n); !ok {
			t.Errorf("no topic key %s", n)
		}
	}
	if d, _ := Find(Topic, "retention.ms"); !slices.Equal(d.Synonyms, []Synonym{{"log.retention.ms", 1}, {"log.retention.minutes", 60_000}, {"log.retention.hours", 3600_000}}) {
		t.Errorf("retention.ms comes from %v", d.Synonyms)
	}
}

func TestParse(t *testing.T) {
	for _, c := range []struct{ key, text, want, err string }{
		{"log.segment.bytes", " 1048576 ", "1048576", ""},
		{"log.segment.bytes", "1048575", "", "log.segment.bytes=1048575 is out of range (at least 1048576)"},
		{"log.segment.bytes", "1GiB", "", "log.segment.bytes=1GiB is not an int (32 bits) (at least 1048576)"},
		{"log.segment.bytes", "3000000000", "", "log.segment.bytes=3000000000 is not an int (32 bits) (at least 1048576)"},
		{"auto.create.topics.enable", "TRUE", "true", ""},
		{"auto.create.topics.enable", "yes", "", "auto.create.topics.enable=yes is not true or false"},
		{"log.cleanup.policy", "compact , delete", "compact,delete", ""},
		{"log.cleanup.policy", "", "", ""},
		{"log.cleanup.policy", "delete,delete", "", "log.cleanup.policy=delete,delete names delete twice (one of compact, delete)"},
		{"log.cleanup.policy", "delete,,compact", "", "log.cleanup.policy=delete,,compact has an empty entry (one of compact, delete)"},
		{"log.cleanup.policy", "shred", "", "log.cleanup.policy=shred is out of range (one of compact, delete)"},
		{"compression.gzip.level", "-1", "-1", ""},
		{"compression.gzip.level", "0", "", "compression.gzip.level=0 is out of range (from 1 to 9, or -1)"},
		{"log.cleaner.min.cleanable.ratio", "1e-1", "0.1", ""},
		{"log.cleaner.min.cleanable.ratio", "NaN", "", "log.cleaner.min.cleanable.ratio=NaN is not a double (from 0 to 1)"},
		{"group.consumer.migration.policy", "Upgrade", "Upgrade", ""},
		{"offsets.topic.replication.factor", "40000", "", "offsets.topic.replication.factor=40000 is not a short (16 bits) (at least 1)"},
		{"ssl.key.password", "hush", "[hidden]", ""},
		{"controller.quorum.voters", "1@h1:9093,2@h2:9093", "1@h1:9093,2@h2:9093", ""},
		{"controller.quorum.voters", "1@h1:9093,1@h2:9093", "", "controller.quorum.voters=1@h1:9093,1@h2:9093 is out of range (entries ID@HOST:PORT)"},
		{"controller.quorum.bootstrap.servers", "[::1]:9093,c:1", "[::1]:9093,c:1", ""},
		{"controller.quorum.bootstrap.servers", "c", "", "controller.quorum.bootstrap.servers=c is out of range (entries HOST:PORT)"},
		{"odradek.create.topics", "a:1:1:compact+delete,b:2:1", "a:1:1:compact+delete,b:2:1", ""},
		{"odradek.create.topics", "a:0:1", "", "odradek.create.topics=a:0:1 is out of range (entries NAME:PARTITIONS:REPLICAS[:POLICY])"},
	} {
		d, ok := Find(Broker, c.key)
		if !ok {
			t.Fatalf("no key %s", c.key)
		}
		v, err := d.Parse(c.text)
		got := ""
		if err != nil {
			got = err.Error()
		}
		if got != c.err {
			t.Errorf("%s=%s: error %q, want %q", c.key, c.text, got, c.err)
		} else if err == nil && d.Format(v) != c.want {
			t.Errorf("%s=%s: %q, want %q", c.key, c.text, d.Format(v), c.want)
		}
	}
}

func TestFormatDouble(t *testing.T) {
	for want, f := range map[string]float64{"0.5": 0.5, "1.0": 1, "1.7976931348623157E308": 1.7976931348623157e308,
		"2.147483647E9": 2147483647, "1.0E-4": 0.0001, "0.0": 0, "1234567.0": 1234567, "1.0E7": 1e7} {
		if got := formatDouble(f); got != want {
			t.Errorf("%v is written %s, Java writes %s", f, got, want)
		}
	}
}

// A value is read with its Go type, set or not, and costs no allocation.
func TestGet(t *testing.T) {
	v, errs := build(Broker, map[string]string{"log.segment.bytes": "2097152", "log.dirs": "/a,/b", "own.key": "x"})
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	if got := LogSegmentBytes.Get(v); got != 2097152 || !LogSegmentBytes.IsSet(v) {
		t.Errorf("log.segment.bytes is %d", got)
	}
	if got := LogDirs.Get(v); !slices.Equal(got, []string{"/a", "/b"}) {
		t.Errorf("log.dirs is %v", got)
	}
	if _, ok := LogRetentionMs.Lookup(v); ok || LogRetentionHours.Get(v) != 168 || LogRetentionHours.IsSet(v) {
		t.Error("an unset key has a value, or its default is lost")
	}
	if x, ok := v.Text("own.key"); !ok || x != "x" {
		t.Error("an unknown key's text is lost")
	}
	if LogSegmentBytes.Get(Defaults(Broker)) != 1<<30 || LogSegmentBytes.Get(Values{}) != 1<<30 {
		t.Error("defaults are not Kafka's")
	}
	if n := testing.AllocsPerRun(100, func() { LogSegmentBytes.Get(v) }); n != 0 {
		t.Errorf("Get allocates %v times", n)
	}
}

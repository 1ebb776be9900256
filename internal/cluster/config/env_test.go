package config

import (
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
)

func settingsMap(settings []Setting) kv {
	m := kv{}
	for _, s := range settings {
		m[s.Name] = s.Value
	}
	return m
}

func texts(ps []Problem) string {
	var l []string
	for _, p := range ps {
		l = append(l, p.String())
	}
	return strings.Join(l, "\n")
}

func TestParseEnv(t *testing.T) {
	for _, c := range []struct {
		name         string
		env          []string
		want         kv
		errors, warn string
	}{
		{"apache/kafka and Confluent", []string{"KAFKA_NODE_ID=1", "KAFKA_LISTENER_NAME_SASL__SSL_SSL_KEYSTORE_TYPE=PEM", "KAFKA_A___B=x", "CLUSTER_ID=5L6g3nShT-eMCtK--X86sw",
			"KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR=1", "KAFKA_HEAP_OPTS=-Xmx1G", "KAFKA_JMX_PORT=9101", "KAFKA_LOG4J_ROOT_LOGLEVEL=WARN", "PATH=/bin"},
			kv{"node.id": "1", "listener.name.sasl_ssl.ssl.keystore.type": "PEM", "a-b": "x", "odradek.cluster.id": "5L6g3nShT-eMCtK--X86sw",
				"offsets.topic.replication.factor": "1", "odradek.log.level": "warn"}, "", ""},
		{"Bitnami", []string{"KAFKA_CFG_NODE_ID=0", "KAFKA_CFG_PROCESS_ROLES=controller,broker", "KAFKA_KRAFT_CLUSTER_ID=abc", "ALLOW_PLAINTEXT_LISTENER=yes",
			"KAFKA_CFG_CONTROLLER_QUORUM_VOTERS=0@kafka:9093", "KAFKA_ENABLE_KRAFT=yes", "BITNAMI_DEBUG=true", "KAFKA_CLIENT_USERS=u"},
			kv{"node.id": "0", "process.roles": "controller,broker", "odradek.cluster.id": "abc", "controller.quorum.voters": "0@kafka:9093"}, "", "KAFKA_CLIENT_USERS: KAFKA_CLIENT_USERS has no effect: this version does not have SASL"},
		{"wurstmeister", []string{"KAFKA_ADVERTISED_HOST_NAME=10.0.0.1", "KAFKA_ADVERTISED_PORT=9094", "KAFKA_PORT=9092", "KAFKA_BROKER_ID=2", "KAFKA_LOG_DIRS=/kafka/logs",
			"KAFKA_ZOOKEEPER_CONNECT=zk:2181", "KAFKA_CREATE_TOPICS=a:1:1, b:3:2:compact", "KAFKA_VERSION=2.8.1"},
			kv{"advertised.host.name": "10.0.0.1", "advertised.port": "9094", "port": "9092", "broker.id": "2", "log.dirs": "/kafka/logs",
				"zookeeper.connect": "zk:2181", "odradek.create.topics": "a:1:1,b:3:2:compact"}, "", ""},
		{"wurstmeister's other separator", []string{"KAFKA_CREATE_TOPICS=a:1:1\nb:2:1\n", `KAFKA_CREATE_TOPICS_SEPARATOR=$'\n'`}, kv{"odradek.create.topics": "a:1:1,b:2:1"}, "", ""},
		{"commands are refused", []string{"KAFKA_BROKER_ID=1", "HOSTNAME_COMMAND=hostname -i", "BROKER_ID_COMMAND=x", "KAFKA_LISTENERS=A://_{HOSTNAME_COMMAND}:9092"},
			kv{"broker.id": "1", "listeners": "A://_{HOSTNAME_COMMAND}:9092"},
			"HOSTNAME_COMMAND: HOSTNAME_COMMAND is refused: commands from the environment are not run; set KAFKA_ADVERTISED_HOST_NAME or KAFKA_ADVERTISED_LISTENERS instead\n" +
				"BROKER_ID_COMMAND: BROKER_ID_COMMAND is refused: commands from the environment are not run; set KAFKA_BROKER_ID instead\n" +
				"KAFKA_LISTENERS: listeners=A://_{HOSTNAME_COMMAND}:9092 asks for the output of a command, and commands from the environment are not run", ""},
		{"a stranger's environment", []string{"HOSTNAME_COMMAND=x", "CLUSTER_ID=prod", "HOME=/root", "=C:=C:"}, kv{}, "", ""},
		{"Kubernetes describes a service called kafka", []string{"KAFKA_PORT=tcp://10.0.0.1:9092", "KAFKA_SERVICE_HOST=10.0.0.1", "KAFKA_SERVICE_PORT=9092", "KAFKA_SERVICE_PORT_CLIENT=9092",
			"KAFKA_PORT_9092_TCP=tcp://10.0.0.1:9092", "KAFKA_PORT_9092_TCP_ADDR=10.0.0.1", "KAFKA_UI_SERVICE_HOST=10.0.0.2"}, kv{}, "", ""},
		{"our own", []string{"ODRADEK_DURABILITY=os", "ODRADEK_LOG_DIRS=/d", "ODRADEK_DATA_DIR=/x", "ODRADEK_CONFIG=f"}, kv{"odradek.durability": "os", "log.dirs": "/d", "odradek.data.dir": "/x"}, "", ""},
		{"a secret in a file", []string{"KAFKA_SSL_KEYSTORE_PASSWORD_FILE=/run/secret", "KAFKA_SASL_OAUTHBEARER_ASSERTION_FILE=/a"}, kv{"ssl.keystore.password": "pw", "sasl.oauthbearer.assertion.file": "/a"}, "", ""},
		{"a secret in no file", []string{"KAFKA_SSL_KEY_PASSWORD_FILE=/nope"}, kv{}, "KAFKA_SSL_KEY_PASSWORD_FILE: /nope cannot be read: file does not exist", ""},
	} {
		got, rep := ParseEnv(c.env, Sources{ReadFile: func(p string) ([]byte, error) {
			if p == "/run/secret" {
				return []byte("pw\n"), nil
			}
			return nil, os.ErrNotExist
		}})
		if !maps.Equal(settingsMap(got), c.want) {
			t.Errorf("%s:\ngot  %v\nwant %v", c.name, settingsMap(got), c.want)
		}
		if texts(rep.Errors) != c.errors {
			t.Errorf("%s: errors\n%s\nwant\n%s", c.name, texts(rep.Errors), c.errors)
		}
		if texts(rep.Warnings) != c.warn {
			t.Errorf("%s: warnings\n%s", c.name, texts(rep.Warnings))
		}
	}
}

func TestDotted(t *testing.T) {
	for in, want := range map[string]string{"A_B": "a.b", "A__B": "a_b", "A___B": "a-b", "A____B": "a-.b", "_A_": ".a.", "": ""} {
		if got := dotted(in); got != want {
			t.Errorf("%s: %s, want %s", in, got, want)
		}
	}
}

// A stronger layer wins, a later line wins within one, and the chain tells the story.
func TestMerge(t *testing.T) {
	file, _ := ParseProperties("f", []byte("log.dirs=/a\nlog.dirs=/b\nbroker.id=3\nnum.partitions=2"))
	env, _ := ParseEnv([]string{"KAFKA_LOG_DIRS=/c"}, Sources{})
	over, err := ParseOverrides([]string{"num.partitions=9"})
	if err != nil {
		t.Fatal(err)
	}
	s := Merge(over, env, file) // the order of layers does not matter
	var chain []string
	for _, x := range s.Chain("log.dirs") {
		chain = append(chain, x.Value+" "+x.Origin.Where)
	}
	if !slices.Equal(chain, []string{"/c KAFKA_LOG_DIRS", "/b f:2", "/a f:1"}) {
		t.Errorf("log.dirs: %v", chain)
	}
	if m := s.Map(); m["num.partitions"] != "9" || m["node.id"] != "3" || m["broker.id"] != "3" {
		t.Errorf("%v", m)
	}
	if m := Merge([]Setting{{Name: "broker.id", Value: "-1"}}).Map(); len(m) != 0 {
		t.Errorf("broker.id -1 is %v", m)
	}
	for _, bad := range []string{"novalue", "=x", ""} {
		if _, err := ParseOverrides([]string{bad}); err == nil {
			t.Errorf("--override %q was accepted", bad)
		}
	}
}

// All that is wrong is said at once, each with its place.
func TestResolveSaysItAll(t *testing.T) {
	settings, err := ParseProperties("s.properties", []byte(`
node.id=1
log.segment.bytes=12
nmu.partitions=3
retention.ms=5
auto.create.topics.enable=maybe
num.io.threads=99
zookeeper.connect=zk:2181
inter.broker.protocol.version=2.8
authorizer.class.name=x
ssl.client.auth=none
leader.replication.throttled.rate=5
my.plugin.own.setting=1
listener.name.ext.ssl.keystore.location=/k
`))
	if err != nil {
		t.Fatal(err)
	}
	_, rep := Merge(settings).Resolve()
	if got, want := texts(rep.Errors), "s.properties:6: auto.create.topics.enable=maybe is not true or false\ns.properties:3: log.segment.bytes=12 is out of range (at least 1048576)"; got != want {
		t.Errorf("errors\n%s", got)
	}
	if got, want := texts(rep.Warnings), strings.Join([]string{
		"s.properties:10: authorizer.class.name has no effect: this version does not have access control",
		"s.properties:12: leader.replication.throttled.rate can only be set while the broker runs, by altering the broker's configuration",
		"s.properties:14: listener.name.ext.ssl.keystore.location has no effect: this version does not have TLS",
		"s.properties:13: unknown key my.plugin.own.setting",
		"s.properties:4: unknown key nmu.partitions: did you mean num.partitions?",
		"s.properties:5: unknown key retention.ms: did you mean log.retention.ms?",
	}, "\n"); got != want {
		t.Errorf("warnings\n%s", got)
	}
	if got, want := texts(rep.Infos), strings.Join([]string{
		"without effect here, because Kafka removed it: inter.broker.protocol.version",
		"without effect here, because there are no thread pools to size: num.io.threads",
		"without effect here, because there is no ZooKeeper: zookeeper.connect",
	}, "\n"); got != want {
		t.Errorf("infos\n%s", got)
	}
	if err := rep.Err(); err == nil || strings.Count(err.Error(), "\n") != 2 {
		t.Errorf("%v", err)
	}
}

func TestRelations(t *testing.T) {
	for _, c := range []struct {
		settings kv
		err      string
	}{
		{kv{}, ""},
		{kv{"node.id": "1", "broker.id": "2"}, "node.id=1 and broker.id=2 are two names of one value"},
		{kv{"log.roll.ms": "0"}, "log.roll.ms=0 is out of range (at least 1)"},
		{kv{"log.retention.minutes": "0"}, "log.retention.minutes=0 would delete every record at once (-1, or at least 1)"},
		{kv{"log.cleaner.threads": "16"}, "log.cleaner.dedupe.buffer.size=16777216 is less than 1 MiB for each of 16 log.cleaner.threads"},
		{kv{"replica.fetch.wait.max.ms": "30001", "replica.lag.time.max.ms": "40000"}, "replica.fetch.wait.max.ms=30001 must not be more than replica.socket.timeout.ms=30000"},
		{kv{"replica.lag.time.max.ms": "400"}, "replica.fetch.wait.max.ms=500 must not be more than replica.lag.time.max.ms=400"},
		{kv{"queued.max.request.bytes": "5"}, "queued.max.request.bytes=5 must be at least socket.request.max.bytes=104857600"},
		{kv{"socket.request.max.bytes": "1000000000"}, "odradek.memory.request.bytes=268435456 must be at least socket.request.max.bytes=1000000000"},
		{kv{"max.connections.per.ip": "0"}, "max.connections.per.ip=0 needs max.connections.per.ip.overrides"},
		{kv{"max.connections.per.ip.overrides": "10.0.0.1:5,h"}, "max.connections.per.ip.overrides: \"h\" is not HOST:COUNT"},
		{kv{"max.connections.per.ip.overrides": ":5"}, `max.connections.per.ip.overrides: ":5" is not HOST:COUNT`},
		{kv{"max.connections.per.ip.overrides": "h:-1"}, `max.connections.per.ip.overrides: "h:-1" is not HOST:COUNT`},
		{kv{"connections.max.idle.ms": "100"}, "connection.failed.authentication.delay.ms=100 must be less than connections.max.idle.ms=100"},
	} {
		var l []Setting
		for k, v := range c.settings {
			l = append(l, Setting{Name: k, Value: v})
		}
		_, rep := Merge(l).Resolve()
		if got := texts(rep.Errors); got != c.err {
			t.Errorf("%v: %q, want %q", c.settings, got, c.err)
		}
	}
}

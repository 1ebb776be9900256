package settings

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/odradek/odradek/internal/cluster/config"
)

func input(file string, env ...string) Input {
	return Input{
		File: file, Environ: append([]string{"HOME=/home/k"}, env...),
		ReadFile: func(p string) ([]byte, error) {
			if p == "" || strings.HasPrefix(p, "/") {
				return nil, fs.ErrNotExist
			}
			return os.ReadFile(p)
		},
		Hostname: func() (string, error) { return "box", nil },
	}
}

func lines(ps []config.Problem) string {
	var l []string
	for _, p := range ps {
		l = append(l, p.String())
	}
	return strings.Join(l, "\n")
}

// shown is where a node listens: name, protocol, bind address, what clients are told.
func shown(s *Settings) string {
	var l []string
	for _, x := range s.Listeners {
		e := config.Endpoint{Host: x.AdvertisedHost, Port: x.AdvertisedPort}
		l = append(l, x.Name+" "+x.Bind+" -> "+e.Address())
	}
	return strings.Join(l, "; ")
}

// With nothing given, a node is node 1, keeps data in the user's own folder and is open
// to this machine only.
func TestNothingGiven(t *testing.T) {
	s, err := Load(input(""))
	if err != nil {
		t.Fatal(err)
	}
	if s.NodeID != 1 || !slices.Equal(s.DataDirs, []string{"/home/k/.local/share/odradek/data"}) ||
		shown(s) != "PLAINTEXT localhost:9092 -> localhost:9092" || s.Admin != "localhost:9644" || s.InterBroker != "PLAINTEXT" || s.LogLevel != "info" || s.LogFormat != "text" || s.ClusterID != "" || s.Rack != nil {
		t.Errorf("%+v; %s", s, shown(s))
	}
	if r := s.Report; len(r.Warnings)+len(r.Infos) > 0 {
		t.Errorf("a node that nobody configured says %v %v", r.Warnings, r.Infos)
	}
	if len(s.StaticMap()) > 0 {
		t.Errorf("nobody set anything, but %v", s.StaticMap())
	}
}

// Files and environments as people have them give a node that runs.
func TestRealFilesAndEnvironments(t *testing.T) {
	for _, c := range []struct {
		name      string
		in        Input
		id        int32
		dirs      string
		listeners string
		cluster   string
		topics    int
		warnings  string
		infos     []string
	}{
		{
			name: "Kafka's server.properties", in: input("testdata/server.properties"), id: 1, dirs: "/tmp/kraft-combined-logs",
			listeners: "PLAINTEXT :9092 -> kafka.example:9092",
			warnings:  "server.properties:19: data is kept in /tmp/kraft-combined-logs, and many systems empty /tmp when they start",
			infos:     []string{"num.io.threads, num.network.threads"},
		},
		{
			name: "a file from ZooKeeper's days", in: input("testdata/zookeeper-era.properties"), id: 0, dirs: "/var/lib/kafka/a /var/lib/kafka/b",
			listeners: "PLAINTEXT :9092 -> 192.168.1.10:9092",
			infos:     []string{"no ZooKeeper: zookeeper.connect, zookeeper.connection.timeout.ms", "Kafka removed it: inter.broker.protocol.version, log.message.format.version", "read as listeners=PLAINTEXT://:9092"},
		},
		{
			name: "wurstmeister's compose file", id: 1, dirs: "/kafka/logs", listeners: "PLAINTEXT :9092 -> 10.0.0.1:9094", topics: 2,
			in: input("", "KAFKA_ADVERTISED_HOST_NAME=10.0.0.1", "KAFKA_ADVERTISED_PORT=9094", "KAFKA_PORT=9092", "KAFKA_BROKER_ID=-1", "KAFKA_LOG_DIRS=/kafka/logs",
				"KAFKA_ZOOKEEPER_CONNECT=zookeeper:2181", "KAFKA_CREATE_TOPICS=orders:3:1,users:1:1:compact", "KAFKA_AUTO_CREATE_TOPICS_ENABLE=false", "HOSTNAME=3f2c"),
			infos: []string{"no ZooKeeper: zookeeper.connect"},
		},
		{
			name: "Bitnami's compose file", id: 0, dirs: "/bitnami/kafka/data", listeners: "PLAINTEXT :9092 -> kafka:9092", cluster: "abcdefghijklmnopqrstuv",
			in: input("", "KAFKA_CFG_NODE_ID=0", "KAFKA_CFG_PROCESS_ROLES=controller,broker", "KAFKA_CFG_LISTENERS=PLAINTEXT://:9092,CONTROLLER://:9093", "KAFKA_CFG_ADVERTISED_LISTENERS=PLAINTEXT://kafka:9092",
				"KAFKA_CFG_LISTENER_SECURITY_PROTOCOL_MAP=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT", "KAFKA_CFG_CONTROLLER_QUORUM_VOTERS=0@kafka:9093", "KAFKA_CFG_CONTROLLER_LISTENER_NAMES=CONTROLLER",
				"KAFKA_KRAFT_CLUSTER_ID=abcdefghijklmnopqrstuv", "ALLOW_PLAINTEXT_LISTENER=yes", "KAFKA_CFG_LOG_DIRS=/bitnami/kafka/data", "KAFKA_ENABLE_KRAFT=yes", "KAFKA_HEAP_OPTS=-Xmx1g"),
		},
		{
			name: "Confluent's compose file", id: 1, dirs: "/tmp/kraft-combined-logs", listeners: "PLAINTEXT broker:29092 -> broker:29092; PLAINTEXT_HOST 0.0.0.0:9092 -> localhost:9092", cluster: "MkU3OEVBNTcwNTJENDM2Qk",
			in: input("", "KAFKA_NODE_ID=1", "KAFKA_LISTENER_SECURITY_PROTOCOL_MAP=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,PLAINTEXT_HOST:PLAINTEXT", "KAFKA_ADVERTISED_LISTENERS=PLAINTEXT://broker:29092,PLAINTEXT_HOST://localhost:9092",
				"KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR=1", "KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS=0", "KAFKA_PROCESS_ROLES=broker,controller", "KAFKA_CONTROLLER_QUORUM_VOTERS=1@broker:29093",
				"KAFKA_LISTENERS=PLAINTEXT://broker:29092,CONTROLLER://broker:29093,PLAINTEXT_HOST://0.0.0.0:9092", "KAFKA_INTER_BROKER_LISTENER_NAME=PLAINTEXT", "KAFKA_CONTROLLER_LISTENER_NAMES=CONTROLLER",
				"KAFKA_LOG_DIRS=/tmp/kraft-combined-logs", "CLUSTER_ID=MkU3OEVBNTcwNTJENDM2Qk", "KAFKA_JMX_PORT=9101", "KAFKA_JMX_HOSTNAME=localhost", "KAFKA_CONFLUENT_SUPPORT_METRICS_ENABLE=false"),
			warnings: "KAFKA_LOG_DIRS: data is kept in /tmp/kraft-combined-logs, and many systems empty /tmp when they start\n" +
				"KAFKA_ADVERTISED_LISTENERS: listener PLAINTEXT_HOST is open to other machines, but clients there are told to connect to localhost, which is themselves",
			infos: []string{"another product: confluent.support.metrics.enable"},
		},
		{
			name: "apache/kafka with one variable keeps all defaults", id: 1, dirs: "/home/k/.local/share/odradek/data", listeners: "PLAINTEXT :9092 -> h.example:9092",
			in:    input("", "KAFKA_ADVERTISED_LISTENERS=PLAINTEXT://h.example:9092"),
			infos: []string{"read as listeners=PLAINTEXT://:9092"},
		},
		{
			name: "open on every interface", id: 1, dirs: "/home/k/.local/share/odradek/data", listeners: "PLAINTEXT :9092 -> box:9092",
			in:    input("", "KAFKA_LISTENERS=PLAINTEXT://:9092"),
			infos: []string{"clients of listener PLAINTEXT are told to connect to box:9092"},
		},
		{
			name: "an observer needs no listener", id: 9, dirs: "/d",
			in: input("", "KAFKA_NODE_ID=9", "KAFKA_PROCESS_ROLES=observer", "KAFKA_LOG_DIRS=/d", "KAFKA_CONTROLLER_QUORUM_VOTERS=1@h:9093",
				"ODRADEK_ZOOKEEPER_LISTENER=localhost:2181"),
		},
		{
			name: "environment over file, override over both", id: 7, dirs: "/o", listeners: "PLAINTEXT :9092 -> kafka.example:9092",
			in: func() Input {
				in := input("testdata/server.properties", "KAFKA_LOG_DIRS=/e", "KAFKA_NODE_ID=7")
				in.Overrides = []string{"log.dirs=/o"}
				return in
			}(),
		},
	} {
		s, err := Load(c.in)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if s.NodeID != c.id || strings.Join(s.DataDirs, " ") != c.dirs || shown(s) != c.listeners || s.ClusterID != c.cluster || len(s.CreateTopics) != c.topics {
			t.Errorf("%s: node %d, dirs %v, listeners %s, cluster %q, topics %v", c.name, s.NodeID, s.DataDirs, shown(s), s.ClusterID, s.CreateTopics)
		}
		if got := lines(s.Report.Warnings); c.name != "environment over file, override over both" && got != c.warnings {
			t.Errorf("%s: warnings\n%s", c.name, got)
		}
		for _, want := range c.infos {
			if !strings.Contains(lines(s.Report.Infos), want) {
				t.Errorf("%s: infos lack %q:\n%s", c.name, want, lines(s.Report.Infos))
			}
		}
	}
}

// What this version cannot do, or what cannot be, stops the node, all of it at once.
func TestRefused(t *testing.T) {
	for _, c := range []struct {
		name string
		env  []string
		want []string
	}{
		{"TLS", []string{"KAFKA_LISTENERS=SSL://h:9093,PLAINTEXT://h:9092"}, []string{"KAFKA_LISTENERS: listener SSL asks for SSL: this version serves PLAINTEXT only"}},
		{"an authorizer", []string{"KAFKA_AUTHORIZER_CLASS_NAME=org.apache.kafka.metadata.authorizer.StandardAuthorizer"}, []string{"asks for access control"}},
		{"voters and nowhere to hear them", []string{"KAFKA_CONTROLLER_QUORUM_VOTERS=1@a:9093,2@b:9093,3@c:9093", "KAFKA_LISTENERS=PLAINTEXT://h:9092"}, []string{"controller.listener.names has CONTROLLER, which is not among listeners"}},
		{"another's quorum", []string{"KAFKA_CONTROLLER_QUORUM_VOTERS=2@b:9093"}, []string{"does not name this node, 1"}},
		{"a broker without a quorum", []string{"KAFKA_PROCESS_ROLES=broker"}, []string{"process.roles=broker: where are the controllers?"}},
		{"a voter that is none", []string{"KAFKA_PROCESS_ROLES=broker", "KAFKA_CONTROLLER_QUORUM_VOTERS=1@a:9093"}, []string{"names this node, 1, but process.roles=broker has no controller"}},
		{"an observer of nobody", []string{"KAFKA_PROCESS_ROLES=observer"}, []string{"process.roles=observer: where are the controllers?"}},
		{"an observer that votes", []string{"KAFKA_PROCESS_ROLES=observer,controller", "KAFKA_CONTROLLER_QUORUM_VOTERS=2@b:9093", "KAFKA_NODE_ID=2", "KAFKA_LISTENERS=CONTROLLER://b:9093", "KAFKA_CONTROLLER_LISTENER_NAMES=CONTROLLER"}, []string{"an observer has no other role"}},
		{"an observer that serves", []string{"KAFKA_PROCESS_ROLES=observer", "KAFKA_CONTROLLER_QUORUM_VOTERS=2@b:9093", "KAFKA_LISTENERS=PLAINTEXT://h:9092"}, []string{"process.roles=observer allows only"}},
		{"a topic twice", []string{"KAFKA_CREATE_TOPICS=a:1:1,a:2:1"}, []string{"names topic a twice"}},
		{"a folder twice", []string{"KAFKA_LOG_DIRS=/a,/a/"}, []string{"names /a twice"}},
		{"a command", []string{"KAFKA_BROKER_ID=1", "HOSTNAME_COMMAND=hostname"}, []string{"HOSTNAME_COMMAND is refused"}},
		{"several things", []string{"KAFKA_LOG_SEGMENT_BYTES=1", "KAFKA_LISTENERS=PLAINTEXT://0.0.0.0:9092", "KAFKA_NODE_ID=x"},
			[]string{"log.segment.bytes=1 is out of range", "cannot tell clients to connect to 0.0.0.0", "node.id=x is not an int"}},
	} {
		s, err := Load(input("", c.env...))
		var bad *config.InvalidSettings
		if !errors.As(err, &bad) {
			t.Errorf("%s: error is %v", c.name, err)
			continue
		}
		for _, w := range c.want {
			if !strings.Contains(err.Error(), w) {
				t.Errorf("%s: error lacks %q:\n%v", c.name, w, err)
			}
		}
		if s == nil {
			t.Errorf("%s: nothing to look at", c.name)
		}
	}
}

// What a node is in the cluster, and where it finds the others.
func TestQuorum(t *testing.T) {
	for _, c := range []struct {
		name, want string
		env        []string
	}{
		{"nothing given", "broker true controller true; listens []; voters []; asks []", nil},
		{"one of three", "broker true controller true; listens [CONTROLLER 0.0.0.0:9093 -> a:9093]; voters [{1 a 9093} {2 b 9093} {3 c 9093}]; asks []",
			[]string{"KAFKA_CONTROLLER_QUORUM_VOTERS=1@a:9093,2@b:9093,3@c:9093", "KAFKA_LISTENERS=PLAINTEXT://h:9092,CONTROLLER://0.0.0.0:9093"}},
		{"a broker only", "broker true controller false; listens []; voters [{7 a 9093}]; asks []",
			[]string{"KAFKA_PROCESS_ROLES=broker", "KAFKA_CONTROLLER_QUORUM_VOTERS=7@a:9093"}},
		{"a controller only", "broker false controller true; listens [CONTROLLER h:9093 -> h:9093]; voters [{1 h 9093}]; asks []",
			[]string{"KAFKA_PROCESS_ROLES=controller", "KAFKA_CONTROLLER_QUORUM_VOTERS=1@h:9093", "KAFKA_LISTENERS=CONTROLLER://h:9093"}},
		{"alone, by Kafka's own file", "broker true controller true; listens [CONTROLLER :9093 -> h:9093]; voters []; asks []",
			[]string{"KAFKA_CONTROLLER_QUORUM_BOOTSTRAP_SERVERS=h:9093", "KAFKA_LISTENERS=PLAINTEXT://h:9092,CONTROLLER://:9093", "KAFKA_ADVERTISED_LISTENERS=PLAINTEXT://h:9092,CONTROLLER://h:9093"}},
		{"one who will be added", "broker true controller true; listens [CONTROLLER h:9095 -> h:9095]; voters []; asks [c:9093]",
			[]string{"KAFKA_CONTROLLER_QUORUM_BOOTSTRAP_SERVERS=c:9093", "KAFKA_LISTENERS=PLAINTEXT://h:9092,CONTROLLER://h:9095"}},
	} {
		s, err := Load(input("", c.env...))
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		at := []string{}
		for _, l := range s.Controllers {
			at = append(at, fmt.Sprintf("%s %s -> %s:%d", l.Name, l.Bind, l.AdvertisedHost, l.AdvertisedPort))
		}
		if got := fmt.Sprintf("broker %v controller %v; listens %v; voters %v; asks %v", s.Broker, s.Controller, at, s.Voters, s.Bootstrap); got != c.want {
			t.Errorf("%s:\n got %s\nwant %s", c.name, got, c.want)
		}
	}
}

func TestFileThatCannotBeRead(t *testing.T) {
	if _, err := Load(input("/no/such.properties")); err == nil || !strings.Contains(err.Error(), "read /no/such.properties: file does not exist") {
		t.Errorf("error is %v", err)
	}
	in := input("f.properties")
	in.ReadFile = func(string) ([]byte, error) { return []byte("log.dirs=${env:NOPE}\nx=\\uzzzz"), nil }
	if _, err := Load(in); err == nil || !strings.Contains(err.Error(), "f.properties:2:") {
		t.Errorf("error is %v", err)
	}
	in.ReadFile = func(string) ([]byte, error) { return []byte("log.dirs=${env:NOPE}"), nil }
	if _, err := Load(in); err == nil || !strings.Contains(err.Error(), "f.properties:1: log.dirs: ${env:NOPE} is not set in the environment") {
		t.Errorf("error is %v", err)
	}
	in = input("")
	in.Overrides = []string{"nonsense"}
	if _, err := Load(in); err == nil || !strings.Contains(err.Error(), `--override "nonsense" is not KEY=VALUE`) {
		t.Errorf("error is %v", err)
	}
}

// The default folder depends on the user alone, never on the machine's name.
func TestDefaultDataDir(t *testing.T) {
	for _, c := range []struct {
		env  map[string]string
		want string
	}{
		{map[string]string{"XDG_DATA_HOME": "/x", "HOME": "/h", "HOSTNAME": "box"}, "/x/odradek/data"},
		{map[string]string{"XDG_DATA_HOME": "relative", "HOME": "/h"}, "/h/.local/share/odradek/data"},
		{map[string]string{"LOCALAPPDATA": "/l"}, "/l/odradek/data"},
		{nil, ""},
	} {
		if got := DefaultDataDir(c.env); got != c.want {
			t.Errorf("%v: %s, want %s", c.env, got, c.want)
		}
	}
	in := input("")
	in.Environ = nil
	if _, err := Load(in); err == nil || !strings.Contains(err.Error(), "set log.dirs") {
		t.Errorf("without a home: %v", err)
	}
	in.Environ = []string{"ODRADEK_DATA_DIR=/d"}
	if s, err := Load(in); err != nil || !slices.Equal(s.DataDirs, []string{"/d"}) {
		t.Errorf("%v %v", s.DataDirs, err)
	}
}

func TestDumpHidesSecrets(t *testing.T) {
	s, err := Load(input("", "KAFKA_NUM_PARTITIONS=3", "KAFKA_SSL_KEY_PASSWORD=hush"))
	if err != nil {
		t.Fatal(err)
	}
	if got := s.Dump(); !slices.Equal(got, []string{"num.partitions=3", "ssl.key.password=[hidden]"}) {
		t.Errorf("%v", got)
	}
}

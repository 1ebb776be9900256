package compose

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
)

var noVariables = Source{Lookup: func(string) (string, bool) { return "", false }}

// Variables are replaced as Compose does it.
func TestExpand(t *testing.T) {
	vars := map[string]string{"A": "1", "EMPTY": "", "_x9": "y"}
	lookup := func(n string) (string, bool) { v, ok := vars[n]; return v, ok }
	for text, want := range map[string]string{
		"plain": "plain", "$A-$_x9!": "1-y!", "${A}b": "1b", "$$A": "$A", "${NO}": "", "$NO.": ".",
		"${NO-d}": "d", "${EMPTY-d}": "", "${EMPTY:-d}": "d", "${A:-d}": "1", "${NO:-${EMPTY:-$A}}x": "1x",
		"${A:+w}": "w", "${EMPTY+w}": "w", "${EMPTY:+w}": "", "${NO+w}": "", "${NO:-a:b/c}": "a:b/c",
		"${A?why}": "1", "${NO:?set it}": "error: variable NO: set it", "${EMPTY:?}": "error: variable EMPTY: it is not set",
		"${A": "error: ${ is not closed", "${}": "error: ${} cannot", "${A!}": "error: ${A!} cannot", "5$": "error: a $ stands before no name",
		strings.Repeat("${N:-", 30) + strings.Repeat("}", 30): "error: variables are nested",
	} {
		got, err := expand(text, lookup, 0)
		if err != nil {
			got = "error: " + err.Error()
		}
		if !strings.HasPrefix(got, want) || err == nil && got != want {
			t.Errorf("%s becomes %q, want %q", text, got, want)
		}
	}
}

// What a service says is read in all forms in which it can be written.
func TestParse(t *testing.T) {
	services, err := Parse([]byte(`
x-env: &env {SHARED: 1.0, OVER: base}
x-base: &base
  image: wurstmeister/kafka:2.13-2.8.1
services:
  a:
    <<: *base
    hostname: host-a
    container_name: box
    env_file: [common.env, {path: none.env, required: false}]
    environment:
      <<: *env
      OVER: own
      OCTAL: 0755
      YES: yes
      GIVEN:
      UNSET:
    ports: ["9095:9092", "127.0.0.1:9096:9093/tcp", 9094, "53:53/udp", "8001-8003:7001-7003", {target: 1, published: "2"}]
  b:
    build: .
    command: [bash]
    environment: ["LIST=x=y", GIVEN, UNSET]
    deploy: {replicas: 3}
    profiles: [tools]
`), Source{
		Lookup: func(n string) (string, bool) { return "outside", n == "GIVEN" },
		ReadFile: func(name string) ([]byte, error) {
			if name != "common.env" {
				return nil, errors.New("there is none")
			}
			return []byte("# all\nexport FROM_FILE = 'quoted # not'\nOVER=file\nCUT=a # b\nnonsense\n"), nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"a wurstmeister/kafka:2.13-2.8.1 [CUT=a FROM_FILE=quoted # not GIVEN=outside OCTAL=0755 OVER=own SHARED=1.0 YES=yes] [1:2 7001:8001 7002:8002 7003:8003 9092:9095 9093:9096 9094:9094] [a host-a box] false [] 1",
		"b  [GIVEN=outside LIST=x=y] [] [b] true [tools] 3",
	}
	for i, s := range services {
		var ports []string
		for _, p := range slices.Sorted(maps.Keys(s.Ports)) {
			ports = append(ports, fmt.Sprintf("%d:%d", p, s.Ports[p]))
		}
		if got := fmt.Sprint(s.Name, " ", s.Image, " ", s.Environ(), " ", ports, " ", s.Hosts, " ", s.Command, " ", s.Profiles, " ", s.Replicas); got != want[i] {
			t.Errorf("got  %s\nwant %s", got, want[i])
		}
	}
}

// A file that cannot be understood is refused with what is wrong.
func TestParseRefuses(t *testing.T) {
	for text, want := range map[string]string{
		"":                                       "empty",
		"version: 3":                             "no services",
		"services: [a]":                          "no services",
		"services: {a: {environment: 3}}":        "service a",
		"services: {a: {environment: {K: [1]}}}": "the value of K is no text",
		"services: {a: {extends: {service: b}}}": "extends is not supported",
		"services: {a: {env_file: x}}":           "env_file x cannot be read",
		`services: {a: {ports: ["x:1"]}}`:        `"x" is no number`,
		`services: {a: {ports: ["1-3:1-2"]}}`:    "differ in length",
		`services: {a: {ports: ["3-1:3-1"]}}`:    "ends before it begins",
		`services: {a: {scale: many}}`:           "replicas",
		`services: {a: {image: "${X:?say it}"}}`: "line 1: variable X: say it",
		"a: [":                                   "yaml",
	} {
		if _, err := Parse([]byte(text), noVariables); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
}

// A bomb of anchors does not use up the memory.
func TestBomb(t *testing.T) {
	var b strings.Builder
	b.WriteString("x0: &x0 [a,a,a,a,a,a,a,a,a]\n")
	for i := range 9 {
		fmt.Fprintf(&b, "x%d: &x%d [%s]\n", i+1, i+1, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*x%d,", i), 9), ","))
	}
	b.WriteString("services: {a: {environment: *x9}}\n")
	if _, err := Parse([]byte(b.String()), noVariables); err == nil {
		t.Error("it was taken")
	}
}

// Brokers are told from what only has their image, or their variables.
func TestKind(t *testing.T) {
	env := func(names ...string) map[string]string {
		m := map[string]string{}
		for _, n := range names {
			m[n] = "1"
		}
		return m
	}
	for _, c := range []struct {
		s    Service
		want Kind
	}{
		{Service{Image: "wurstmeister/kafka:2.13-2.8.1"}, Broker},
		{Service{Image: "docker.io/bitnami/kafka@sha256:abc"}, Broker},
		{Service{Image: "confluentinc/cp-kafka:7.5.0", Environment: env("KAFKA_BROKER_ID")}, Broker},
		{Service{Image: "confluentinc/cp-kafka:7.5.0", Command: true}, Other},
		{Service{Image: "wurstmeister/kafka", Command: true, Environment: env("KAFKA_ZOOKEEPER_CONNECT")}, Broker},
		{Service{Image: "registry.local:5000/our-broker", Environment: env("KAFKA_ADVERTISED_LISTENERS")}, Broker},
		{Service{Environment: env("KAFKA_CFG_NODE_ID")}, Broker},
		{Service{Image: "provectuslabs/kafka-ui", Environment: env("KAFKA_CLUSTERS_0_NAME")}, Other},
		{Service{Image: "confluentinc/cp-schema-registry"}, Other},
		{Service{Image: "danielqsj/kafka-exporter", Environment: env("KAFKA_LISTENERS")}, Other},
		{Service{Image: "confluentinc/cp-zookeeper:7.5.0"}, ZooKeeper},
		{Service{Image: "wurstmeister/zookeeper"}, ZooKeeper},
		{Service{Environment: env("ZOOKEEPER_CLIENT_PORT")}, ZooKeeper},
		{Service{Image: "postgres:16"}, Other},
	} {
		if got := c.s.Kind(); got != c.want {
			t.Errorf("%+v is %d, want %d", c.s, got, c.want)
		}
	}
}

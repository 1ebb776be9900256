package compose

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
)

// The files are of the kinds that people have; a node's line is what becomes of it.
var dialects = []struct{ name, file, want, notes string }{
	{"wurstmeister's", `
version: "3.7"
x-env: &env
  KAFKA_ZOOKEEPER_CONNECT: zookeeper:2181
  KAFKA_ADVERTISED_HOST_NAME: ${DOCKER_HOST_IP:-127.0.0.1}
  KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR: 3
services:
  zookeeper: {image: wurstmeister/zookeeper, ports: ["2182:2181"]}
  kafka-1:
    image: wurstmeister/kafka:2.13-2.8.1
    ports: ["9095:9092"]
    environment: {<<: *env, KAFKA_BROKER_ID: 500, KAFKA_ADVERTISED_PORT: 9095, KAFKA_LOG_DIRS: /kafka/logs-500}
  kafka-2:
    image: wurstmeister/kafka:2.13-2.8.1
    ports: ["9096:9092"]
    environment: {<<: *env, KAFKA_BROKER_ID: 501, KAFKA_ADVERTISED_PORT: 9096, KAFKA_LOG_DIRS: "/kafka/a,/kafka/../../b"}
  kafka-3:
    image: wurstmeister/kafka:2.13-2.8.1
    environment: {<<: *env, KAFKA_ADVERTISED_PORT: 9097}
  ui: {image: provectuslabs/kafka-ui}
`, `
kafka-1 500 localhost:9095 [] localhost:19095 localhost:14095: advertised.listeners=PLAINTEXT://localhost:9095 controller.listener.names=CONTROLLER controller.quorum.voters=500@localhost:19095,501@localhost:19096,1@localhost:19097 listeners=PLAINTEXT://localhost:9095,CONTROLLER://localhost:19095 log.dirs=/d/kafka-1/kafka/logs-500 node.id=500 odradek.admin.listener=localhost:14095 offsets.topic.replication.factor=3 process.roles=broker,controller
kafka-2 501 localhost:9096 [] localhost:19096 localhost:14096: advertised.listeners=PLAINTEXT://localhost:9096 controller.listener.names=CONTROLLER controller.quorum.voters=500@localhost:19095,501@localhost:19096,1@localhost:19097 listeners=PLAINTEXT://localhost:9096,CONTROLLER://localhost:19096 log.dirs=/d/kafka-2/kafka/a,/d/kafka-2/b node.id=501 odradek.admin.listener=localhost:14096 offsets.topic.replication.factor=3 process.roles=broker,controller
kafka-3 1 localhost:9097 [] localhost:19097 localhost:14097: advertised.listeners=PLAINTEXT://localhost:9097 controller.listener.names=CONTROLLER controller.quorum.voters=500@localhost:19095,501@localhost:19096,1@localhost:19097 listeners=PLAINTEXT://localhost:9097,CONTROLLER://localhost:19097 log.dirs=/d/kafka-3/data node.id=1 odradek.admin.listener=localhost:14097 offsets.topic.replication.factor=3 process.roles=broker,controller
zookeeper 2181  []  localhost:7182: controller.listener.names=CONTROLLER controller.quorum.voters=500@localhost:19095,501@localhost:19096,1@localhost:19097 log.dirs=/d/zookeeper/data node.id=2181 odradek.admin.listener=localhost:7182 odradek.zookeeper.listener=localhost:2182 process.roles=observer
`, "service ui is no broker and is not run"},
	{"apache/kafka's, with controllers of their own", `
services:
  c:
    image: apache/kafka:4.2.0
    environment:
      KAFKA_NODE_ID: 1
      KAFKA_PROCESS_ROLES: controller
      KAFKA_LISTENERS: CONTROLLER://:9093
      KAFKA_CONTROLLER_LISTENER_NAMES: CONTROLLER
      KAFKA_CONTROLLER_QUORUM_VOTERS: 1@c:9093
  b-1:
    image: apache/kafka:4.2.0
    ports: [29092:9092]
    environment: &b
      KAFKA_NODE_ID: 4
      KAFKA_PROCESS_ROLES: broker
      KAFKA_LISTENERS: 'PLAINTEXT://:19092,PLAINTEXT_HOST://:9092'
      KAFKA_ADVERTISED_LISTENERS: 'PLAINTEXT://b-1:19092,PLAINTEXT_HOST://localhost:29092'
      KAFKA_LISTENER_SECURITY_PROTOCOL_MAP: 'CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,PLAINTEXT_HOST:PLAINTEXT'
      KAFKA_INTER_BROKER_LISTENER_NAME: PLAINTEXT
      KAFKA_CONTROLLER_LISTENER_NAMES: CONTROLLER
      KAFKA_CONTROLLER_QUORUM_VOTERS: 1@c:9093
      CLUSTER_ID: 4L6g3nShT-eMCtK--X86sw
  b-2:
    image: apache/kafka:4.2.0
    ports: [39092:9092]
    environment: {<<: *b, KAFKA_NODE_ID: 5, KAFKA_ADVERTISED_LISTENERS: 'PLAINTEXT://b-2:19092,PLAINTEXT_HOST://localhost:39092'}
`, `
c 1  [] localhost:19094 localhost:14092: controller.listener.names=CONTROLLER controller.quorum.voters=1@localhost:19094 listeners=CONTROLLER://localhost:19094 log.dirs=/d/c/data node.id=1 odradek.admin.listener=localhost:14092 process.roles=controller
b-1 4 localhost:29092 [localhost:19092]  localhost:24092: advertised.listeners=PLAINTEXT://localhost:19092,PLAINTEXT_HOST://localhost:29092 controller.listener.names=CONTROLLER controller.quorum.voters=1@localhost:19094 inter.broker.listener.name=PLAINTEXT listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,PLAINTEXT_HOST:PLAINTEXT listeners=PLAINTEXT://localhost:19092,PLAINTEXT_HOST://localhost:29092 log.dirs=/d/b-1/data node.id=4 odradek.admin.listener=localhost:24092 odradek.cluster.id=4L6g3nShT-eMCtK--X86sw process.roles=broker
b-2 5 localhost:39092 [localhost:19093]  localhost:24093: advertised.listeners=PLAINTEXT://localhost:19093,PLAINTEXT_HOST://localhost:39092 controller.listener.names=CONTROLLER controller.quorum.voters=1@localhost:19094 inter.broker.listener.name=PLAINTEXT listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,PLAINTEXT_HOST:PLAINTEXT listeners=PLAINTEXT://localhost:19093,PLAINTEXT_HOST://localhost:39092 log.dirs=/d/b-2/data node.id=5 odradek.admin.listener=localhost:24093 odradek.cluster.id=4L6g3nShT-eMCtK--X86sw process.roles=broker
`, ""},
	{"Bitnami's", `
services:
  k:
    image: bitnami/kafka:3.7
    ports: ["9092:9092"]
    environment:
      - KAFKA_CFG_NODE_ID=0
      - KAFKA_CFG_PROCESS_ROLES=controller,broker
      - KAFKA_CFG_CONTROLLER_QUORUM_VOTERS=0@k:9093
      - KAFKA_CFG_LISTENERS=PLAINTEXT://:9092,CONTROLLER://:9093
      - KAFKA_CFG_ADVERTISED_LISTENERS=PLAINTEXT://:9092
      - KAFKA_CFG_LISTENER_SECURITY_PROTOCOL_MAP=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT
      - KAFKA_CFG_CONTROLLER_LISTENER_NAMES=CONTROLLER
      - ALLOW_PLAINTEXT_LISTENER=yes
`, `
k 0 localhost:9092 [] localhost:19092 localhost:14092: advertised.listeners=PLAINTEXT://localhost:9092 controller.listener.names=CONTROLLER controller.quorum.voters=0@localhost:19092 listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT listeners=PLAINTEXT://localhost:9092,CONTROLLER://localhost:19092 log.dirs=/d/k/data node.id=0 odradek.admin.listener=localhost:14092 process.roles=broker,controller
`, ""},
	{"Confluent's of ZooKeeper's days", `
services:
  zookeeper: {image: confluentinc/cp-zookeeper:7.3.0, environment: {ZOOKEEPER_CLIENT_PORT: 2181}}
  broker:
    image: confluentinc/cp-kafka:7.3.0
    ports: ["9092:9092"]
    environment:
      KAFKA_BROKER_ID: 1
      KAFKA_ZOOKEEPER_CONNECT: zookeeper:2181
      KAFKA_LISTENER_SECURITY_PROTOCOL_MAP: PLAINTEXT:PLAINTEXT,PLAINTEXT_INTERNAL:PLAINTEXT
      KAFKA_ADVERTISED_LISTENERS: PLAINTEXT://localhost:9092,PLAINTEXT_INTERNAL://broker:29092
  init-kafka: {image: confluentinc/cp-kafka:7.3.0, entrypoint: ["/bin/sh", "-c"], command: "kafka-topics --list"}
`, `
broker 1 localhost:9092 [localhost:29092] localhost:19092 localhost:14092: advertised.listeners=PLAINTEXT://localhost:9092,PLAINTEXT_INTERNAL://localhost:29092 controller.listener.names=CONTROLLER controller.quorum.voters=1@localhost:19092 listener.security.protocol.map=PLAINTEXT:PLAINTEXT,PLAINTEXT_INTERNAL:PLAINTEXT,CONTROLLER:PLAINTEXT listeners=PLAINTEXT://localhost:9092,PLAINTEXT_INTERNAL://localhost:29092,CONTROLLER://localhost:19092 log.dirs=/d/broker/data node.id=1 odradek.admin.listener=localhost:14092 process.roles=broker,controller
zookeeper 2181  []  localhost:7181: controller.listener.names=CONTROLLER controller.quorum.voters=1@localhost:19092 listener.security.protocol.map=PLAINTEXT:PLAINTEXT,PLAINTEXT_INTERNAL:PLAINTEXT,CONTROLLER:PLAINTEXT log.dirs=/d/zookeeper/data node.id=2181 odradek.admin.listener=localhost:7181 odradek.zookeeper.listener=localhost:2181 process.roles=observer
`, "service init-kafka is no broker and is not run"},
}

func TestNodes(t *testing.T) {
	for _, c := range dialects {
		services, err := Parse([]byte(c.file), noVariables)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		nodes, notes, err := Nodes(services, func(name string) string { return "/d/" + name })
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		var lines []string
		for _, n := range nodes {
			lines = append(lines, line(n))
		}
		if got := strings.Join(lines, "\n"); got != strings.TrimSpace(c.want) {
			t.Errorf("%s:\ngot\n%s\nwant\n%s", c.name, got, strings.TrimSpace(c.want))
		}
		if got := strings.Join(notes, "; "); got != c.notes {
			t.Errorf("%s: notes are %s", c.name, got)
		}
	}
}

func line(n Node) string {
	var set []string
	for _, k := range slices.Sorted(maps.Keys(n.Settings)) {
		set = append(set, k+"="+n.Settings[k])
	}
	return fmt.Sprintf("%s %d %s %v %s %s: %s", n.Name, n.ID, n.Kafka, n.Others, n.Controller, n.Admin, strings.Join(set, " "))
}

// A file that cannot be run is refused with the service and the reason.
func TestNodesRefuses(t *testing.T) {
	for text, want := range map[string]string{
		"services: {db: {image: postgres}}": "no service of the file is a Kafka broker",
		"services: {a: {image: kafka, environment: {KAFKA_BROKER_ID: 1}}, b: {image: kafka, environment: {KAFKA_BROKER_ID: 1}}}": "services a and b have the same id, 1",
		"services: {a: {image: kafka, scale: 3}}":                                                        "service a: 3 replicas",
		"services: {a: {image: kafka, environment: {KAFKA_NUM_PARTITIONS: many}}}":                       "service a: KAFKA_NUM_PARTITIONS: num.partitions=many is not an int",
		"services: {a: {image: kafka, environment: {KAFKA_BROKER_ID: 1, HOSTNAME_COMMAND: hostname}}}":   "HOSTNAME_COMMAND is refused",
		"services: {a.b: {image: kafka}, a-b: {image: kafka}}":                                           "called almost the same",
		"services: {a: {image: kafka, environment: {KAFKA_NODE_ID: 1, KAFKA_LISTENERS: 'SSL://:9092'}}}": "service a",
	} {
		services, err := Parse([]byte(text), noVariables)
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := Nodes(services, func(name string) string { return name }); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
}

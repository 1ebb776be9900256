package cluster

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// Program is what the nodes run.
type Program struct {
	Name       string
	settings   []string
	argv       func(*Node) []string
	format     func(*Cluster, *Node) error
	advertised func(*Node) string // what is added to advertised.listeners
}

// Odradek is the given binary.
func Odradek(binary string) Program {
	return Program{
		Name:     "odradek",
		settings: []string{"odradek.admin.listener="},
		argv: func(n *Node) []string {
			return []string{binary, "start", "-o", "json", "--with-parent", "-c", n.Properties}
		},
		format:     func(*Cluster, *Node) error { return nil }, // a node needs none
		advertised: func(*Node) string { return "" },
	}
}

// Command is a program that is told on its command line what its node has, and reads no
// settings.
func Command(name string, argv func(*Node) []string) Program {
	return Program{
		Name: name, argv: argv,
		format:     func(*Cluster, *Node) error { return nil },
		advertised: func(*Node) string { return "" },
	}
}

// Build makes the binary that people run, in a folder, unless $ODRADEK_BINARY names one: it
// must have been built with the tags.
func Build(dir string, tags ...string) (binary string, err error) {
	if binary := os.Getenv("ODRADEK_BINARY"); binary != "" {
		return binary, nil
	}
	binary = filepath.Join(dir, "odradek")
	cmd := exec.Command("go", "build", "-buildvcs=false", "-tags="+strings.Join(tags, ","), "-o", binary, "github.com/odradek/odradek/cmd/odradek")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build: %w\n%s", err, out)
	}
	return binary, nil
}

const kafkaClusterID = "T2RyYWRlay1jb25mb3JtcQ"

// Kafka is Apache Kafka from the jars in libs, each node with a heap of so many megabytes.
// It starts quickly; it is not how Kafka is run where speed counts.
func Kafka(libs string, heap int) Program {
	p := KafkaJVM(libs, "-Xms256m", fmt.Sprintf("-Xmx%dm", heap), "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto")
	p.settings = []string{"log.initial.task.delay.ms=500"}
	return p
}

// KafkaJVM is Apache Kafka from the jars in libs, by a virtual machine with these flags.
func KafkaJVM(libs string, flags ...string) Program {
	classes := filepath.Join(libs, "*")
	return Program{
		Name: "kafka",
		argv: func(n *Node) []string {
			return slices.Concat([]string{"java"}, flags, []string{
				"-Dorg.slf4j.simpleLogger.showDateTime=true", "-Dorg.slf4j.simpleLogger.dateTimeFormat=HH:mm:ss.SSS",
				"-cp", classes, "kafka.Kafka", n.Properties})
		},
		format:     func(c *Cluster, n *Node) error { return formatKafka(classes, c, n) },
		advertised: func(n *Node) string { return ",CONTROLLER://" + n.Controller },
	}
}

// formatKafka writes a node's folder, as Kafka wants it.
func formatKafka(classes string, c *Cluster, n *Node) error {
	args := []string{"-Xmx256m", "-XX:TieredStopAtLevel=1", "-cp", classes, "kafka.tools.StorageTool", "format", "-t", kafkaClusterID, "-c", n.Properties}
	if c.Dynamic {
		var voters []string
		for _, v := range c.All {
			voters = append(voters, fmt.Sprintf("%d@%s:%s", v.ID, v.Controller, kafkaDirectory(v)))
		}
		args = append(args, "--initial-controllers", strings.Join(voters, ","))
	}
	if out, err := exec.Command("java", args...).CombinedOutput(); err != nil {
		return fmt.Errorf("format the folder of node %d: %w\n%s", n.ID, err, out)
	}
	return nil
}

// kafkaDirectory is the id of a node's metadata folder: 16 bytes in base64.
func kafkaDirectory(n *Node) string { return fmt.Sprintf("T2RyYWRlay1kaXIt%04dAA", n.ID) }

// KafkaJars is the folder with Apache Kafka's jars: $KAFKA_LIBS, or what
// conformance/run --install has fetched.
func KafkaJars(root string) (string, error) {
	if _, err := exec.LookPath("java"); err != nil {
		return "", errors.New("there is no java")
	}
	for _, dir := range []string{os.Getenv("KAFKA_LIBS"), filepath.Join(root, "conformance", ".work", "libs")} {
		if jars, _ := filepath.Glob(filepath.Join(dir, "kafka-server-*.jar")); dir != "" && len(jars) > 0 {
			return dir, nil
		}
	}
	return "", errors.New("there are no jars of Apache Kafka: conformance/run --install fetches them, or KAFKA_LIBS names their folder")
}

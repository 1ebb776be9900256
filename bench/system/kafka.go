package system

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/odradek/odradek/bench/load"
	"github.com/odradek/odradek/conformance/cluster"
)

// Flags are those that Kafka's documentation recommends (Operations, Java version), with
// -server as its scripts give it. They are given there for a heap of 6 GB on machines that
// do nothing else; DefaultHeap is what kafka-server-start.sh takes.
var flags = []string{
	"-server", "-XX:MetaspaceSize=96m", "-XX:+UseG1GC", "-XX:MaxGCPauseMillis=20",
	"-XX:InitiatingHeapOccupancyPercent=35", "-XX:G1HeapRegionSize=16M",
	"-XX:MinMetaspaceFreeRatio=50", "-XX:MaxMetaspaceFreeRatio=80", "-XX:+ExplicitGCInvokesConcurrent",
	"-Djava.awt.headless=true",
}

// DefaultHeap is that of a node of Apache Kafka, in megabytes: the size that its start script
// chooses. The 6 GB of its documentation would take a quarter of a machine of 24 GB from the page
// cache, three times over with three nodes, and would make its memory look worse than it must be.
const DefaultHeap = 1024

// Kafka is Apache Kafka, broker and controller in one process, each with a heap of so many
// megabytes.
func Kafka(heap int) (*System, error) {
	s, err := kafka(heap)
	if err != nil {
		return nil, err
	}
	s.Name, s.Title = "kafka", "Apache Kafka"
	s.About += "; a record is acknowledged when it is in the page cache, which is its default"
	return s, nil
}

// KafkaFlush is Apache Kafka that acknowledges a record when it is on the disk. Loads that
// write say something of it.
func KafkaFlush(heap int) (*System, error) {
	s, err := kafka(heap, "log.flush.interval.messages=1")
	if err != nil {
		return nil, err
	}
	s.Name, s.Title = "kafka-flush", "Apache Kafka, flushing"
	s.About += "; log.flush.interval.messages=1: a record is acknowledged when it is on the disk"
	s.does = func(l load.Named) bool {
		switch l.Spec.Kind {
		case load.Produce, load.EndToEnd, load.Txn, load.RawProduce:
			return l.Spec.Partitions <= 10 // a thousand syncs for each pass over the partitions take all day
		}
		return false
	}
	return s, nil
}

func kafka(heap int, more ...string) (*System, error) {
	at, err := root()
	if err != nil {
		return nil, err
	}
	libs, err := cluster.KafkaJars(at)
	if err != nil {
		return nil, err
	}
	if libs, err = filepath.Abs(libs); err != nil {
		return nil, err
	}
	version := "of an unknown version"
	if jars, _ := filepath.Glob(filepath.Join(libs, "kafka-server-4*.jar")); len(jars) == 1 {
		version = strings.TrimSuffix(strings.TrimPrefix(filepath.Base(jars[0]), "kafka-server-"), ".jar")
	}
	size := []string{fmt.Sprintf("-Xms%dm", heap), fmt.Sprintf("-Xmx%dm", heap)}
	return &System{
		Version:  version,
		About:    "broker and controller in one process, " + strings.Join(append(size, flags[1:]...), " "),
		program:  cluster.KafkaJVM(libs, append(size, flags...)...),
		settings: func(nodes int) []string { return append(replicas(nodes), more...) },
	}, nil
}

// Java is the version of the virtual machine, or a word that there is none.
func Java() string {
	out, err := exec.Command("java", "-version").CombinedOutput()
	if err != nil {
		return "none"
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	return lines[min(1, len(lines)-1)] // the second names the build
}

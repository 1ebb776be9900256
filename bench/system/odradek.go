package system

import (
	"fmt"
	"os/exec"
	"strings"

	"github.com/odradek/odradek/conformance/cluster"
)

// Odradek builds the binary that people run, in a folder, from this tree.
func Odradek(bin string) (*System, error) {
	binary, err := cluster.Build(bin)
	if err != nil {
		return nil, err
	}
	return &System{
		Name: "odradek", Title: "Odradek", Version: commit(),
		About:    "with its defaults: a record is acknowledged when it is on the disk (odradek.durability=fsync)",
		program:  cluster.Odradek(binary),
		settings: func(nodes int) []string { return append(replicas(nodes), "odradek.admin.listener=127.0.0.1:0") },
	}, nil
}

// commit names the tree.
func commit() string {
	out, err := exec.Command("git", "rev-parse", "--short=10", "HEAD").Output()
	if err != nil {
		return "of a tree without a history"
	}
	name := strings.TrimSpace(string(out))
	changed, err := exec.Command("git", "status", "--porcelain", "--", ":/internal", ":/cmd", ":/server", ":/go.mod").Output()
	if err != nil || len(changed) > 0 {
		name += ", changed"
	}
	return name
}

// replicas are the settings in which systems of one node and of three differ, and the one that
// keeps the disk from filling up with topics that were deleted: both programs would keep them
// for a minute.
func replicas(nodes int) []string {
	return []string{
		fmt.Sprintf("default.replication.factor=%d", nodes),
		fmt.Sprintf("offsets.topic.replication.factor=%d", nodes),
		fmt.Sprintf("transaction.state.log.replication.factor=%d", nodes),
		fmt.Sprintf("transaction.state.log.min.isr=%d", (nodes+1)/2),
		fmt.Sprintf("min.insync.replicas=%d", (nodes+1)/2),
		"log.segment.delete.delay.ms=1000",
	}
}

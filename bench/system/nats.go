package system

import (
	"fmt"
	"net"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/odradek/odradek/bench/load"
	"github.com/odradek/odradek/conformance/cluster"
)

// likewise are the loads that ask the same of NATS JetStream as of Kafka, by a client of its own:
// it has no batches of a client's making, no partitions of a topic and another protocol.
var likewise = []string{"produce-1k", "produce-100b", "produce-10k", "produce-64-producers", "produce-one-partition", "consume-1k", "endtoend"}

// NATS builds the server and the load of its module, in a folder.
func NATS(bin string) (*System, error) {
	at, err := root()
	if err != nil {
		return nil, err
	}
	home := filepath.Join(at, "bench", "nats")
	const module = "github.com/nats-io/nats-server/v2"
	server, loads := filepath.Join(bin, "nats-server"), filepath.Join(bin, "nats-load")
	for binary, pkg := range map[string]string{server: module, loads: "."} {
		if out, err := exec.Command("go", "build", "-C", home, "-o", binary, pkg).CombinedOutput(); err != nil {
			return nil, fmt.Errorf("build %s: %w\n%s", filepath.Base(binary), err, out)
		}
	}
	version, err := exec.Command("go", "list", "-C", home, "-m", "-f", "{{.Version}}", module).Output()
	if err != nil {
		return nil, err
	}
	return &System{
		Name: "nats", Title: "NATS JetStream", Version: strings.TrimSpace(string(version)), Load: loads,
		About: "a stream for each partition, in files; a message is acknowledged when it is in the page cache, which is its default; Go's client, each message published and acknowledged by itself",
		program: cluster.Command("nats", func(n *cluster.Node) []string {
			host, port, err := net.SplitHostPort(n.Addr)
			if err != nil {
				panic("bug: the address of a node: " + err.Error())
			}
			return []string{server, "-js", "-sd", n.Data, "-a", host, "-p", port}
		}),
		settings: func(int) []string { return nil },
		does:     func(l load.Named) bool { return slices.Contains(likewise, l.Name) },
	}, nil
}

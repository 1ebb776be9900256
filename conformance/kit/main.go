// Command kit runs the matrix: every scenario with every client against Odradek, against
// Apache Kafka, or against both to compare what they answer. It prepares the clients,
// starts and stops the nodes, collects a line of JSON for each scenario, and writes the
// table. It knows no scenario itself; the programs under clients/, java/, node/ and
// python/ do.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/odradek/odradek/conformance/kit/peer"
	"github.com/odradek/odradek/conformance/kit/scenario"
)

// options are what the command line asked for.
type options struct {
	root    string // conformance/
	work    string // conformance/.work
	install bool
	ready   bool // nothing is run
	peer    string
	only    string
	scenes  string
	jobs    int
	write   bool
	binary  string

	at      string // a cluster that somebody else runs: its listeners
	proxies string
	copies  int
	tries   int
	suffix  string
	lines   string // file for a line of JSON a cell
}

func main() {
	var o options
	flag.StringVar(&o.root, "root", "..", "the folder conformance/")
	flag.BoolVar(&o.install, "install", false, "install the clients that are missing")
	flag.BoolVar(&o.ready, "ready", false, "make what the clients need ready, and run nothing")
	flag.StringVar(&o.peer, "peer", "odradek", "odradek, kafka, or both to compare them")
	flag.StringVar(&o.only, "clients", "", "only these clients, by name, with commas")
	flag.StringVar(&o.scenes, "scenarios", "", "only these scenarios, with commas")
	flag.IntVar(&o.jobs, "jobs", 3, "how many clients run at a time")
	flag.BoolVar(&o.write, "write", false, "write RESULTS.md and docs/DIFFERENCES.md")
	flag.StringVar(&o.binary, "odradek", "", "the odradek binary; default: built from the source")
	flag.StringVar(&o.at, "at", "", "nodes that run already, HOST:PORT with commas; --peer is what they are called")
	flag.StringVar(&o.proxies, "proxies", "", "with --at: LISTEN=TARGET for each node's listener whose answers get lost, with commas")
	flag.IntVar(&o.copies, "copies", 1, "how many copies each partition has")
	flag.IntVar(&o.tries, "tries", 1, "how often a scenario is tried until it passes, under a name of its own each time")
	flag.StringVar(&o.suffix, "suffix", "", "what the names of topics and groups end with")
	flag.StringVar(&o.lines, "lines", "", "file to which each result is appended, a line of JSON each")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, o); err != nil {
		fmt.Fprintln(os.Stderr, "conformance:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, o options) error {
	began := time.Now()
	var err error
	if o.root, err = filepath.Abs(o.root); err != nil {
		return err
	}
	o.work = filepath.Join(o.root, ".work")
	if err := os.MkdirAll(filepath.Join(o.work, "bin"), 0o755); err != nil {
		return err
	}
	if err := o.valid(); err != nil {
		return err
	}
	names := []string{o.peer}
	if o.peer == "both" {
		names = []string{"kafka", "odradek"}
	}
	known, err := loadKnown(filepath.Join(o.root, "differences.yaml"))
	if err != nil {
		return err
	}
	clients := prepare(ctx, o)
	if o.ready {
		return lacking(clients)
	}
	all := make(map[string]*outcome)
	for _, name := range names {
		say("== %s (%s)", name, time.Since(began).Round(time.Second))
		if all[name], err = runPeer(ctx, o, name, clients); err != nil {
			return err
		}
		fmt.Println(table(name, clients, all[name].results, o.scenarios()))
	}
	report := newReport(o, clients, all, known)
	fmt.Print(report.differences())
	if o.write {
		if err := report.write(); err != nil {
			return err
		}
	}
	say("took %s", time.Since(began).Round(time.Second))
	return report.verdict()
}

// valid says which of the clients and scenarios that were asked for do not exist.
func (o options) valid() error {
	for _, name := range split(o.only) {
		if !slices.ContainsFunc(order, func(c column) bool { return c.name == name }) {
			return fmt.Errorf("no client is called %q", name)
		}
	}
	for _, name := range split(o.scenes) {
		if !slices.Contains(scenario.Names, name) {
			return fmt.Errorf("no scenario is called %q", name)
		}
	}
	return nil
}

func say(format string, args ...any) { fmt.Printf(format+"\n", args...) }

// startPeer starts a node by its name.
func startPeer(ctx context.Context, o options, name string) (*peer.Peer, error) {
	dir := filepath.Join(o.work, "peer-"+name)
	if o.at != "" {
		return peer.At(name, o.at, o.proxies, dir+"-cluster")
	}
	switch name {
	case "odradek":
		binary := o.binary
		if binary == "" {
			binary = filepath.Join(o.work, "bin", "odradek")
			if err := command(ctx, filepath.Dir(o.root), []string{"CGO_ENABLED=0"}, "go", "build", "-o", binary, "./cmd/odradek"); err != nil {
				return nil, err
			}
		}
		return peer.Odradek(binary, dir)
	case "kafka":
		if reason := needJars(o); reason != "" {
			return nil, errors.New("Apache Kafka cannot be started: " + reason)
		}
		return peer.Kafka(filepath.Join(o.work, "libs"), dir)
	}
	return nil, fmt.Errorf("no peer is called %q: odradek, kafka or both", name)
}

// split takes a list with commas apart.
func split(list string) (parts []string) {
	for part := range strings.SplitSeq(list, ",") {
		if part = strings.TrimSpace(part); part != "" {
			parts = append(parts, part)
		}
	}
	return parts
}

package cli

import (
	"bytes"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/odradek/odradek/internal/cli/local"
	"github.com/rogpeppe/go-internal/testscript"
)

func init() {
	scriptCommands["cluster"] = scriptCluster
	scriptCommands["killnode"] = scriptKillNode
	scriptCommands["bootstrap"] = scriptBootstrap
	scriptCommands["lines"] = scriptLines
	scriptCommands["eventually"] = scriptEventually
}

// cluster FOLDER stops what runs there when the script ends, however it ends.
func scriptCluster(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: cluster FOLDER")
	}
	dir := ts.MkAbs(args[0])
	ts.Defer(func() {
		c, err := local.Look(dir)
		if err != nil {
			ts.Logf("%v", err)
			return
		}
		for _, n := range c.Running() {
			if _, err := c.Down(n.ID, time.Second); err != nil {
				ts.Logf("%v", err)
			}
		}
	})
}

// killnode FOLDER NODE ends a node of the cluster there as kill -9 does.
func scriptKillNode(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: killnode FOLDER NODE")
	}
	c, err := local.Look(ts.MkAbs(args[0]))
	ts.Check(err)
	for _, n := range c.Running() {
		if strconv.Itoa(int(n.ID)) == args[1] {
			p, err := os.FindProcess(n.PID)
			ts.Check(err)
			ts.Check(p.Kill())
			for n.Alive() {
				time.Sleep(time.Millisecond)
			}
			return
		}
	}
	ts.Fatalf("node %s does not run", args[1])
}

// bootstrap FILE makes the addresses in a file, a line each, the cluster that commands ask.
func scriptBootstrap(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: bootstrap FILE")
	}
	ts.Setenv("ODRADEK_BOOTSTRAP_SERVERS", strings.Join(strings.Fields(ts.ReadFile(args[0])), ","))
}

// lines FILE COUNT wants a file, or stdout, to have so many lines.
func scriptLines(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: lines FILE COUNT")
	}
	if n := bytes.Count([]byte(ts.ReadFile(args[0])), []byte("\n")); strconv.Itoa(n) != args[1] {
		ts.Fatalf("%s has %d lines, want %s", args[0], n, args[1])
	}
}

// patience is how long eventually waits before it gives up.
const patience = time.Minute

// eventually exec PROGRAM ARGS... runs a program until it succeeds and prints something.
func scriptEventually(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 || args[0] != "exec" {
		ts.Fatalf("usage: eventually exec PROGRAM ARGS...")
	}
	for end := time.Now().Add(patience); ; time.Sleep(50 * time.Millisecond) {
		if err := ts.Exec(args[1], args[2:]...); err == nil && ts.ReadFile("stdout") != "" {
			return
		}
		if time.Now().After(end) {
			ts.Fatalf("not within %v", patience)
		}
	}
}

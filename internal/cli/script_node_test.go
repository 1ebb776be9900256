package cli

import (
	"bytes"
	"context"

	"github.com/rogpeppe/go-internal/testscript"
)

func init() { scriptCommands["node"] = scriptNode }

// node VARIABLE FOLDER [KEY=VALUE...] starts a node in a process of its own, which stays
// until the script ends, and sets the variable to its address.
func scriptNode(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: node VARIABLE FOLDER [KEY=VALUE...]")
	}
	dir := ts.MkAbs(args[1])
	app := &App{Env: &Env{Name: "odradek", Stdout: new(bytes.Buffer), Stderr: new(bytes.Buffer)}}
	ctx := context.Background()
	address, err := quietAddress(ctx)
	ts.Check(err)
	n, err := app.startChild(ctx, dir, address, args[2:]...)
	ts.Check(err)
	ts.Defer(func() {
		if err := n.stop(); err != nil {
			ts.Logf("%v", err)
		}
	})
	ts.Setenv(args[0], address)
}

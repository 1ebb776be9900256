package cli

import (
	"time"

	"github.com/odradek/odradek/internal/cli/local"
	"github.com/rogpeppe/go-internal/testscript"
)

func init() { scriptCommands["cluster"] = scriptCluster }

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
			if _, err := c.Down(n.ID, 10*time.Second); err != nil {
				ts.Logf("%v", err)
			}
		}
	})
}

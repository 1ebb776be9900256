package cli

import (
	"context"
	"slices"
)

func init() { tools["kafka-server-start"] = serverStartTool }

// serverStartTool is kafka-server-start.sh: server.properties [--override KEY=VALUE]...
func serverStartTool(ctx context.Context, a *App, args []string) error {
	if slices.Contains(args, "-daemon") {
		return usagef("-daemon is not supported: let systemd, a container or nohup run it in the background")
	}
	if len(args) == 0 {
		return usagef("USAGE: %s server.properties [--override property=value]*", a.Name)
	}
	root := a.root()
	root.SetArgs(append([]string{"start"}, args...))
	root.SetIn(a.Stdin)
	root.SetOut(a.Stdout)
	root.SetErr(a.Stderr)
	return root.ExecuteContext(ctx)
}

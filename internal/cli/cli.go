// Package cli is the command line: a file a noun. It knows words, flags and how answers
// are printed; the cluster it meets on the wire, as any client does, and only start, demo
// and log touch a node's own folders. It owns no goroutines beyond a command's.
package cli

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"
)

// Env is what a command may take from the process.
type Env struct {
	Name           string // as it was called; kafka-topics.sh makes it that tool
	Stdin          io.Reader
	Stdout, Stderr io.Writer
	Environ        []string // KEY=value
}

// Getenv returns the value of an environment variable, "" if it is not set.
func (e *Env) Getenv(key string) string {
	for _, kv := range e.Environ {
		if v, ok := strings.CutPrefix(kv, key+"="); ok {
			return v
		}
	}
	return ""
}

// Terminal reports whether w is a terminal, where a person may look.
func Terminal(w any) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// App is one run of the command line.
type App struct {
	*Env
	out  output
	conn connection
	yes  bool
}

// Main runs the command line and returns the exit code.
func Main(ctx context.Context, env Env, args []string) int {
	app := &App{Env: &env}
	if tool, ok := tools[strings.TrimSuffix(filepath.Base(env.Name), ".sh")]; ok {
		return app.report(tool(ctx, app, args))
	}
	root := app.root()
	root.SetArgs(args)
	root.SetIn(env.Stdin)
	root.SetOut(env.Stdout)
	root.SetErr(env.Stderr)
	return app.report(root.ExecuteContext(ctx))
}

// tools are Kafka's own command line tools, by the name under which they are called.
var tools = map[string]func(context.Context, *App, []string) error{}

func (a *App) root() *cobra.Command {
	root := &cobra.Command{
		Use:           "odradek",
		Short:         "The Kafka system in one binary: broker, quorum and command line",
		SilenceErrors: true,
		SilenceUsage:  true,
		Long: `The Kafka system in one binary: broker, quorum and command line.

Data goes to standard output, in the form that -o names; everything else goes to standard
error. The cluster is the one that -b names, else the environment variable
ODRADEK_BOOTSTRAP_SERVERS, else localhost:9092. Exit codes:

  0    done                           5    what was named does not exist
  1    it, or some of it, failed      6    it took too long
  2    the command line is wrong      7    a check found something
  3    no cluster can be reached      130  interrupted
  4    the cluster does not allow it`,
		Args: cobra.ArbitraryArgs,
		RunE: helpOr,
	}
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usage(err) })
	a.out.flags(root.PersistentFlags())
	a.conn.flags(root.PersistentFlags())
	root.PersistentFlags().BoolVarP(&a.yes, "yes", "y", false, "do not ask before something is destroyed")
	root.PersistentPreRunE = func(*cobra.Command, []string) error { return a.out.check() }
	for _, noun := range nouns {
		root.AddCommand(noun(a))
	}
	eachCommand(root, func(c *cobra.Command) {
		if check := c.Args; check != nil {
			c.Args = func(c *cobra.Command, args []string) error { return usage(check(c, args)) }
		}
	})
	return root
}

// eachCommand calls f with c and all commands below it.
func eachCommand(c *cobra.Command, f func(*cobra.Command)) {
	f(c)
	for _, sub := range c.Commands() {
		eachCommand(sub, f)
	}
}

// nouns are the commands, in the order of their files.
var nouns []func(*App) *cobra.Command

// noun makes a command that has only verbs.
func noun(use, short string, verbs ...*cobra.Command) *cobra.Command {
	c := &cobra.Command{Use: use, Short: short, Args: cobra.ArbitraryArgs, RunE: helpOr}
	c.SuggestionsMinimumDistance = 2
	if !strings.HasSuffix(use, "s") {
		c.Aliases = []string{use + "s"}
	}
	for _, v := range verbs {
		v.Aliases = append(v.Aliases, verbAliases[v.Name()]...)
	}
	c.AddCommand(verbs...)
	return c
}

// verbAliases are what people type who come from other tools.
var verbAliases = map[string][]string{
	"list":     {"ls"},
	"describe": {"get"},
	"delete":   {"rm"},
}

// helpOr is what a command does that has only subcommands: it shows them, or says that
// there is none of that name.
func helpOr(c *cobra.Command, args []string) error {
	if len(args) == 0 {
		return c.Help()
	}
	if near := c.SuggestionsFor(args[0]); len(near) > 0 {
		return usagef("%s has no command %q. Did you mean %s?", c.CommandPath(), args[0], strings.Join(near, " or "))
	}
	return usagef("%s has no command %q. See %s --help", c.CommandPath(), args[0], c.CommandPath())
}

// warn tells a person something on stderr.
func (a *App) warn(format string, args ...any) { fmt.Fprintf(a.Stderr, format+"\n", args...) }

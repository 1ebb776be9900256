package cli

import (
	"context"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"testing"

	"github.com/odradek/odradek/server"
	"github.com/rogpeppe/go-internal/testscript"
)

// TestMain lets the scripts run this program under its own name and those of Kafka's
// tools.
func TestMain(m *testing.M) {
	commands := map[string]func(){"odradek": program}
	for name := range tools {
		commands[name] = program
		commands[name+".sh"] = program
	}
	testscript.Main(m, commands)
}

func program() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(Main(ctx, Env{
		Name: os.Args[0], Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr, Environ: os.Environ(),
	}, os.Args[1:]))
}

// Each script in testdata/script shows a part of the command line on a node of its own,
// in memory: $BROKER is its address, and commands find it without being told. UPDATE=1
// rewrites what the scripts expect.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		UpdateScripts:       os.Getenv("UPDATE") != "",
		RequireUniqueNames:  true,
		RequireExplicitExec: true,
		Cmds:                scriptCommands,
		Setup: func(env *testscript.Env) error {
			s, err := server.Start(context.Background(), server.Config{
				Properties: map[string]string{
					"group.initial.rebalance.delay.ms": "0",
					"offsets.topic.num.partitions":     "3",
				},
			})
			if err != nil {
				return err
			}
			env.Defer(func() {
				if err := s.Close(); err != nil {
					t.Errorf("stop the node: %v", err)
				}
			})
			env.Setenv("BROKER", s.Addr())
			env.Setenv("PORT", s.Addr()[strings.LastIndexByte(s.Addr(), ':')+1:])
			env.Setenv("HOME", "/home/nobody")
			env.Setenv("TZ", "UTC")
			env.Setenv("ODRADEK_BOOTSTRAP_SERVERS", s.Addr())
			return nil
		},
	})
}

// Command odradek is the whole of Odradek: broker, quorum and command line.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/odradek/odradek/internal/cli"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(cli.Main(ctx, cli.Env{
		Name: os.Args[0], Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr, Environ: os.Environ(),
	}, os.Args[1:]))
}

//go:build linux

// Command cmd measures what the kernel alone asks of a broker, and prints one line of
// JSON a measurement, each a floor.Result.
//
//	go run ./bench/floor/cmd                                  # the table of the targets
//	go run ./bench/floor/cmd -op produce -batch 65536 -in-flight 8
//	go run ./bench/floor/cmd -op fetch -batch 16384 -in-flight 8 -sendfile
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/signal"

	"github.com/odradek/odradek/bench/floor"
)

func main() {
	var s floor.Spec
	flag.StringVar(&s.Op, "op", "", "produce, fetch or ping; default: the table")
	flag.IntVar(&s.Batch, "batch", 0, "bytes of a batch")
	flag.IntVar(&s.InFlight, "in-flight", 1, "requests without an answer")
	flag.IntVar(&s.Burst, "burst", 1, "requests that one write sends")
	flag.BoolVar(&s.Durable, "durable", false, "one fdatasync before what was read together is answered")
	flag.StringVar(&s.File, "file", floor.Fresh, "fresh or recycled")
	flag.BoolVar(&s.Sendfile, "sendfile", false, "sendfile instead of pread and write")
	flag.StringVar(&s.Socket, "socket", floor.Net, "net or blocking")
	flag.Int64Var(&s.Bytes, "bytes", 0, "how much")
	flag.Int64Var(&s.Requests, "requests", 0, "how many pings")
	flag.StringVar(&s.Dir, "dir", "", "where the file is; default: the folder of temporary files")
	serve := flag.String("serve", "", "be the serving process of a spec in JSON")
	flag.Parse()
	if err := run(s, *serve); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(s floor.Spec, serve string) error {
	if serve != "" {
		if err := json.Unmarshal([]byte(serve), &s); err != nil {
			return err
		}
		return floor.Serve(s, os.Stdin, os.Stdout)
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	specs := []floor.Spec{s}
	if s.Op == "" {
		specs = floor.Table(s)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	for _, s := range specs {
		r, err := floor.Run(ctx, []string{self, "-serve"}, s)
		if err != nil {
			return fmt.Errorf("%s of %d bytes: %w", s.Op, s.Batch, err)
		}
		if err := json.NewEncoder(os.Stdout).Encode(r); err != nil {
			return err
		}
	}
	return nil
}

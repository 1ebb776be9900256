// Command cmd puts one load on a cluster and prints one line of JSON, a load.Result. It
// exits with 1 if the result has errors.
//
//	go run ./bench/load/cmd -load produce-1k -bootstrap localhost:9092
//	go run ./bench/load/cmd -kind endtoend -rate 5000 -seconds 10 -size 200 -bootstrap localhost:9092
//	go run ./bench/load/cmd -list
//
// With -hold, who started it can measure the cluster around what counts: it prints the
// line {"event":"ready"} and waits for a line of input, does the load, prints
// {"event":"ran"}, waits again, and then checks, deletes the topic and prints the result.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"runtime/debug"

	"github.com/odradek/odradek/bench/load"
)

// garbage is how much the heap may grow between collections, in percent: the load shares
// its processors with what it measures, and memory is there.
const garbage = 400

func main() {
	debug.SetGCPercent(garbage)
	var spec load.Spec
	load.Flags(flag.CommandLine, &spec)
	hold := flag.Bool("hold", false, "wait for a line of input before and after the load")
	list := flag.Bool("list", false, "print the loads of the comparison and do nothing")
	flag.Parse()
	out := json.NewEncoder(os.Stdout)
	if *list {
		for _, n := range load.Loads() {
			out.Encode(n)
		}
		return
	}
	if flag.NArg() > 0 {
		fmt.Fprintf(os.Stderr, "what is %q?\n", flag.Args())
		os.Exit(2)
	}
	var hooks load.Hooks
	if *hold {
		in := bufio.NewReader(os.Stdin)
		event := func(name string) func() {
			return func() {
				out.Encode(map[string]string{"event": name})
				in.ReadString('\n')
			}
		}
		hooks = load.Hooks{Ready: event("ready"), Ran: event("ran")}
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	result := load.Run(ctx, spec, hooks)
	stop()
	if out.Encode(result) != nil || len(result.Errors) > 0 {
		os.Exit(1)
	}
}

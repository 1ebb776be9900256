// Command replay runs a test binary that was built for wasip1, again and again in the same
// way: under wazero everything that a process can ask of the world is answered from a seed,
// randomness and the time, and there is one thread. So the Go runtime inside, with its
// order of goroutines, of maps and of ready cases of a select, does the same every time. See
// docs/DETERMINISM.md.
//
//	replay [-seed N] [-cache DIR] [-dir DIR] sim.wasm [arguments of the test binary]
package main

import (
	"context"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"time"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/imports/wasi_snapshot_preview1"
	"github.com/tetratelabs/wazero/sys"
)

func main() {
	seed := flag.Uint64("seed", 1, "what randomness and the first instant come from")
	cache := flag.String("cache", "", "a folder that keeps what was compiled")
	dir := flag.String("dir", "", "a folder that the binary sees as /")
	flag.Parse()
	if flag.NArg() == 0 {
		flag.Usage()
		os.Exit(2)
	}
	code, err := run(context.Background(), *seed, *cache, *dir, flag.Args(), os.Stdout)
	if err != nil {
		fmt.Fprintln(os.Stderr, "replay:", err)
		os.Exit(2)
	}
	os.Exit(code)
}

// run is the binary's whole life, with what it prints to out; it returns its exit code.
func run(ctx context.Context, seed uint64, cache, dir string, args []string, out io.Writer) (int, error) {
	module, err := os.ReadFile(args[0])
	if err != nil {
		return 0, err
	}
	config := wazero.NewRuntimeConfigCompiler()
	if cache != "" {
		kept, err := wazero.NewCompilationCacheWithDir(cache)
		if err != nil {
			return 0, err
		}
		defer kept.Close(ctx)
		config = config.WithCompilationCache(kept)
	}
	runtime := wazero.NewRuntimeWithConfig(ctx, config)
	defer runtime.Close(ctx)
	wasi_snapshot_preview1.MustInstantiate(ctx, runtime)
	code, err := runtime.CompileModule(ctx, module)
	if err != nil {
		return 0, err
	}
	_, err = runtime.InstantiateModule(ctx, code, world(seed, dir, args, out))
	if exit := (*sys.ExitError)(nil); errors.As(err, &exit) {
		return int(exit.ExitCode()), nil
	}
	return 0, err
}

// world is all that the binary can see: its arguments, a folder, what it prints; random
// bytes and a clock that are the seed's.
func world(seed uint64, dir string, args []string, out io.Writer) wazero.ModuleConfig {
	var key [32]byte
	binary.LittleEndian.PutUint64(key[:], seed)
	c := &clock{now: int64(seed % 1e9)}
	config := wazero.NewModuleConfig().
		WithArgs(args...).
		WithStdout(out).WithStderr(os.Stderr).
		WithRandSource(rand.NewChaCha8(key)).
		WithNanotime(c.nano, 1).
		WithWalltime(c.wall, 1).
		WithNanosleep(c.sleep).
		WithEnv("PWD", "/")
	if dir != "" {
		config = config.WithFSConfig(wazero.NewFSConfig().WithDirMount(dir, "/"))
	}
	return config
}

// clock stands still, but that each look at it takes a microsecond, and a sleep what it was
// to take. There is one thread, so nothing guards it.
type clock struct{ now int64 }

func (c *clock) nano() int64 {
	c.now += int64(time.Microsecond)
	return c.now
}

func (c *clock) wall() (int64, int32) {
	const began = 946684800 // as bubbles do
	now := c.nano()
	return began + now/1e9, int32(now % 1e9)
}

func (c *clock) sleep(ns int64) { c.now += ns }

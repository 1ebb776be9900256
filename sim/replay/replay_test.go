package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// A program that prints what the runtime leaves open prints the same for a seed every time,
// and something else for another.
func TestRepeats(t *testing.T) {
	wasm := filepath.Join(t.TempDir(), "toy.wasm")
	build := exec.Command("go", "build", "-o", wasm, "testdata/toy.go")
	build.Env = append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	cache := t.TempDir()
	live := func(seed uint64) string {
		var out bytes.Buffer
		if code, err := run(t.Context(), seed, cache, "", []string{wasm}, &out); code != 0 || err != nil {
			t.Fatal(code, err)
		}
		return out.String()
	}
	one := live(1)
	for range 4 {
		if again := live(1); again != one {
			t.Errorf("seed 1 printed\n%s and then\n%s", one, again)
		}
	}
	if other := live(2); other == one {
		t.Errorf("seeds 1 and 2 both printed\n%s", one)
	}
}

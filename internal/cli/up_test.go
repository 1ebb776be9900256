package cli

import (
	"bytes"
	"context"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// No port is drawn twice.
func TestQuietAddresses(t *testing.T) {
	addrs, err := quietAddresses(t.Context(), 300)
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(addrs)
	if got := len(slices.Compact(addrs)); got != 300 {
		t.Errorf("300 addresses are %d different ones", got)
	}
}

// A new cluster that loses a drawn port to another program gets others.
func TestUpDrawsAgain(t *testing.T) {
	taken := takenAddress(t)
	u, out := drawingUpper(t, func(ctx context.Context, draw, n int) ([]string, error) {
		addrs, err := quietAddresses(ctx, n)
		if draw < 3 {
			addrs[n-1] = taken
		}
		return addrs, err
	})
	err := u.run(t.Context(), true, true)
	defer downAll(t, u)
	if err != nil {
		t.Fatal(err)
	}
	if got := len(u.Running()); got != 2 || !strings.Contains(out.String(), "2 nodes, ready in") {
		t.Errorf("%d nodes run, and it said %s", got, out)
	}
}

// One that loses them again and again says so and leaves nothing.
func TestUpDrawsInVain(t *testing.T) {
	taken, draws := takenAddress(t), 0
	u, _ := drawingUpper(t, func(ctx context.Context, draw, n int) ([]string, error) {
		addrs, err := quietAddresses(ctx, n)
		addrs[0], draws = taken, draw
		return addrs, err
	})
	err := u.run(t.Context(), true, true)
	if err == nil || !strings.Contains(err.Error(), "cannot listen on "+taken) || draws != maxDraws {
		t.Errorf("up after %d draws: %v", draws, err)
	}
	if left, err := os.ReadDir(u.data); len(left) > 0 {
		t.Errorf("left are %v, %v", left, err)
	}
}

// What was there before is not deleted with a cluster that could not be drawn.
func TestUpKeepsWhatItFinds(t *testing.T) {
	taken := takenAddress(t)
	u, _ := drawingUpper(t, func(ctx context.Context, _, n int) ([]string, error) {
		addrs, err := quietAddresses(ctx, n)
		addrs[0] = taken
		return addrs, err
	})
	kept := filepath.Join(u.data, "node-2", "orders-0", "00000000000000000000.log")
	if err := os.MkdirAll(filepath.Dir(kept), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(kept, []byte("records"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := u.run(t.Context(), true, true); err == nil || !strings.Contains(err.Error(), "cannot listen on "+taken) {
		t.Errorf("up: %v", err)
	}
	if text, err := os.ReadFile(kept); string(text) != "records" {
		t.Errorf("left is %q, %v", text, err)
	}
}

func takenAddress(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "localhost:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	return ln.Addr().String()
}

// drawingUpper is for two nodes at addresses that a test draws, the first time as draw 1.
func drawingUpper(t *testing.T, draw func(ctx context.Context, draw, n int) ([]string, error)) (*upper, *bytes.Buffer) {
	out, draws := new(bytes.Buffer), 0
	a := &App{Env: &Env{Name: "odradek", Stdout: out, Stderr: out, Environ: os.Environ()}}
	a.conn.timeout, a.out.format = time.Minute, "text"
	u := &upper{App: a, nodes: 2, data: filepath.Join(t.TempDir(), "c")}
	u.draw = func(ctx context.Context, n int) ([]string, error) {
		draws++
		return draw(ctx, draws, n)
	}
	return u, out
}

func downAll(t *testing.T, u *upper) {
	for _, n := range u.Running() {
		if _, err := u.Down(n.ID, stopPatience); err != nil {
			t.Error(err)
		}
	}
}

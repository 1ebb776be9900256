package measure

import (
	"context"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

func TestQuantileAndMedian(t *testing.T) {
	sample := []float64{4, 1, 3, 2}
	for q, want := range map[float64]float64{0.25: 1, 0.5: 2, 0.99: 4, 1: 4} {
		if got := Quantile(sample, q); got != want {
			t.Errorf("quantile %v: %v, want %v", q, got, want)
		}
	}
	if got := Median(sample); got != 2.5 {
		t.Errorf("median %v", got)
	}
	if got := Median(sample[:3]); got != 3 {
		t.Errorf("median of three %v", got)
	}
	if sample[0] != 4 {
		t.Error("the sample was sorted in place")
	}
}

func TestToolsAreRead(t *testing.T) {
	perf := "8123;;raw_syscalls:sys_enter;2008123;100.00;;\n"
	if n, err := perfCalls([]byte(perf)); n != 8123 || err != nil {
		t.Errorf("perf: %d, %v", n, err)
	}
	if n, err := perfCalls([]byte("<not counted>;;raw_syscalls:sys_enter;0;100.00;;\n")); n != 0 || err != nil {
		t.Errorf("perf that saw nothing: %d, %v", n, err)
	}
	if _, err := perfCalls([]byte("Error: No permission\n")); err == nil {
		t.Error("perf that may not was believed")
	}
	strace := "strace: Process 7 attached with 9 threads\n    calls syscall\n--------- ----------------\n     1000 read\n       24 futex\n--------- ----------------\n     1024 total\n"
	if n, err := straceCalls([]byte(strace)); n != 1024 || err != nil {
		t.Errorf("strace: %d, %v", n, err)
	}
	heap, err := parseHeap(strings.NewReader("# TYPE go_memstats_mallocs_total counter\ngo_memstats_mallocs_total 1.2e+06\ngo_memstats_alloc_bytes_total 5\n"))
	if heap != (Heap{1_200_000, 5}) || err != nil {
		t.Errorf("heap %v, %v", heap, err)
	}
	if _, err := parseHeap(strings.NewReader("up 1\n")); err == nil {
		t.Error("metrics without a heap were believed")
	}
}

// What this process does shows in what is read of it.
func TestUsageOfAProcess(t *testing.T) {
	before, err := Of(os.Getpid())
	if err != nil {
		t.Skipf("SKIPPED: %v", err)
	}
	f, err := os.Create(t.TempDir() + "/f")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for range 100 {
		if _, err := f.Write(make([]byte, 64<<10)); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.Sync(); err != nil {
		t.Fatal(err)
	}
	for after := before; after.CPU() <= before.CPU(); { // a tick is 10 ms of work
		if after, err = Of(os.Getpid()); err != nil {
			t.Fatal(err)
		}
	}
	after, err := Of(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	if used := after.Since(before); used.Write < 100 || used.Read < 1 {
		t.Errorf("after a hundred writes: %+v", used)
	}
	w := NewWatch(time.Millisecond, os.Getpid())
	if seen := w.End(); seen.Peak < 1<<20 || seen.Mean > seen.Peak {
		t.Errorf("this process takes %+v of memory", seen)
	}
	if _, err := Of(os.Getpid(), 1<<30); err == nil {
		t.Error("a process that is not there was measured")
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.Command("sleep", "100")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }()
	if _, err := Quiet(ctx, cmd.Process.Pid); err != nil || ctx.Err() != nil {
		t.Errorf("a process that sleeps is not quiet: %v", err)
	}
}

// The tools count what a process of which that is known does.
func TestCallsAreCounted(t *testing.T) {
	if testing.Short() {
		t.Skip("attaches to a process; left out by -short")
	}
	cmd := exec.Command("sh", "-c", "read x; i=0; while [ $i -lt 500 ]; do echo x; i=$((i+1)); done >/dev/null; read x")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Skipf("SKIPPED: there is no shell: %v", err)
	}
	defer func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }()
	c, err := CountCalls(t.Context(), cmd.Process.Pid)
	if err != nil {
		t.Skipf("SKIPPED: neither perf nor strace counts here: %v", err)
	}
	before, err := Of(cmd.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := in.Write([]byte("\n")); err != nil {
		t.Fatal(err)
	}
	for u := before; u.Since(before).Write < 500; {
		if t.Context().Err() != nil {
			t.Fatal("the shell does not write")
		}
		if u, err = Of(cmd.Process.Pid); err != nil {
			t.Fatal(err)
		}
	}
	n, err := c.End()
	if err != nil || n < 500 || n > 5000 {
		t.Errorf("%s counted %d calls of a process that wrote 500 times (%v)", c.By, n, err)
	}
}

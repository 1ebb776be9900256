// Command stall measures what a disk, and the machine before it, does to whoever waits for it: it
// writes a block past the page cache, makes it durable, and does so again. It prints how long a call
// takes, which calls took longest, and how long one waits who comes at any moment: the latency below
// which no server can promise that a record is on this disk.
//
//	go run ./bench/stall -dir /var/lib -size 16384 -seconds 20
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/odradek/odradek/internal/base/vfs"
)

const fileSize = 64 << 20 // written round and round

// page is what the sizes of direct writes are multiples of.
const page = 4096

func main() {
	dir := flag.String("dir", "", "where to write; default: the folder of temporary files")
	size := flag.Int("size", 16<<10, "bytes of a block")
	seconds := flag.Float64("seconds", 20, "how long")
	flag.Parse()
	calls, err := measure(*dir, *size, time.Duration(*seconds*float64(time.Second)))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Print(report(calls))
}

// measure writes blocks of size bytes for a while, and returns how long each took to be durable.
func measure(dir string, size int, long time.Duration) (calls []time.Duration, err error) {
	if size < page || size > fileSize || fileSize%size != 0 || size%page != 0 {
		return nil, fmt.Errorf("a block of %d bytes: it must be a power of two from %d to %d", size, page, fileSize)
	}
	temp, err := os.CreateTemp(dir, "stall-")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.Remove(temp.Name())) }()
	if err := temp.Close(); err != nil {
		return nil, err
	}
	f, err := vfs.OS.OpenFile(temp.Name(), os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if err := errors.Join(f.Preallocate(fileSize), vfs.Prewrite(f, fileSize), f.Sync()); err != nil {
		return nil, err
	}
	vfs.Direct(f)
	block := make([]byte, size)
	for began, at := time.Now(), int64(0); time.Since(began) < long; at = (at + int64(size)) % fileSize {
		from := time.Now()
		if _, err := f.WriteAt(block, at); err != nil {
			return nil, err
		}
		if err := f.Datasync(); err != nil {
			return nil, err
		}
		calls = append(calls, time.Since(from))
	}
	return calls, nil
}

// report is what is printed of the calls.
func report(calls []time.Duration) string {
	sorted := slices.Sorted(slices.Values(calls))
	if len(sorted) == 0 {
		return "nothing was written\n"
	}
	var b strings.Builder
	at := func(part float64) time.Duration { return sorted[int(part*float64(len(sorted)-1))] }
	fmt.Fprintf(&b, "%d calls: p50 %v, p99 %v, longest", len(sorted), short(at(0.5)), short(at(0.99)))
	for i := len(sorted) - 1; i >= max(0, len(sorted)-8); i-- {
		fmt.Fprintf(&b, " %v", short(sorted[i]))
	}
	b.WriteString("\nwho comes at any moment waits until that moment's call is over:")
	for _, part := range []float64{0.5, 0.95, 0.99, 0.999} {
		fmt.Fprintf(&b, " p%g %v", part*100, short(waits(sorted, part)))
	}
	b.WriteByte('\n')
	return b.String()
}

func short(d time.Duration) time.Duration { return d.Round(10 * time.Microsecond) }

// waits is how long, at most, that part of those wait who come evenly over the time of the calls, each until the
// call that is under way is over. Of a call of length l, l-w of its time is waited for more than w.
func waits(sorted []time.Duration, part float64) time.Duration {
	var all time.Duration
	for _, l := range sorted {
		all += l
	}
	longer := float64(all) * (1 - part) // the time of those who wait longer
	var above time.Duration             // of the calls that are longer than w
	for i := len(sorted) - 1; i >= 0; i-- {
		above += sorted[i]
		n := len(sorted) - i
		w := (float64(above) - longer) / float64(n)
		if i == 0 || w >= float64(sorted[i-1]) {
			return time.Duration(max(0, w))
		}
	}
	return 0
}

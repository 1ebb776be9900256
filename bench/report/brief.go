package report

import (
	"fmt"
	"strings"
)

// Brief is a run in a line, for who waits for it.
func Brief(r Run) string {
	switch {
	case r.Failed != "":
		return "FAILED: " + r.Failed
	case r.Start != nil:
		return fmt.Sprintf("answers after %s, first record after %s, %s of memory", seconds(r.Start.Answers), seconds(r.Start.First), mib(r.Start.Resident))
	case r.Load == nil || r.Cost == nil:
		return "nothing was measured"
	}
	l, c := r.Load, r.Cost
	parts := []string{
		fmt.Sprintf("%.1f MB/s", rate(r, "bytes")/1e6),
		fmt.Sprintf("p50 %s, p99 %s", micros(l.Latency.P50), micros(l.Latency.P99)),
		fmt.Sprintf("%.2f CPU s/GB", c.CPU()/(float64(l.Bytes)/1e9)),
		mib(c.Memory.Peak),
	}
	if l.Requests > 0 {
		parts = append(parts, fmt.Sprintf("%.1f µs a request", c.CPU()/float64(l.Requests)*1e6))
	}
	if r.Calls != nil {
		parts = append(parts, fmt.Sprintf("%.2f system calls a request", float64(r.Calls.Calls)/float64(r.Calls.Requests)))
	}
	return strings.Join(parts, ", ")
}

// OneLine is a text without line breaks, of so many bytes at most.
func OneLine(text string, most int) string {
	text = strings.Join(strings.Fields(text), " ")
	if len(text) > most {
		text = strings.ToValidUTF8(text[:most], "") + " …"
	}
	return text
}

// rate is how much of it there was a second.
func rate(r Run, of string) float64 {
	n := r.Load.Records
	if of == "bytes" {
		n = r.Load.Bytes
	}
	return float64(n) / r.Load.Seconds
}

func seconds(s float64) string {
	if s < 1 {
		return fmt.Sprintf("%.0f ms", s*1000)
	}
	return fmt.Sprintf("%.2f s", s)
}

func micros(us int64) string {
	switch {
	case us < 10_000:
		return fmt.Sprintf("%.2f ms", float64(us)/1000)
	case us < 1_000_000:
		return fmt.Sprintf("%.0f ms", float64(us)/1000)
	}
	return fmt.Sprintf("%.2f s", float64(us)/1e6)
}

func mib(bytes int64) string { return fmt.Sprintf("%.0f MiB", float64(bytes)/(1<<20)) }

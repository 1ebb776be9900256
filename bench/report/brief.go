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
		return fmt.Sprintf("accepts after %s ms, first record after %s ms, %s MiB", number(answers(&r)), number(first(&r)), number(idle(&r)))
	case r.Load == nil || r.Cost == nil:
		return "nothing was measured"
	}
	parts := []string{fmt.Sprintf("p50 %s ms, p99 %s ms", number(p50(&r)), number(p99(&r)))}
	if r.Load.Bytes > 0 {
		parts = append(parts, fmt.Sprintf("%s MB/s, %s CPU s/GB", number(megabytes(&r)), number(perGB(&r))))
	}
	if r.Load.Requests > 0 {
		parts = append(parts, fmt.Sprintf("%s µs CPU a request", number(perRequest(&r))))
	}
	if r.Cost.Memory.Peak > 0 {
		parts = append(parts, number(peak(&r))+" MiB")
	}
	if r.Calls != nil {
		parts = append(parts, number(calls(&r))+" system calls a request")
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

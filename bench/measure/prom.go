package measure

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
)

// Heap is what Go programs have allocated since they were started, added up.
type Heap struct {
	Objects int64 `json:"objects"`
	Bytes   int64 `json:"bytes"`
}

// Since is what was allocated after an earlier look.
func (h Heap) Since(e Heap) Heap { return Heap{h.Objects - e.Objects, h.Bytes - e.Bytes} }

// Less is what was allocated but for n times what o is.
func (h Heap) Less(n int64, o Heap) Heap { return Heap{h.Objects - n*o.Objects, h.Bytes - n*o.Bytes} }

// HeapOf asks the admin listeners of nodes, twice: it returns the first answer, and what asking
// allocates. The difference of the answers of two calls has that in it twice.
func HeapOf(ctx context.Context, admins ...string) (now, asking Heap, err error) {
	var looks [2]Heap
	for i := range looks {
		for _, url := range admins {
			h, err := scrape(ctx, url+"/metrics")
			if err != nil {
				return now, asking, err
			}
			looks[i].Objects += h.Objects
			looks[i].Bytes += h.Bytes
		}
	}
	return looks[0], looks[1].Since(looks[0]), nil
}

func scrape(ctx context.Context, url string) (h Heap, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return h, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return h, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return h, fmt.Errorf("%s: %s", url, resp.Status)
	}
	return parseHeap(resp.Body)
}

// parseHeap reads the two lines of Prometheus's text that matter.
func parseHeap(r io.Reader) (h Heap, err error) {
	fields := map[string]*int64{"go_memstats_mallocs_total": &h.Objects, "go_memstats_alloc_bytes_total": &h.Bytes}
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 1<<20)
	found := 0
	for lines.Scan() {
		name, value, _ := strings.Cut(lines.Text(), " ")
		if at := fields[name]; at != nil {
			v, err := strconv.ParseFloat(value, 64) // 1.2e+06
			if err != nil {
				return h, fmt.Errorf("%s: %w", name, err)
			}
			*at = int64(v)
			found++
		}
	}
	if err := lines.Err(); err != nil {
		return h, err
	}
	if found != len(fields) {
		return h, fmt.Errorf("the metrics have %d of %d lines about the heap", found, len(fields))
	}
	return h, nil
}

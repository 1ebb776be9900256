package report

import (
	"fmt"
	"html"
	"math"
	"strings"
)

// chart is bars in groups, lengths from zero on one axis, each with the range of its rounds.
type chart struct {
	title, unit string
	groups      []group
}

type group struct {
	label string
	bars  []bar
}

type bar struct {
	system string
	at     spread
}

// colours are told apart on white and on black, and by those who see few colours.
var colours = map[string]string{us: "#2f81f7", kafka: "#d29922", flushes: "#a371f7", kernel: "#8b949e", kernel + "-durable": "#57606a", "nats": "#3fb950"}

// Everything is in pixels of the drawing, which scales.
const (
	chartWidth  = 760
	chartLeft   = 190 // of the bars
	chartRight  = 110 // beside them, for figures
	barHeight   = 14
	barGap      = 4
	groupGap    = 14
	chartTop    = 58
	chartBottom = 12
)

// svg draws a chart. Text takes the colour that the reader's page has.
func (c *chart) svg(titles map[string]string) string {
	var longest float64
	height, present := chartTop+chartBottom, []string{}
	for _, g := range c.groups {
		height += len(g.bars)*(barHeight+barGap) + groupGap
		for _, b := range g.bars {
			longest = math.Max(longest, b.at.high)
		}
	}
	var bars strings.Builder
	seen := make(map[string]bool)
	y := chartTop
	for _, g := range c.groups {
		middle := y + len(g.bars)*(barHeight+barGap)/2
		fmt.Fprintf(&bars, "<text x=\"%d\" y=\"%d\" text-anchor=\"end\" dy=\".35em\">%s</text>\n", chartLeft-10, middle, html.EscapeString(g.label))
		for _, b := range g.bars {
			if !seen[b.system] {
				seen[b.system], present = true, append(present, b.system)
			}
			b.draw(&bars, y, longest)
			y += barHeight + barGap
		}
		y += groupGap
	}
	var svg strings.Builder
	fmt.Fprintf(&svg, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" role="img" aria-label="%s">
<style>
text { font: 12px system-ui, sans-serif; fill: #1f2328 }
.title { font-weight: 600; font-size: 14px }
.range, .axis { stroke: #1f2328; stroke-width: 1.2 }
.axis { opacity: .4 }
@media (prefers-color-scheme: dark) { text { fill: #e6edf3 } .range, .axis { stroke: #e6edf3 } }
</style>
<text class="title" x="10" y="20">%s</text>
`, chartWidth, height, chartWidth, height, html.EscapeString(c.title), html.EscapeString(c.title+", "+c.unit))
	x := 10
	for _, system := range present {
		title := titles[system]
		fmt.Fprintf(&svg, "<rect x=\"%d\" y=\"32\" width=\"11\" height=\"11\" rx=\"2\" fill=\"%s\"/><text x=\"%d\" y=\"42\">%s</text>\n", x, colours[system], x+16, html.EscapeString(title))
		x += 40 + 7*len(title)
	}
	fmt.Fprintf(&svg, "<line class=\"axis\" x1=\"%d\" y1=\"%d\" x2=\"%d\" y2=\"%d\"/>\n", chartLeft, chartTop-4, chartLeft, height-chartBottom)
	svg.WriteString(bars.String() + "</svg>\n")
	return svg.String()
}

func (b *bar) draw(out *strings.Builder, y int, longest float64) {
	at := func(v float64) float64 { return chartLeft + v/longest*(chartWidth-chartLeft-chartRight) }
	fmt.Fprintf(out, "<rect x=\"%d\" y=\"%d\" width=\"%.1f\" height=\"%d\" rx=\"2\" fill=\"%s\"/>\n", chartLeft, y, at(b.at.median)-chartLeft, barHeight, colours[b.system])
	middle := float64(y) + barHeight/2
	if low, high := at(b.at.low), at(b.at.high); high-low >= 1 {
		fmt.Fprintf(out, "<path class=\"range\" fill=\"none\" d=\"M%.1f %.1fH%.1fM%.1f %.1fv6M%.1f %.1fv6\"/>\n", low, middle, high, low, middle-3, high, middle-3)
	}
	fmt.Fprintf(out, "<text x=\"%.1f\" y=\"%.1f\" dy=\".35em\">%s</text>\n", at(b.at.high)+6, middle, number(b.at.median))
}

// plots are the drawings of the page, by file name.
func plots(s Shelf) (names []string, files map[string]string) {
	titles := make(map[string]string)
	for _, b := range s {
		for _, system := range b.Systems {
			titles[system.Name] = system.Title
		}
	}
	files = make(map[string]string)
	add := func(name, title, unit string, m metric, loads ...string) {
		c := &chart{title: title, unit: unit}
		for _, l := range loads {
			if g := s.group(l, m); len(g.bars) > 0 {
				c.groups = append(c.groups, g)
			}
		}
		if len(c.groups) > 0 {
			names, files["peers-"+name+".svg"] = append(names, "peers-"+name+".svg"), c.svg(titles)
		}
	}
	add("throughput", "Throughput of a client", "MB/s: more is better", megabytes,
		"produce-1k", "produce-100b", "produce-10k", "produce-64-producers", "produce-one-partition", "txn-100ms", "replicated-1k", "consume-1k")
	add("cpu", "What a GB costs the broker", "CPU seconds: less is better", perGB,
		"raw-produce-16k", "raw-produce-64k", "raw-produce-1m", "raw-fetch-16k", "raw-fetch-64k", "raw-fetch-1m", "produce-1k", "consume-1k")
	add("latency", "End to end, 99th percentile at a fixed rate", "ms: less is better", p99, "endtoend-quarter", "endtoend", "replicated-endtoend")
	add("partitions", "Small batches into many partitions", "records/s: more is better", records,
		"partitions-10", "partitions-1000", "partitions-10000", "raw-partitions-10", "raw-partitions-1000", "raw-partitions-10000")
	add("start", "From the start to the first record", "ms: less is better", first, "start-empty", "start-10000")
	add("memory", "Resident memory, idle and under load", "MiB: less is better", func(r *Run) float64 {
		if r.Start != nil {
			return idle(r)
		}
		return peak(r)
	}, "start-empty", "start-10000", "produce-1k", "idle-5000")
	return names, files
}

// group is a load's bars, of the newest session that has it.
func (s Shelf) group(workload string, m metric) group {
	g := group{label: workload}
	book := s.newestOf(workload)
	if book == nil {
		return g
	}
	for _, system := range book.Systems {
		if at := spreadOf(book.sample(system.Name, workload, m)); at.n > 0 {
			g.bars = append(g.bars, bar{system.Name, at})
		}
	}
	return g
}

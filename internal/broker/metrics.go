package broker

import (
	"context"
	"time"

	"github.com/odradek/odradek/internal/proto/wire"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
)

// Metrics counts what the node does. Names are odradek_*, units seconds and bytes.
// Labels are bounded: an API by its name, a topic, a group; partitions are summed.
type Metrics struct {
	registry    *prometheus.Registry
	connections *prometheus.GaugeVec
	opened      *prometheus.CounterVec
	requests    *prometheus.CounterVec
	failures    *prometheus.CounterVec
	bytesIn     *prometheus.CounterVec
	bytesOut    *prometheus.CounterVec
	seconds     *prometheus.HistogramVec
	panics      prometheus.Counter
	series      series
}

func newMetrics(b *Broker) *Metrics {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: "odradek", Name: name, Help: help}, labels)
	}
	m := &Metrics{
		registry: prometheus.NewRegistry(),
		connections: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Namespace: "odradek", Name: "connections", Help: "Open connections."}, []string{"listener"}),
		opened:   counter("connections_opened_total", "Connections accepted.", "listener"),
		requests: counter("requests_total", "Requests answered.", "api", "version"),
		failures: counter("request_failures_total", "Requests that ended their connection.", "api"),
		bytesIn:  counter("request_bytes_total", "Bytes of requests.", "api"),
		bytesOut: counter("response_bytes_total", "Bytes of answers.", "api"),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Namespace: "odradek", Name: "request_seconds", Help: "Time from the whole request to its answer, by phase.",
			Buckets: prometheus.ExponentialBuckets(0.00005, 4, 10)}, []string{"api", "phase"}),
		panics: prometheus.NewCounter(prometheus.CounterOpts{
			Namespace: "odradek", Name: "request_panics_total", Help: "Requests that met a bug; each closed its connection."}),
	}
	m.registry.MustRegister(m.connections, m.opened, m.requests, m.failures, m.bytesIn, m.bytesOut, m.seconds, m.panics,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), &gauges{b})
	return m
}

func (m *Metrics) ConnOpened(c *wire.Conn) {
	m.connections.WithLabelValues(c.Listener()).Inc()
	m.opened.WithLabelValues(c.Listener()).Inc()
}

func (m *Metrics) ConnClosed(c *wire.Conn, _ error) {
	m.connections.WithLabelValues(c.Listener()).Dec()
}

func (m *Metrics) Panicked(*wire.Conn) { m.panics.Inc() }

// gauges are read when they are asked for.
type gauges struct{ b *Broker }

var (
	descTopics     = desc("topics", "Topics of the cluster.")
	descPartitions = desc("partitions", "Partitions of the cluster.")
	descOffset     = desc("metadata_offset", "Offset of the cluster's log that this node has applied.")
	descLeader     = desc("controller", "1 if this node leads the quorum.")
	descOffline    = desc("offline_log_dirs", "Log folders that cannot be used.")
	descLogBytes   = desc("log_bytes", "Bytes of the logs of a topic on this node.", "topic")
	descLogEnd     = desc("log_end_offset_sum", "Sum of the log end offsets of a topic's partitions led here.", "topic")
	descLag        = desc("group_lag_records", "Records that a group has not yet committed, summed over partitions.", "group", "topic")
)

func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("odradek_"+name, help, labels, nil)
}

// Describe sends the descriptions.
func (g *gauges) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{descTopics, descPartitions, descOffset, descLeader, descOffline, descLogBytes, descLogEnd, descLag} {
		out <- d
	}
	for _, d := range descsCoord {
		out <- d
	}
}

// Collect reads the rooms.
func (g *gauges) Collect(out chan<- prometheus.Metric) {
	image := g.b.feed.Image()
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		send(out, d, prometheus.GaugeValue, v, labels...)
	}
	gauge(descTopics, float64(image.TopicCount()))
	gauge(descPartitions, float64(image.PartitionCount()))
	gauge(descOffset, float64(image.Offset))
	select {
	case <-g.b.ready:
	default:
		return // the rooms are not there yet
	}
	st := g.b.status()
	leader := 0.0
	if st.Leader == st.Node {
		leader = 1
	}
	gauge(descLeader, leader)
	if !g.b.cfg.Broker {
		return
	}
	gauge(descOffline, float64(g.b.host.OfflineDirs()))
	for topic, u := range g.b.host.Usage() {
		gauge(descLogBytes, float64(u.Bytes), topic)
		gauge(descLogEnd, float64(u.EndSum), topic)
	}
	g.collectCoord(out)
	ctx, cancel := context.WithTimeout(context.Background(), lagPatience)
	defer cancel()
	for _, l := range g.b.lags(ctx) {
		gauge(descLag, float64(l.records), l.group, l.topic)
	}
}

// lagPatience is how long a scrape waits for commits of groups to be replicated, all of
// them together: while they are not, lags are left out and the rest is told.
const lagPatience = 2 * time.Second

// send tells a value. A label that is not UTF-8, as a client may name its group, has no
// place in a scrape.
func send(out chan<- prometheus.Metric, d *prometheus.Desc, t prometheus.ValueType, v float64, labels ...string) {
	if m, err := prometheus.NewConstMetric(d, t, v, labels...); err == nil {
		out <- m
	}
}

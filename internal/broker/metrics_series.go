package broker

import (
	"strconv"
	"sync/atomic"

	"github.com/odradek/odradek/internal/proto/wire"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// series are the counters of requests by key and version. A look-up by label hashes
// strings and takes locks, and a request needs seven: so each is made once and kept where
// an index finds it. Two goroutines that make the same one get the same from the vector.
type series [kmsg.MaxKey + 1]atomic.Pointer[apiSeries]

// apiSeries are those of one API.
type apiSeries struct {
	bytesIn, bytesOut, failures prometheus.Counter
	serve, wait, write          prometheus.Observer
	requests                    [maxVersions]atomic.Pointer[prometheus.Counter]
}

// maxVersions is more than any API has.
const maxVersions = 32

// RequestDone counts a request. It allocates nothing, but for the first of its kind.
func (m *Metrics) RequestDone(_ *wire.Conn, d wire.Done) {
	a := m.of(d.Key)
	a.bytesIn.Add(float64(d.BytesIn))
	if d.Err != nil {
		a.failures.Inc()
		return
	}
	m.answered(a, d.Key, d.Version).Inc()
	a.bytesOut.Add(float64(d.BytesOut))
	a.serve.Observe(d.Serve.Seconds())
	a.wait.Observe(d.Wait.Seconds())
	a.write.Observe(d.Write.Seconds())
}

func (m *Metrics) of(key int16) *apiSeries {
	known := key >= 0 && int(key) < len(m.series)
	if known {
		if a := m.series[key].Load(); a != nil {
			return a
		}
	}
	api := kmsg.NameForKey(key)
	a := &apiSeries{
		bytesIn: m.bytesIn.WithLabelValues(api), bytesOut: m.bytesOut.WithLabelValues(api), failures: m.failures.WithLabelValues(api),
		serve: m.seconds.WithLabelValues(api, "serve"), wait: m.seconds.WithLabelValues(api, "wait"), write: m.seconds.WithLabelValues(api, "write"),
	}
	if known {
		m.series[key].Store(a)
	}
	return a
}

// answered counts by version. Only versions that are served are answered, so that the
// label is bounded; one that the array has no place for is looked up.
func (m *Metrics) answered(a *apiSeries, key, version int16) prometheus.Counter {
	known := version >= 0 && version < maxVersions
	if known {
		if c := a.requests[version].Load(); c != nil {
			return *c
		}
	}
	c := m.requests.WithLabelValues(kmsg.NameForKey(key), strconv.Itoa(int(version)))
	if known {
		a.requests[version].Store(&c)
	}
	return c
}

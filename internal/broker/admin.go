package broker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/pprof"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// ServeAdmin answers metrics, health and profiles over HTTP until ctx ends:
//
//	/metrics        Prometheus
//	/livez          200 while the process answers
//	/readyz         200 while clients are served, 503 else; ?verbose says why
//	/debug/pprof/   profiles
func (b *Broker) ServeAdmin(ctx context.Context, ln net.Listener) error {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(b.metrics.registry, promhttp.HandlerOpts{EnableOpenMetrics: true}))
	mux.HandleFunc("GET /livez", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	mux.HandleFunc("GET /readyz", b.readyz)
	mux.HandleFunc("GET /debug/pprof/", pprof.Index)
	mux.HandleFunc("GET /debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	srv := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute}
	stop := context.AfterFunc(ctx, func() { srv.Close() })
	defer stop()
	if err := srv.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("admin listener: %w", err)
	}
	return nil
}

// check is one thing that must be well for clients to be served.
type check struct {
	Name string `json:"name"`
	OK   bool   `json:"ok"`
	Note string `json:"note,omitempty"`
}

func (b *Broker) checks() []check {
	select {
	case <-b.ready:
	default:
		return []check{{Name: "started", Note: "the node is starting"}}
	}
	list := []check{{Name: "started", OK: true}}
	st := b.status()
	list = append(list, check{Name: "quorum", OK: st.Leader >= 0, Note: fmt.Sprintf("leader %d, term %d", st.Leader, st.Term)})
	if !b.cfg.Broker {
		return list
	}
	off := b.host.OfflineDirs()
	list = append(list, check{Name: "log dirs", OK: off == 0, Note: fmt.Sprintf("%d offline", off)})
	me, ok := b.feed.Image().Broker(b.cfg.NodeID)
	return append(list, check{Name: "registered", OK: ok && !me.Fenced})
}

func (b *Broker) readyz(w http.ResponseWriter, r *http.Request) {
	checks, status := b.checks(), http.StatusOK
	for _, c := range checks {
		if !c.OK {
			status = http.StatusServiceUnavailable
		}
	}
	if !r.URL.Query().Has("verbose") {
		w.WriteHeader(status)
		fmt.Fprintln(w, http.StatusText(status))
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(map[string]any{"ready": status == http.StatusOK, "checks": checks})
}

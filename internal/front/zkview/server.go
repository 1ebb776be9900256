package zkview

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/odradek/odradek/internal/cluster/metadata"
)

// Server answers ZooKeeper clients. Safe for concurrent use.
type Server struct {
	feed        *metadata.Feed
	release     string
	log         *slog.Logger
	nextSession atomic.Int64
	sessions    atomic.Int64
}

// maxSessions bounds the connections, as they come from anybody who reaches the port.
const maxSessions = 1000

// New returns a server of a feed's images. release is told to those who ask what runs
// here; a nil log discards.
func New(feed *metadata.Feed, release string, log *slog.Logger) *Server {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &Server{feed: feed, release: release, log: log}
}

// Serve accepts connections until ctx ends, then closes the listener and all of them. It
// returns nil then, or the listener's error.
func (s *Server) Serve(ctx context.Context, ln net.Listener) error {
	stop := context.AfterFunc(ctx, func() { ln.Close() })
	defer stop()
	defer ln.Close()
	var wg sync.WaitGroup
	defer wg.Wait()
	for {
		conn, err := ln.Accept()
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			var t interface{ Temporary() bool }
			if errors.As(err, &t) && t.Temporary() { // such as a lack of descriptors
				pause(ctx, 100*time.Millisecond)
				continue
			}
			return fmt.Errorf("zookeeper listener: %w", err)
		}
		if s.sessions.Load() >= maxSessions {
			conn.Close()
			continue
		}
		s.sessions.Add(1)
		wg.Go(func() {
			defer s.sessions.Add(-1)
			c := &session{server: s, conn: conn, watches: newWatches(), seen: s.feed.Image(), more: make(chan struct{}, 1)}
			if err := c.run(ctx); err != nil && ctx.Err() == nil {
				s.log.Debug("zookeeper connection ended", "remote", conn.RemoteAddr(), "error", err)
			}
		})
	}
}

func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// words are ZooKeeper's four letter words, which scripts send instead of a request.
var words = map[string]func(*Server) string{
	"ruok": func(*Server) string { return "imok" },
	"isro": func(*Server) string { return "rw" },
	"srvr": (*Server).srvr,
	"stat": (*Server).srvr,
	"mntr": (*Server).mntr,
	"envi": func(s *Server) string { return "Environment:\nzookeeper.version=3.9.0-odradek-" + s.release + "\n" },
}

func (s *Server) srvr() string {
	m := s.feed.Image()
	return fmt.Sprintf("Zookeeper version: 3.9.0-odradek-%s\nLatency min/avg/max: 0/0/0\nReceived: 0\nSent: 0\nConnections: %d\nOutstanding: 0\nZxid: 0x%x\nMode: standalone\nNode count: %d\n",
		s.release, s.sessions.Load(), m.Offset, nodes(m))
}

func (s *Server) mntr() string {
	m := s.feed.Image()
	var b strings.Builder
	for _, kv := range [][2]any{
		{"zk_version", "3.9.0-odradek-" + s.release}, {"zk_server_state", "standalone"},
		{"zk_num_alive_connections", s.sessions.Load()}, {"zk_znode_count", nodes(m)}, {"zk_outstanding_requests", 0},
	} {
		fmt.Fprintf(&b, "%s\t%v\n", kv[0], kv[1])
	}
	return b.String()
}

func nodes(m *metadata.Image) int { return descendants(m, "/", look(m, "/")) + 1 }

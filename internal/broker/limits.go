package broker

import (
	"context"
	"math"
	"net"
	"net/netip"
	"time"

	"github.com/odradek/odradek/internal/base/vfs"
	"github.com/odradek/odradek/internal/cluster/config"
	"github.com/odradek/odradek/internal/proto/wire"
)

// limits are what the line keeps its connections to.
func (b *Broker) limits(ctx context.Context, v config.Values) wire.Limits {
	return wire.Limits{
		MaxFrame:      config.SocketRequestMaxBytes.Get(v),
		MaxConns:      mostConns(unlimited(config.MaxConnections.Get(v)), vfs.Descriptors()),
		MaxConnsPerIP: most(config.MaxConnectionsPerIP.Get(v)),
		ConnsPerIP:    b.perIP(ctx, config.MaxConnectionsPerIPOverrides.Get(v)),
		MaxIdle:       time.Duration(config.ConnectionsMaxIdleMs.Get(v)) * time.Millisecond,
	}
}

// mostConns leaves a part of the process's file descriptors to the logs, however many
// clients come: a quarter, at least 64, at most half. 0 is no limit.
func mostConns(asked, descriptors int) int {
	if descriptors == 0 {
		return asked
	}
	most := max(1, descriptors-min(max(descriptors/4, 64), descriptors/2))
	if asked == 0 {
		return most
	}
	return min(asked, most)
}

// perIP reads HOST:COUNT pairs. A name stands for all of its addresses, as they are now.
// A text that came by a request may be wrong, and a name may be gone: that must not keep
// a node from starting.
func (b *Broker) perIP(ctx context.Context, text string) map[string]int {
	counts, err := config.ParseHostCounts(text)
	if err != nil {
		b.cfg.Log.Error("max.connections.per.ip.overrides is left out", "error", err)
	}
	perIP := make(map[string]int, len(counts))
	for _, c := range counts {
		addresses := []string{c.Host}
		if _, err := netip.ParseAddr(c.Host); err != nil {
			if addresses, err = b.cfg.LookupHost(ctx, c.Host); err != nil {
				b.cfg.Log.Error("a host of max.connections.per.ip.overrides is left out", "host", c.Host, "error", err)
			}
		}
		for _, a := range addresses {
			perIP[plain(a)] = most(c.Count)
		}
	}
	return perIP
}

// plain is an address as a connection's remote end writes it.
func plain(address string) string {
	if a, err := netip.ParseAddr(address); err == nil {
		return a.Unmap().String()
	}
	return address
}

// unlimited turns Kafka's greatest number into the line's word for no limit.
func unlimited(n int) int {
	if n == math.MaxInt32 {
		return 0
	}
	return n
}

// most does so where Kafka's 0 lets nobody in: the line's word for that is -1.
func most(n int) int {
	if n == 0 {
		return -1
	}
	return unlimited(n)
}

func lookupHost(ctx context.Context, host string) ([]string, error) {
	return net.DefaultResolver.LookupHost(ctx, host)
}

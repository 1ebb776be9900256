package cli

import (
	"context"
	"crypto/rand"
	"net"

	"github.com/odradek/odradek/internal/base/vfs"
	"github.com/odradek/odradek/internal/broker"
	"github.com/odradek/odradek/internal/broker/settings"
)

// nodeConfig is the node that the settings describe, on this machine's own disk, network
// and randomness.
func nodeConfig(set *settings.Settings) broker.Config {
	cfg := broker.Config{
		NodeID: set.NodeID, ClusterID: set.ClusterID, Rack: set.Rack,
		LogDirs: set.DataDirs, MetadataDir: set.MetadataDir,
		Static: set.StaticMap(), CreateTopics: set.CreateTopics,
		FS: vfs.OS, Listen: listenTCP, Random: func(p []byte) { rand.Read(p) },
	}
	for _, l := range set.Listeners {
		cfg.Listeners = append(cfg.Listeners, broker.Listener{
			Name: l.Name, Protocol: int16(l.Protocol), Bind: l.Bind,
			AdvertisedHost: l.AdvertisedHost, AdvertisedPort: int32(l.AdvertisedPort),
		})
	}
	return cfg
}

func listenTCP(ctx context.Context, address string) (net.Listener, error) {
	return new(net.ListenConfig).Listen(ctx, "tcp", address)
}

package cli

import (
	"context"
	"crypto/rand"
	"net"
	"strconv"

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
		FS: vfs.OS, Listen: listenTCP, Dial: new(net.Dialer).DialContext, Random: func(p []byte) { rand.Read(p) }, Clock: hour,
		Broker: set.Broker, Controller: set.Controller, Observer: set.Observer, Listeners: listeners(set.Listeners), InterBroker: set.InterBroker,
		Controllers: listeners(set.Controllers), Bootstrap: set.Bootstrap, ZooKeeper: set.ZooKeeper, Release: Version,
	}
	for _, v := range set.Voters {
		if cfg.Voters == nil {
			cfg.Voters = make(map[int32]string)
		}
		cfg.Voters[v.ID] = net.JoinHostPort(v.Host, strconv.Itoa(v.Port))
	}
	return cfg
}

func listeners(list []settings.Listener) (ls []broker.Listener) {
	for _, l := range list {
		ls = append(ls, broker.Listener{
			Name: l.Name, Protocol: int16(l.Protocol), Bind: l.Bind,
			AdvertisedHost: l.AdvertisedHost, AdvertisedPort: int32(l.AdvertisedPort),
		})
	}
	return ls
}

func listenTCP(ctx context.Context, address string) (net.Listener, error) {
	return new(net.ListenConfig).Listen(ctx, "tcp", address)
}

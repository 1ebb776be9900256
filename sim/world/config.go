package world

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"time"

	"github.com/odradek/odradek/internal/broker"
)

// config is what the node's process is made of: the doors lead into the world.
func (n *Node) config() broker.Config {
	cfg := broker.Config{
		NodeID: n.ID, LogDirs: n.Dirs(), FS: n.FS(),
		Broker: n.serves, Controller: n.votes, Voters: n.voters,
		Listen: func(_ context.Context, a string) (net.Listener, error) { return n.w.net.Listen("tcp", a) },
		Dial:   n.w.net.Host(n.Host()).Dial,
		Random: random(n.w.draw()),
		Clock:  func(t time.Time) int64 { return t.Add(time.Duration(n.skew.Load())).UnixMilli() },
		Phase:  time.Duration(n.ID) * 7 * time.Millisecond,
		Static: n.static, FirstEpoch: n.w.shape.FirstEpoch,
		Log: slog.New(slog.NewTextHandler(n.w.t.Output(), &slog.HandlerOptions{Level: slog.LevelInfo, ReplaceAttr: noTime})).With("on", n.ID),
	}
	if cfg.Broker {
		cfg.Listeners = []broker.Listener{{Name: "PLAINTEXT", Bind: kafkaAddress(n.ID)}}
	}
	if cfg.Controller {
		cfg.Controllers = []broker.Listener{{Name: "CONTROLLER", Bind: controllerAddress(n.ID)}}
	}
	return cfg
}

// Dirs are the folders of the node's logs.
func (n *Node) Dirs() []string {
	dirs := []string{"/data"}
	for i := 1; i < n.w.shape.Dirs; i++ {
		dirs = append(dirs, fmt.Sprint("/data-", i+1))
	}
	return dirs
}

// noTime prints how long a bubble has lived instead of the time.
func noTime(_ []string, a slog.Attr) slog.Attr {
	if a.Key == slog.TimeKey {
		a.Value = slog.DurationValue(a.Value.Time().Sub(time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)))
	}
	return a
}

package broker

import (
	"context"
	"fmt"

	"github.com/odradek/odradek/internal/base/run"
	"github.com/odradek/odradek/internal/cluster/controller"
	"github.com/odradek/odradek/internal/cluster/member"
	"github.com/odradek/odradek/internal/cluster/metadata"
	"github.com/odradek/odradek/internal/cluster/peers"
	"github.com/odradek/odradek/internal/front/api"
	"github.com/odradek/odradek/internal/proto/link"
)

// openControllers makes the desk that answers for the controller, whether a request comes
// from this node, from another one in an envelope, or from a tool that asks controllers;
// and opens the listeners of the last two.
func (b *Broker) openControllers(ctx context.Context, g *run.Group) error {
	desk, err := api.New(b.controllersConfig())
	if err != nil {
		return err
	}
	b.peers.SetAnswer(func(ctx context.Context, e peers.Envelope) ([]byte, error) {
		return desk.Answer(ctx, api.Envelope(e))
	})
	server := b.wireServer(ctx, desk)
	for _, l := range b.cfg.Controllers {
		ln, err := b.cfg.Listen(ctx, l.Bind)
		if err != nil {
			return fmt.Errorf("controller listener %s on %s: %w", l.Name, l.Bind, err)
		}
		b.controllers = append(b.controllers, opened{Listener: l, ln: ln})
		links, kafka := link.Split(ln)
		g.Go("links "+l.Name, func(ctx context.Context) error { return b.peers.Listen(ctx, links) })
		g.Go("listener "+l.Name, func(ctx context.Context) error { return server.Serve(ctx, kafka, l.Name) })
	}
	return nil
}

// controllersConfig is that of a desk without partitions and groups.
func (b *Broker) controllersConfig() api.Config {
	c := api.Config{
		NodeID: b.cfg.NodeID, Feed: b.feed, Controller: b.control, Quorum: b.quorum.Status,
		Leading: b.control.Leading, Forward: b.forward, Ask: b.peers.Ask,
		Settings: b.settings.Values, Static: b.cfg.Static, Features: controller.Features,
		Random: b.randomBelow, Log: b.cfg.Log, LogLevel: b.cfg.Level, OnlyControllers: true,
	}
	for _, l := range b.cfg.Controllers {
		c.ControllerListeners = append(c.ControllerListeners, l.Name)
	}
	return c
}

// registerController tells the cluster where this node of the quorum is reached, and by
// which folder it votes; again when the cluster knows it otherwise.
func (b *Broker) registerController(ctx context.Context) error {
	own := metadata.Controller{ID: b.cfg.NodeID, Incarnation: b.incarnation, Directory: b.directory, Features: controller.Features}
	for _, o := range b.controllers {
		e, err := o.endpoint()
		if err != nil {
			return err
		}
		own.Endpoints = append(own.Endpoints, e)
	}
	image := b.feed.Image()
	for {
		c, ok := image.Controller(b.cfg.NodeID)
		if !ok || c.Incarnation != b.incarnation || c.Directory != b.directory {
			if err := member.RegisterController(ctx, b.peers.Ask, own); err != nil && ctx.Err() == nil {
				b.cfg.Log.Warn("the node is not registered with the quorum", "err", err)
			}
		}
		next, _, err := b.feed.Next(ctx, image)
		if err != nil {
			return nil // the context has ended
		}
		image = next
	}
}

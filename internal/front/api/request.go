package api

import (
	"context"
	"fmt"
	"slices"

	"github.com/odradek/odradek/internal/cluster/metadata"
	"github.com/odradek/odradek/internal/proto/wire"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Request is what a handler may know of who asks and when, beside the message.
type Request struct {
	Version  int16
	ClientID string
	Conn     *wire.Conn
	Listener string          // endpoints are answered as this listener tells them
	Image    *metadata.Image // the cluster when the handler began; look at no other
}

// A handler answers a request on its connection's writer, in the order of arrival,
// and may wait. An error ends the connection: what a client may be told stands in
// the response.
type handler func(s *Server, ctx context.Context, r *Request, msg kmsg.Request) (kmsg.Response, error)

// on makes a handler of a method that knows its message.
func on[M kmsg.Request](f func(*Server, context.Context, *Request, M) (kmsg.Response, error)) handler {
	return func(s *Server, ctx context.Context, r *Request, msg kmsg.Request) (kmsg.Response, error) {
		return f(s, ctx, r, msg.(M))
	}
}

// decode reads the message of a request, which the line has checked against its schema,
// gives its frame back and leaves the rest for the writer.
func (s *Server) decode(a *API, c *wire.Conn, r *wire.Request) wire.Pending {
	body := r.Body
	if a.keeps {
		body = slices.Clone(body)
	}
	msg := kmsg.RequestForKey(r.Key)
	msg.SetVersion(r.Version)
	if err := msg.ReadFrom(body); err != nil {
		return refuse(fmt.Errorf("%s version %d: %w", a.Name(), r.Version, err))
	}
	r.Release()
	req := &Request{Version: r.Version, Conn: c, Listener: c.Listener()}
	if r.ClientID != nil {
		req.ClientID = *r.ClientID
	}
	if a.quick {
		reply, err := s.answer(context.Background(), a, req, msg)
		if err != nil {
			return refuse(err)
		}
		return r.Ready(reply)
	}
	return func(ctx context.Context) (wire.Reply, error) { return s.answer(ctx, a, req, msg) }
}

func (s *Server) answer(ctx context.Context, a *API, r *Request, msg kmsg.Request) (wire.Reply, error) {
	r.Image = s.cfg.Feed.Image()
	resp, err := a.handle(s, ctx, r, msg)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", a.Name(), err)
	}
	resp.SetVersion(r.Version)
	return wire.Message(resp), nil
}

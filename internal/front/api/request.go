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
	Conn     *wire.Conn // nil if another node has passed the request on
	Listener string     // endpoints are answered as this listener tells them
	// Principal is who asks.
	Principal string
	Image     *metadata.Image // the cluster when the handler began; look at no other
	// PassedOn says that another node had the request first and has seen to what is a
	// node's own business.
	PassedOn bool
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

// requestOf is a request as its handler sees it. It keeps nothing of the frame.
func requestOf(c *wire.Conn, r *wire.Request) *Request {
	req := &Request{Version: r.Version, Conn: c, Listener: c.Listener(), Principal: c.Principal()}
	if r.ClientID != nil {
		req.ClientID = *r.ClientID
	}
	return req
}

// read decodes a body that was checked against its schema.
func (a *API) read(version int16, body []byte) (kmsg.Request, error) {
	if a.keeps {
		body = slices.Clone(body)
	}
	msg := kmsg.RequestForKey(a.Key)
	msg.SetVersion(version)
	if err := msg.ReadFrom(body); err != nil {
		return nil, fmt.Errorf("%s version %d: %w", a.Name(), version, err)
	}
	return msg, nil
}

// decode reads the message of a request, gives its frame back and leaves the rest for the
// writer.
func (s *Server) decode(a *API, c *wire.Conn, r *wire.Request) wire.Pending {
	msg, err := a.read(r.Version, r.Body)
	if err != nil {
		return refuse(err)
	}
	if a.to == toController {
		return s.controlled(a, c, r, msg)
	}
	req := requestOf(c, r)
	r.Release()
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
	resp, err := s.respond(ctx, a, r, msg)
	if err != nil {
		return nil, err
	}
	return wire.Message(resp), nil
}

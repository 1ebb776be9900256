package api

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/odradek/odradek/internal/proto/model"
	"github.com/odradek/odradek/internal/proto/wire"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Envelope is a request that one node passes on to the controller, and who had asked it.
type Envelope struct {
	Key, Version int16
	ClientID     *string
	Listener     string
	Principal    string
	Body         []byte // without the header
}

// failure words the answer to a request of which nothing was done.
type failure func(msg kmsg.Request, err error) kmsg.Response

// failing makes a failure of a func that knows its message.
func failing[M kmsg.Request](f func(M, error) kmsg.Response) failure {
	return func(msg kmsg.Request, err error) kmsg.Response { return f(msg.(M), err) }
}

// decides reports whether this node decides for the cluster now.
func (s *Server) decides() bool {
	return s.cfg.Forward == nil || s.cfg.Leading == nil || s.cfg.Leading()
}

// passOn has the active controller answer a request as it came. Whoever does not reach it
// in time hears it in the words of the request.
func (s *Server) passOn(ctx context.Context, a *API, msg kmsg.Request, e Envelope) (wire.Reply, error) {
	ctx, cancel := s.patience(ctx, timeoutOf(msg))
	defer cancel()
	body, err := s.cfg.Forward(ctx, e)
	if err != nil {
		return wire.Message(a.fail(msg, unanswered(err))), nil
	}
	return wire.Append(func(dst []byte) []byte { return append(dst, body...) }), nil
}

// timeoutOf is the time that a request gives for its answer, 0 if it says nothing.
func timeoutOf(msg kmsg.Request) int32 {
	if t, ok := msg.(kmsg.TimeoutRequest); ok {
		return t.Timeout()
	}
	return 0
}

// unanswered is what a client is told when the controller was not reached.
func unanswered(err error) error {
	if _, known := errors.AsType[*kerr.Error](err); !known && errors.Is(err, context.DeadlineExceeded) {
		return kerr.RequestTimedOut
	}
	return err
}

// Answer answers a request that another node has passed on, or that this one asks itself,
// as the active controller. Body is read while it runs and not kept.
// It returns kerr.NotController if this node is not the one, kerr.UnsupportedVersion if the
// controller does not take the request, and kerr.InvalidRequest if it is malformed.
func (s *Server) Answer(ctx context.Context, e Envelope) ([]byte, error) {
	a := s.apis[e.Key]
	if a == nil || a.to == here || !a.accepts(e.Version) {
		return nil, fmt.Errorf("the controller takes no request %d in version %d: %w", e.Key, e.Version, kerr.UnsupportedVersion)
	}
	if s.cfg.Leading != nil && !s.cfg.Leading() {
		return nil, kerr.NotController
	}
	if err := wire.CheckRequest(e.Key, e.Version, e.Body); err != nil {
		return nil, fmt.Errorf("%w: %w", kerr.InvalidRequest, err)
	}
	msg, err := a.read(e.Version, e.Body)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", kerr.InvalidRequest, err)
	}
	r := &Request{Version: e.Version, Listener: e.Listener, Principal: e.Principal, PassedOn: true}
	if e.ClientID != nil {
		r.ClientID = *e.ClientID
	}
	resp, err := s.respond(ctx, a, r, msg)
	if err != nil {
		return nil, err
	}
	return resp.AppendTo(nil), nil
}

// ask has the active controller answer a request of this node's own.
func (s *Server) ask(ctx context.Context, req kmsg.Request) (kmsg.Response, error) {
	if s.cfg.Ask != nil {
		return s.cfg.Ask(ctx, req)
	}
	a := s.apis[req.Key()]
	req.SetVersion(a.Max)
	return s.respond(ctx, a, &Request{Version: a.Max, PassedOn: true}, req)
}

// told is the error that an answer tells, in its words.
func told(code int16, message *string) error {
	err, known := errors.AsType[*kerr.Error](kerr.ErrorForCode(code))
	switch {
	case code == 0:
		return nil
	case !known:
		return kerr.UnknownServerError
	case message == nil:
		return err
	}
	return model.Explain(err, *message)
}

// respond runs the handler and sets the version. What the whole request failed by becomes
// an answer in the request's words, if there are any; but not that another node decides.
func (s *Server) respond(ctx context.Context, a *API, r *Request, msg kmsg.Request) (kmsg.Response, error) {
	r.Image = s.cfg.Feed.Image()
	resp, err := a.handle(s, ctx, r, msg)
	if err != nil && a.fail != nil && !errors.Is(err, kerr.NotController) {
		resp, err = a.fail(msg, unanswered(err)), nil
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", a.Name(), err)
	}
	resp.SetVersion(r.Version)
	return resp, nil
}

// decideOrPass answers what only the active controller decides: here, if this node is it.
// One that ceases to be it meanwhile passes the request on.
func (s *Server) decideOrPass(ctx context.Context, a *API, r *Request, msg kmsg.Request, e Envelope) (wire.Reply, error) {
	if s.decides() {
		resp, err := s.respond(ctx, a, r, msg)
		switch {
		case err == nil:
			return wire.Message(resp), nil
		case !errors.Is(err, kerr.NotController):
			return nil, err
		case s.cfg.Forward == nil:
			return wire.Message(a.fail(msg, err)), nil
		}
	}
	return s.passOn(ctx, a, msg, e)
}

// controlled leaves a request for the active controller to the connection's writer.
func (s *Server) controlled(a *API, c *wire.Conn, r *wire.Request, msg kmsg.Request) wire.Pending {
	e := Envelope{Key: r.Key, Version: r.Version, ClientID: r.ClientID, Listener: c.Listener(),
		Principal: c.Principal()}
	if s.cfg.Forward != nil {
		e.Body = slices.Clone(r.Body)
	}
	req := requestOf(c, r)
	r.Release()
	return func(ctx context.Context) (wire.Reply, error) { return s.decideOrPass(ctx, a, req, msg, e) }
}

// patience bounds a call to the controller by the time that the client gives it, or by
// this node's own if it gives none.
func (s *Server) patience(ctx context.Context, millis int32) (context.Context, context.CancelFunc) {
	d := s.cfg.ControlTimeout
	if millis > 0 {
		d = time.Duration(millis) * time.Millisecond
	}
	return context.WithTimeout(ctx, d)
}

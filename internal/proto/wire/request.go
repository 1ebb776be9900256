package wire

import (
	"context"
	"time"
)

// Handler answers requests.
type Handler interface {
	// Serve does the ordered part of a request: it runs on the connection's reader,
	// in arrival order, and must not wait for replication, durability or other
	// clients. It returns r.Ready(reply) if the answer is there already, a Pending
	// if it takes waiting, and nil if there is none (acks 0).
	Serve(c *Conn, r *Request) Pending
}

// Pending finishes a request. Pendings of a connection run in order, one at a time,
// off the reader, so that the next requests are served meanwhile. The context ends
// when the connection does. A nil Reply without error means no answer; an error
// closes the connection.
type Pending func(ctx context.Context) (Reply, error)

// Request is one frame. It is not reused, but its Body is.
type Request struct {
	Header
	// Body is what follows the header. It has passed CheckRequest, unless the
	// request is an ApiVersions of a version that is not supported, whose body is
	// empty. It is valid until Release.
	Body []byte
	Conn *Conn
	// Received is when the frame was complete.
	Received time.Time
	// WillWait, if Serve sets it, tells whether the Pending would wait now. Replies
	// in front of a Pending that will not wait leave together with its own.
	WillWait func() bool

	size     int // of the frame, with its length
	hold     hold
	cost     int  // of memory, once decoded
	parked   hold // of cost, until it was answered
	lease    lease
	ready    Reply
	throttle time.Duration
	served   time.Time
	finished time.Time
}

// Ready makes reply the answer of r and returns what Serve shall return. It costs
// nothing: the reply is written by the reader unless others are before it.
func (r *Request) Ready(reply Reply) Pending {
	r.ready = reply
	return nil
}

// Release gives back Body and the memory that was admitted for it before the reply
// is written. Whoever decoded the request into memory of its own, or has appended
// its batches, should call it in Serve: requests that wait with their bytes held
// keep others out. It may be called once and again.
func (r *Request) Release() {
	r.Body = nil
	r.lease.release()
	r.hold.release()
}

// Throttle makes the connection unread for d after the reply was written (KIP-219).
func (r *Request) Throttle(d time.Duration) { r.throttle = max(r.throttle, d) }

// Size is the length of the frame in bytes, its four length bytes included.
func (r *Request) Size() int { return r.size }

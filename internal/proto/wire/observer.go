package wire

import "time"

// Observer is told what happens, on the goroutine of the connection: it must be
// quick. Its methods are called by many goroutines at once.
type Observer interface {
	ConnOpened(c *Conn)
	ConnClosed(c *Conn, reason error)
	RequestDone(c *Conn, d Done)
	// Panicked counts a handler's panic, which closed the connection.
	Panicked(c *Conn)
}

// Done describes a request that was answered or has failed.
type Done struct {
	Key, Version int16
	ClientID     *string
	BytesIn      int // the frame with its length
	BytesOut     int // the reply with its length; 0 if there was none
	// Serve is the ordered part, Wait from its end to the answer (time behind
	// earlier requests included), Write from there until the reply was handed to
	// the connection's buffer or socket.
	Serve, Wait, Write time.Duration
	Throttle           time.Duration
	Err                error
}

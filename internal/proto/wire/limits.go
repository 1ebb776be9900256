package wire

import "time"

// Limits bounds what connections may cost. Zero means the default.
type Limits struct {
	// MaxFrame is the longest request in bytes: socket.request.max.bytes, 100 MiB.
	MaxFrame int
	// MaxFramePreauth is the longest before authentication: 64 KiB.
	MaxFramePreauth int
	// MaxPending is how many requests of a connection may await their answer: 128.
	// Further ones are not read.
	MaxPending int
	// MaxConns is max.connections over all listeners: unlimited. While there are as
	// many, none is accepted.
	MaxConns int
	// MaxConnsPerIP is max.connections.per.ip: unlimited. ConnsPerIP overrides it
	// for some addresses (max.connections.per.ip.overrides). Where it is negative,
	// nobody is let in.
	MaxConnsPerIP int
	ConnsPerIP    map[string]int
	// MaxIdle is connections.max.idle.ms: 10 minutes. A connection that has asked
	// nothing for so long, or does not take its answers, is closed.
	MaxIdle time.Duration
	// AuthTimeout is how long a connection may take to authenticate, its TLS
	// handshake included: 10 s.
	AuthTimeout time.Duration
	// FrameTimeout is how long the bytes of a frame that has begun may pause: 30 s.
	// A frame must also come at 1 KiB a second on average after that time.
	FrameTimeout time.Duration
	// Sendfile is the least length in bytes of a slice of a file that is handed to
	// the kernel instead of being read and written, on Linux, over TCP in the clear:
	// 128 KiB; 64 were measured to cost as much either way, 256 less. A consumer with
	// Kafka's defaults asks for 1 MiB of a partition and gets whole batches, so a little
	// less. Negative is never.
	Sendfile int
}

const (
	kib = 1 << 10
	mib = 1 << 20

	slowestFrame = 1 * kib // bytes a second
)

func (l Limits) withDefaults() Limits {
	orDefault(&l.MaxFrame, 100*mib)
	orDefault(&l.MaxFramePreauth, 64*kib)
	orDefault(&l.MaxPending, 128)
	orDefault(&l.Sendfile, 128*kib)
	orDefault(&l.MaxIdle, 10*time.Minute)
	orDefault(&l.AuthTimeout, 10*time.Second)
	orDefault(&l.FrameTimeout, 30*time.Second)
	return l
}

func orDefault[T int | time.Duration](v *T, d T) {
	if *v == 0 {
		*v = d
	}
}

func (l Limits) perIP(host string) int {
	if n, ok := l.ConnsPerIP[host]; ok {
		return n
	}
	return l.MaxConnsPerIP
}

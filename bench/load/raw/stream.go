package raw

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/odradek/odradek/bench/load/hist"
)

// Stream is requests one after the other on a connection, with up to InFlight that have
// no answer yet. It owns the connection.
type Stream struct {
	Conn     net.Conn
	InFlight int // default 1
	Burst    int // requests that are sent by one write, InFlight at most; default 1

	// Request is the i-th request, which is written, or copied, before the next is asked
	// for. Its correlation id is set by the Stream.
	Request func(i int64) []byte
	// Check says what is wrong with the answer to the i-th request, from the correlation
	// id on. It runs beside Request.
	Check func(i int64, answer []byte) error
	// MaxAnswer is how many bytes the longest answer may have; default 64 KiB.
	MaxAnswer int

	next     int64
	in       *bufio.Reader
	out      []byte
	sent     int64
	received int64
}

// Done is what a Stream has done.
type Done struct {
	Requests       int64 // answered
	Sent, Received int64 // bytes
	// Latency of a request counts from when it was its turn: with several in flight the
	// wait for those before it is in it.
	Latency *hist.Hist
}

// Limit is where a Stream stops: at the first of those that are not zero.
type Limit struct {
	Requests int64
	Until    time.Time
}

// Run sends requests up to the limit and reads all answers. It may be called again, and
// goes on counting requests where it was.
func (s *Stream) Run(limit Limit) (Done, error) {
	s.InFlight, s.Burst = max(s.InFlight, 1), max(s.Burst, 1)
	if s.in == nil {
		s.in = bufio.NewReaderSize(s.Conn, max(2*s.MaxAnswer, 64<<10))
	}
	s.sent, s.received = 0, 0
	d := Done{Latency: new(hist.Hist)}
	first := s.next
	var err error
	if s.InFlight == 1 {
		err = s.oneByOne(limit, &d)
	} else {
		err = s.pipelined(limit, &d)
	}
	d.Requests, d.Sent, d.Received = d.Latency.Count(), s.sent, s.received
	if err == nil && d.Requests != s.next-first {
		err = fmt.Errorf("%d requests and %d answers", s.next-first, d.Requests)
	}
	return d, err
}

// over reports whether n requests, the last at now, reach the limit.
func (l Limit) over(n int64, now time.Time) bool {
	return l.Requests > 0 && n >= l.Requests || !l.Until.IsZero() && !now.Before(l.Until)
}

func (s *Stream) oneByOne(limit Limit, d *Done) error {
	now := time.Now()
	for n := int64(0); !limit.over(n, now); n++ {
		i := s.next
		if err := s.send(1); err != nil {
			return err
		}
		if err := s.receive(i); err != nil {
			return err
		}
		after := time.Now()
		d.Latency.Add(after.Sub(now))
		now = after
	}
	return nil
}

// pipelined sends on a goroutine of its own. Each request goes through the channel before
// it is sent and is taken out before its answer is read: with the one that is being read,
// the channel's room bounds how many are in flight.
func (s *Stream) pipelined(limit Limit, d *Done) error {
	inFlight := make(chan time.Time, s.InFlight-1)
	failed := make(chan struct{})
	sender := make(chan error, 1)
	i := s.next // the sender moves it on
	go func() { sender <- s.sendAll(limit, inFlight, failed) }()
	var err error
	for began := range inFlight {
		if err = s.receive(i); err != nil {
			close(failed)
			s.Conn.Close() // ends a write that nobody reads any more
			break
		}
		d.Latency.Add(time.Since(began))
		i++
	}
	return errors.Join(err, <-sender)
}

// sendAll ends what it sends with the channel's end.
func (s *Stream) sendAll(limit Limit, inFlight chan<- time.Time, failed <-chan struct{}) error {
	defer close(inFlight)
	for n := int64(0); ; {
		now := time.Now()
		burst := int64(s.Burst)
		if limit.Requests > 0 {
			burst = min(burst, limit.Requests-n)
		}
		if limit.over(n, now) {
			return nil
		}
		for range burst {
			select {
			case inFlight <- now:
			case <-failed:
				return nil
			}
		}
		if err := s.send(int(burst)); err != nil {
			return err
		}
		n += burst
	}
}

// send writes the next n requests at once.
func (s *Stream) send(n int) error {
	var out []byte
	s.out = s.out[:0]
	for range n {
		request := s.Request(s.next)
		binary.BigEndian.PutUint32(request[posCorrelation:], uint32(s.next))
		s.next++
		if out = request; n > 1 {
			s.out = append(s.out, request...)
			out = s.out
		}
	}
	s.sent += int64(len(out))
	if _, err := s.Conn.Write(out); err != nil {
		s.Conn.Close() // so that nobody waits for its answer
		return fmt.Errorf("send request %d: %w", s.next-1, err)
	}
	return nil
}

// receive reads the answer to the i-th request and checks it.
func (s *Stream) receive(i int64) error {
	length, err := s.in.Peek(4)
	if err != nil {
		return fmt.Errorf("answer to request %d: %w", i, err)
	}
	n := int(binary.BigEndian.Uint32(length))
	if n < 4 || 4+n > s.in.Size() {
		return fmt.Errorf("answer to request %d: %d bytes", i, n)
	}
	answer, err := s.in.Peek(4 + n)
	if err != nil {
		return fmt.Errorf("answer to request %d: %w", i, err)
	}
	if id := binary.BigEndian.Uint32(answer[4:]); id != uint32(i) {
		return fmt.Errorf("answer to request %d has the id of %d", i, id)
	}
	if err := s.Check(i, answer[4:]); err != nil {
		return fmt.Errorf("answer to request %d: %w", i, err)
	}
	s.received += int64(4 + n)
	s.in.Discard(4 + n)
	return nil
}

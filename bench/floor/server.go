//go:build linux

package floor

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"os"

	"golang.org/x/sys/unix"
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// server serves one connection after the other, on one goroutine.
type server struct {
	spec     Spec
	file     *os.File // what is appended to or read
	end      int64    // where the next batch goes
	records  int64    // in a batch
	offsetAt int      // of a Fetch
	answer   []byte   // whole, but for its correlation id; of a Fetch, up to the batch
	answers  []byte   // to the requests that were read together
	page     []byte   // the answer to a Fetch
}

// A request, and an answer, on the wire: 4 bytes length of what follows, then
//
//	request: key 2, version 2, correlation id 4, …
//	answer:  correlation id 4, …
const (
	requestID = 8
	answerID  = 4
)

// much is a request that is worth a read of its own: one that brings more would have to
// be moved.
const much = 32 << 10

// serve reads what there is, handles the whole requests in it and answers them, until the
// other side is done.
func (s *server) serve(c socket) error {
	buf := make([]byte, max(256<<10, s.spec.Batch+4096))
	have, last := 0, 0 // bytes in buf; the size of the last request, as the next may be
	for {
		upTo := len(buf)
		if have >= 4 {
			last = sizeOf(buf)
		}
		if last > len(buf) {
			return fmt.Errorf("a request of %d bytes", last)
		}
		if last > much && last > have {
			upTo = last
		}
		n, err := c.Read(buf[have:upTo])
		if n == 0 || err != nil {
			return err
		}
		rest, err := s.handle(c, buf[:have+n])
		if err != nil {
			return err
		}
		have = copy(buf, rest)
	}
}

func sizeOf(request []byte) int { return 4 + int(binary.BigEndian.Uint32(request)) }

// handle handles the whole requests at the front of in and returns what is left.
func (s *server) handle(c socket, in []byte) ([]byte, error) {
	for len(in) >= 4 && sizeOf(in) <= len(in) {
		request := in[:sizeOf(in)]
		in = in[len(request):]
		var err error
		switch s.spec.Op {
		case Produce:
			err = s.append(request)
		case Fetch:
			err = s.send(c, request)
		default:
			s.say(request)
		}
		if err != nil {
			return nil, err
		}
	}
	if len(s.answers) == 0 {
		return in, nil
	}
	if s.spec.Durable {
		if err := unix.Fdatasync(int(s.file.Fd())); err != nil {
			return nil, err
		}
	}
	_, err := c.Write(s.answers)
	s.answers = s.answers[:0]
	return in, err
}

// append sums a request's batch, which is the end of it, while it is hot, and appends it.
func (s *server) append(request []byte) error {
	const posCRC, covered = 17, 21
	batch := request[len(request)-s.spec.Batch:]
	if crc32.Checksum(batch[covered:], castagnoli) != binary.BigEndian.Uint32(batch[posCRC:]) {
		return errors.New("a batch with a wrong sum")
	}
	if s.spec.File == Recycled && s.end+int64(len(batch)) > recycledBytes {
		s.end = 0
	}
	if _, err := s.file.WriteAt(batch, s.end); err != nil {
		return err
	}
	s.end += int64(len(batch))
	s.say(request)
	return nil
}

// say puts the answer to a request behind those that go out together.
func (s *server) say(request []byte) {
	at := len(s.answers)
	s.answers = append(s.answers, s.answer...)
	copy(s.answers[at+answerID:], request[requestID:requestID+4])
}

// send answers with the batch that a request asks for.
func (s *server) send(c socket, request []byte) error {
	offset := int64(binary.BigEndian.Uint64(request[s.offsetAt:]))
	at := offset / s.records * int64(s.spec.Batch)
	copy(s.page, s.answer)
	copy(s.page[answerID:], request[requestID:requestID+4])
	if s.spec.Sendfile {
		if _, err := c.Write(s.page[:len(s.answer)]); err != nil {
			return err
		}
		return c.sendfile(s.file, at, s.spec.Batch)
	}
	if _, err := s.file.ReadAt(s.page[len(s.answer):], at); err != nil {
		return fmt.Errorf("read a batch at %d: %w", at, err)
	}
	_, err := c.Write(s.page)
	return err
}

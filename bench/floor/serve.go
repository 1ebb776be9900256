//go:build linux

package floor

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"syscall"

	"github.com/odradek/odradek/internal/proto/record"
)

// hello is the first line of a serving process.
type hello struct {
	Address string `json:"address"`
	Stored  int64  `json:"stored"` // batches that can be fetched
}

// usage is the line of a serving process at the end of each connection: what it cost.
type usage struct {
	User      float64 `json:"user"` // seconds
	System    float64 `json:"system"`
	Voluntary int64   `json:"voluntary"`
	Bytes     int64   `json:"bytes"` // appended
	Error     string  `json:"error,omitempty"`
}

// Serve is the serving process: it says where it listens, serves connections one after
// the other, and says after each what it cost. It ends with its input.
func Serve(s Spec, in io.Reader, out io.Writer) error {
	s = s.withDefaults()
	if err := s.check(); err != nil {
		return err
	}
	w, err := wordsOf(s)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp(s.Dir, "floor-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	file, err := os.OpenFile(filepath.Join(dir, "batches"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	defer file.Close()
	v := &server{spec: s, file: file, records: w.records, offsetAt: w.offsetAt, answer: w.answer}
	stored, err := v.prepare(w)
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	go func() {
		io.Copy(io.Discard, in)
		l.Close()
	}()
	lines := json.NewEncoder(out)
	lines.Encode(hello{Address: l.Addr().String(), Stored: stored})
	for {
		c, err := l.Accept()
		if err != nil {
			return nil
		}
		lines.Encode(v.one(c.(*net.TCPConn)))
	}
}

// prepare fills the file as the operation wants it.
func (s *server) prepare(w words) (stored int64, err error) {
	switch {
	case s.spec.Op == Fetch:
		stored = max(1, min(s.spec.Requests, storedBytes/int64(s.spec.Batch)))
		s.page = make([]byte, len(s.answer)+s.spec.Batch)
		for i := range stored {
			record.Batch(w.batch).Stamp(i*s.records, 0)
			if _, err := s.file.WriteAt(w.batch, i*int64(s.spec.Batch)); err != nil {
				return 0, err
			}
		}
	case s.spec.Op == Produce && s.spec.File == Recycled:
		if _, err := s.file.WriteAt(make([]byte, recycledBytes), 0); err != nil {
			return 0, err
		}
	default:
		return 0, nil
	}
	return stored, s.file.Sync()
}

// storedBytes is how much there is to fetch, again and again.
const storedBytes = 256 << 20

// one serves a connection and says what it cost. It keeps to one thread, as a blocking
// socket wants.
func (s *server) one(c *net.TCPConn) usage {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var before, after syscall.Rusage
	end := s.end
	sock, err := socketOf(c, s.spec.Socket)
	if err == nil {
		defer sock.Close()
		syscall.Getrusage(syscall.RUSAGE_SELF, &before)
		err = s.serve(sock)
		syscall.Getrusage(syscall.RUSAGE_SELF, &after)
	}
	u := usage{User: of(after.Utime) - of(before.Utime), System: of(after.Stime) - of(before.Stime),
		Voluntary: after.Nvcsw - before.Nvcsw, Bytes: s.end - end}
	if err != nil {
		u.Error = fmt.Sprint(err)
	}
	return u
}

func of(t syscall.Timeval) float64 { return float64(t.Sec) + float64(t.Usec)/1e6 }

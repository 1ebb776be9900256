//go:build linux

package floor

import (
	"io"
	"net"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// socket is a connection as the server wants it. Read returns 0 at the end.
type socket interface {
	Read([]byte) (int, error)
	Write([]byte) (int, error)
	sendfile(f *os.File, offset int64, n int) error
	Close() error
}

func socketOf(c *net.TCPConn, kind string) (socket, error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return nil, err
	}
	if kind == Net {
		return &netSocket{TCPConn: c, raw: raw}, nil
	}
	defer c.Close()
	fd := -1
	raw.Control(func(p uintptr) { fd, err = unix.Dup(int(p)) })
	if err == nil {
		err = unix.SetNonblock(fd, false)
	}
	return blockingSocket(fd), err
}

// netSocket is Go's own.
type netSocket struct {
	*net.TCPConn
	raw syscall.RawConn
}

func (s *netSocket) Read(p []byte) (int, error) {
	n, err := s.TCPConn.Read(p)
	if err == io.EOF {
		err = nil
	}
	return n, err
}

func (s *netSocket) sendfile(f *os.File, offset int64, n int) error {
	var failed error
	err := s.raw.Write(func(fd uintptr) (done bool) {
		failed = sendfile(int(fd), f, &offset, &n)
		return failed != unix.EAGAIN
	})
	if err == nil {
		err = failed
	}
	return err
}

// sendfile moves offset and n on by what it sent.
func sendfile(to int, f *os.File, offset *int64, n *int) error {
	for *n > 0 {
		sent, err := unix.Sendfile(to, int(f.Fd()), offset, *n)
		*n -= max(sent, 0)
		if err != nil && err != unix.EINTR {
			return err
		}
		if sent == 0 && err == nil {
			return io.ErrUnexpectedEOF
		}
	}
	return nil
}

// blockingSocket is a descriptor on which read and write wait.
type blockingSocket int

func (s blockingSocket) Read(p []byte) (n int, err error) {
	for {
		if n, err = unix.Read(int(s), p); err != unix.EINTR {
			return n, err
		}
	}
}

func (s blockingSocket) Write(p []byte) (int, error) {
	for done := 0; ; {
		n, err := unix.Write(int(s), p[done:])
		if done += max(n, 0); done == len(p) {
			return done, nil
		}
		if err != nil && err != unix.EINTR {
			return done, err
		}
	}
}

func (s blockingSocket) sendfile(f *os.File, offset int64, n int) error {
	return sendfile(int(s), f, &offset, &n)
}

func (s blockingSocket) Close() error { return unix.Close(int(s)) }

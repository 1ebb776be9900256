package wire

import (
	"errors"
	"fmt"
	"io"
	"net"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/odradek/odradek/internal/base/vfs"
)

// sendfile hands a slice of a file to the kernel. It reports false, with nothing sent,
// if the connection is not TCP in the clear or the file not the system's.
// net.TCPConn.ReadFrom would use the file's own position, which readers share.
func sendfile(nc net.Conn, f vfs.File, pos int64, n int) (bool, error) {
	tcp, ok := nc.(*net.TCPConn)
	if !ok {
		return false, nil
	}
	file, ok := f.(syscall.Conn)
	if !ok {
		return false, nil
	}
	from, err := file.SyscallConn()
	if err != nil {
		return false, nil
	}
	to, err := tcp.SyscallConn()
	if err != nil {
		return false, nil
	}
	var sent error
	if err := from.Control(func(in uintptr) { sent = sendAll(to, int(in), pos, n) }); err != nil {
		return false, nil
	}
	if sent != nil {
		sent = fmt.Errorf("send %d bytes at %d of %s: %w", n, pos, f.Name(), sent)
	}
	return true, sent
}

// sendAll sends n bytes, waiting for the connection, by its deadline, when it is full.
func sendAll(to syscall.RawConn, in int, pos int64, n int) error {
	var failed error
	err := to.Write(func(out uintptr) bool {
		for n > 0 {
			m, err := unix.Sendfile(int(out), in, &pos, n)
			switch {
			case m > 0:
				n -= m
			case errors.Is(err, unix.EINTR):
			case errors.Is(err, unix.EAGAIN):
				return false
			case err == nil:
				failed = io.ErrUnexpectedEOF
				return true
			default:
				failed = err
				return true
			}
		}
		return true
	})
	if err != nil {
		return err
	}
	return failed
}

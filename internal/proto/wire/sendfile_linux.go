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

// canSendfile reports whether the kernel can send f by itself: the connection is TCP in the
// clear, and the file the system's.
func canSendfile(nc net.Conn, f vfs.File) bool {
	_, tcp := nc.(*net.TCPConn)
	_, file := f.(syscall.Conn)
	return tcp && file
}

// sendfile hands a slice of a file to the kernel; canSendfile has said that it can.
// net.TCPConn.ReadFrom would use the file's own position, which readers share.
func sendfile(nc net.Conn, f vfs.File, pos int64, n int) error {
	from, err := f.(syscall.Conn).SyscallConn()
	if err != nil {
		return err
	}
	to, err := nc.(*net.TCPConn).SyscallConn()
	if err != nil {
		return err
	}
	var sent error
	if err := from.Control(func(in uintptr) { sent = sendAll(to, int(in), pos, n) }); err != nil {
		return err
	}
	if sent != nil {
		return fmt.Errorf("send %d bytes at %d of %s: %w", n, pos, f.Name(), sent)
	}
	return nil
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

//go:build !linux

package wire

import (
	"errors"
	"net"

	"github.com/odradek/odradek/internal/base/vfs"
)

func canSendfile(net.Conn, vfs.File) bool { return false }

func sendfile(net.Conn, vfs.File, int64, int) error { return errors.ErrUnsupported }

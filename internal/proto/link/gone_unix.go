//go:build !windows

package link

import (
	"errors"
	"syscall"
)

// connectionRefused reports whether nobody listens at an address: a slow process keeps
// its listener, and connections queue there.
func connectionRefused(err error) bool { return errors.Is(err, syscall.ECONNREFUSED) }

package link

import (
	"errors"
	"syscall"
)

// connectionRefused reports whether nobody listens at an address. Windows has a number of
// its own for it, WSAECONNREFUSED; the network in memory uses the other.
func connectionRefused(err error) bool {
	return errors.Is(err, syscall.Errno(10061)) || errors.Is(err, syscall.ECONNREFUSED)
}

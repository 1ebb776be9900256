//go:build planted

package broker

import (
	"os"

	"github.com/odradek/odradek/internal/base/planted"
)

// The environment may plant a mistake, from the start: see package planted.
func init() { planted.Set(planted.Bug(os.Getenv("ODRADEK_PLANTED"))) }

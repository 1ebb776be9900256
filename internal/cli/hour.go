//go:build !skewed

package cli

import "github.com/odradek/odradek/internal/base/clock"

// hour is the machine's clock.
var hour clock.Clock

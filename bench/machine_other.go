//go:build !linux

package main

import (
	"runtime"

	"github.com/odradek/odradek/bench/report"
)

// machine says what this is run on.
func machine(string) report.Machine {
	return report.Machine{CPU: "unknown", Cores: runtime.NumCPU(), Kernel: runtime.GOOS, Disk: "unknown"}
}

// Package procs says how many goroutines may run at a time. A thread that waits in a system
// call for the disk keeps its place until the runtime's monitor finds it there, which it looks
// for every 20 µs then: on two cores that left one for all connections while a segment was
// synced, and cost a tenth of the processor. It owns no goroutine.
package procs

import (
	"os"
	"runtime"
)

// Spare adds one place to those that the runtime has by default, the cores that it may use,
// until stop is called. What the default is later, as when a container's limit changes, is not
// followed meanwhile. It leaves a process alone whose GOMAXPROCS is set.
func Spare() (stop func()) {
	if _, set := os.LookupEnv("GOMAXPROCS"); set {
		return func() {}
	}
	runtime.GOMAXPROCS(runtime.GOMAXPROCS(0) + 1)
	return runtime.SetDefaultGOMAXPROCS
}

package chaos

import "context"

// The faults of single system calls are strace's. A node that is started while they last
// is not traced: it is a machine whose disk was replaced.

const (
	syncEIO     = "fsync,fdatasync:error=EIO"
	syncEIOOnce = "fsync,fdatasync:error=EIO:when=1"
	syncSlow    = "fsync,fdatasync:delay_enter=2000000"
	writeEIO    = "pwrite64,pwritev:error=EIO:when=1"
	readEIO     = "pread64:error=EIO:when=1"
)

var (
	// Every sync fails: no node may acknowledge what it could not sync, and none may try
	// again as if nothing had been.
	syncFails = calls("sync fails", syncEIO)
	// One sync fails and those after it succeed, as Linux does: the pages that were not
	// written are gone, and the next sync says that all is well. Each thread has its one.
	syncFailsOnce = calls("sync fails once", syncEIOOnce)
	// Each sync lasts two seconds.
	slowSync = calls("slow sync", syncSlow)
	// One write to a file fails, or one read. Sockets are used by other calls.
	writeFails = calls("write fails", writeEIO)
	readFails  = calls("read fails", readEIO)
)

// calls is a fault of the calls that an injection of strace's names.
func calls(name, injection string) Fault {
	return Fault{Name: name, Needs: []Need{Tracer}, Fatal: true, do: func(_ context.Context, _ *Rig, h *Harm) error {
		return h.each(func(n *Node) error {
			if !n.Running() || n.tracing {
				return nil // one tracer is all that a process can have
			}
			detach, err := trace(n.PID(), injection)
			if err != nil && !n.Running() {
				return nil // it fell over the first call
			}
			if err != nil {
				return err
			}
			n.tracing = true
			h.later(func(context.Context) error {
				detach()
				n.tracing = false
				return n.begin()
			})
			return nil
		})
	}}
}

package chaos

import "context"

// The faults of single system calls are strace's. A node that is started while they last
// is not traced: it is a machine whose disk was replaced.

// syncFails lets every sync fail: no node may acknowledge what it could not sync, and none
// may try again as if nothing had been.
var syncFails = calls("sync fails", "fsync,fdatasync:error=EIO")

// syncFailsOnce lets one sync fail and all after it succeed, as Linux does: the pages that
// were not written are gone, and the next sync says that all is well.
var syncFailsOnce = calls("sync fails once", "fsync,fdatasync:error=EIO:when=1")

// slowSync makes each sync last two seconds.
var slowSync = calls("slow sync", "fsync,fdatasync:delay_enter=2000000")

// writeFails lets writes to files fail: strace cannot tell sockets from files there, but
// those are written with another call.
var writeFails = calls("write fails", "pwrite64,pwritev:error=EIO:when=1")

// readFails lets one read of a file fail.
var readFails = calls("read fails", "pread64:error=EIO:when=1")

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

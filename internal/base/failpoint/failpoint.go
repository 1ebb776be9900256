// Package failpoint names the places where a process may die at the worst moment: where
// state becomes durable. It knows their names and what a test armed at them; it does
// not know what they mean. It owns no goroutines.
//
// A room registers its names and hits them:
//
//	var _ = failpoint.Register("journal.commit.before_sync")
//
//	failpoint.Hit("journal.commit.before_sync", j.cfg.FS)
//
// Without the build tag failpoint, Hit is an empty function that costs nothing and the
// registry is empty. With it, a test arms a point to crash the disk, to panic or to
// stall there, and a simulator enumerates them all.
package failpoint

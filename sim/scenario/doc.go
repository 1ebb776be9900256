// Package scenario has the stories of the simulator that have names: what went wrong
// elsewhere, what a cluster must outlive, what its metrics tell of it. It has tests alone;
// each plays on a world of its own. Stories that chance writes are those of package sim.
package scenario

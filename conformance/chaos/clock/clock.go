// Package clock is the time that all processes of a machine share and that nobody sets:
// the clock of the chaos rig's histories.
package clock

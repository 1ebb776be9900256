// Package sim runs whole clusters in one process, in bubbles of faked time: room world is the
// cluster and what befalls it, room load its clients, room history what they saw, and room
// check what nobody may see. Its tests live through seeds.
package sim

package lan

import "net/netip"

// Config says what network to make.
type Config struct {
	Name     string // of what it makes on this machine; at most 11 letters, unique
	Machines int
	Seed     uint64
	MTU      int // default 65000, as the loopback's: fewer packets cost less
}

// LAN is a network of machines, each a namespace of its own, and of this one: what runs
// outside reaches every machine, and packets to and from it go through the switch as well.
type LAN struct {
	*Switch
	Hosts   []netip.Addr // of the machines
	Outside netip.Addr   // of this one

	spaces []string
}

// Cut drops every packet from one to another.
func (l *LAN) Cut(from, to netip.Addr) { l.Set(from, to, Link{Cut: true}) }

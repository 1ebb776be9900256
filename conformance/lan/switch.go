package lan

import (
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Link is how packets fare from one port to another. The zero Link carries them at once.
type Link struct {
	Cut    bool
	Loss   float64       // the share of packets that is dropped
	Delay  time.Duration // each packet is so late,
	Jitter time.Duration // and up to so much later: packets overtake one another
	Ports  []uint16      // if given, only packets from or to these TCP ports fare so
}

// Traffic is what became of the packets of a link.
type Traffic struct{ Carried, Dropped, Late int64 }

// Switch carries IPv4 packets between ports by their addresses. What luck decides is drawn
// from the seed, for each directed link apart: the n-th packet of a link meets the same
// fate in each run. Its methods may be called from any goroutine.
type Switch struct {
	seed uint64
	wg   sync.WaitGroup

	mu    sync.Mutex // guards what follows, but not what ports hold
	ports []*port
	shut  bool

	at atomic.Pointer[map[netip.Addr]*port] // replaced by Plug, loaded for each packet
}

// port is where a machine is plugged in.
type port struct {
	index int
	addr  netip.Addr
	wire  io.ReadWriteCloser // one packet a Read or Write
	links []*link            // to the others, by index; used by the port's reader alone
	late  *postman           // delivers to this port what was held up
}

// link is one direction between two ports.
type link struct {
	now     atomic.Pointer[Link]
	rng     *rand.Rand // used by the reader of the sending port alone
	carried atomic.Int64
	dropped atomic.Int64
	delayed atomic.Int64
}

// maxPacket is the most that IPv4 can say.
const maxPacket = 65535

// NewSwitch is a switch into which nothing is plugged.
func NewSwitch(seed uint64) *Switch {
	s := &Switch{seed: seed}
	s.at.Store(new(map[netip.Addr]*port))
	return s
}

// Plug connects a machine of that address; each Read of its wire is a packet that it
// sends, each Write one that it gets. All must be plugged before packets are sent. Close
// closes the wire.
func (s *Switch) Plug(addr netip.Addr, wire io.ReadWriteCloser) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.shut {
		panic("bug: plugged into a switch that is shut")
	}
	p := &port{index: len(s.ports), addr: addr, wire: wire, late: newPostman(wire)}
	s.ports = append(s.ports, p)
	at := make(map[netip.Addr]*port)
	for _, q := range s.ports {
		at[q.addr] = q
	}
	s.at.Store(&at)
}

// Start carries packets until Close.
func (s *Switch) Start() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range s.ports {
		for _, q := range s.ports {
			l := &link{rng: rand.New(rand.NewPCG(s.seed, uint64(p.index)<<32|uint64(q.index)))}
			l.now.Store(new(Link))
			p.links = append(p.links, l)
		}
		s.wg.Go(p.late.run)
	}
	for _, p := range s.ports {
		s.wg.Go(func() { s.read(p) })
	}
}

// Close unplugs everything.
func (s *Switch) Close() {
	s.mu.Lock()
	if !s.shut {
		s.shut = true
		for _, p := range s.ports {
			p.wire.Close()
			p.late.close()
		}
	}
	s.mu.Unlock()
	s.wg.Wait()
}

// Set says how packets fare from one machine to another, from now on. Those that are held
// up arrive nevertheless.
func (s *Switch) Set(from, to netip.Addr, l Link) {
	l.Ports = slices.Clone(l.Ports)
	s.link(from, to).now.Store(&l)
}

// Now is how packets fare.
func (s *Switch) Now(from, to netip.Addr) Link { return *s.link(from, to).now.Load() }

// Heal lets all packets through.
func (s *Switch) Heal() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range s.ports {
		for _, l := range p.links {
			l.now.Store(new(Link))
		}
	}
}

// Traffic is what became of the packets from one machine to another.
func (s *Switch) Traffic(from, to netip.Addr) Traffic {
	l := s.link(from, to)
	return Traffic{l.carried.Load(), l.dropped.Load(), l.delayed.Load()}
}

func (s *Switch) link(from, to netip.Addr) *link {
	at := *s.at.Load()
	if at[from] == nil || at[to] == nil {
		panic(fmt.Sprintf("bug: nothing is plugged in at %v or %v", from, to))
	}
	return at[from].links[at[to].index]
}

// read carries what a machine sends until its wire is closed, or its device gone.
func (s *Switch) read(p *port) {
	buf := make([]byte, maxPacket)
	for {
		n, err := p.wire.Read(buf)
		if err != nil {
			return
		}
		s.carry(p, buf[:n])
	}
}

// carry decides a packet's fate. What is not IPv4, or to nobody here, is nobody's.
func (s *Switch) carry(from *port, packet []byte) {
	if len(packet) < 20 || packet[0]>>4 != 4 {
		return
	}
	to := (*s.at.Load())[netip.AddrFrom4([4]byte(packet[16:20]))]
	if to == nil {
		return
	}
	l := from.links[to.index]
	how := l.now.Load()
	if how.Ports != nil && !how.concerns(packet) {
		how = &Link{}
	}
	if how.Cut || how.Loss > 0 && l.rng.Float64() < how.Loss {
		l.dropped.Add(1)
		return
	}
	wait := how.Delay
	if how.Jitter > 0 {
		wait += time.Duration(l.rng.Int64N(int64(how.Jitter)))
	}
	l.carried.Add(1)
	if wait > 0 {
		l.delayed.Add(1)
		if !to.late.take(packet, time.Now().Add(wait)) {
			l.carried.Add(-1)
			l.dropped.Add(1)
		}
		return
	}
	_, _ = to.wire.Write(packet) // a machine that is gone gets nothing
}

// concerns tells whether a packet is TCP from or to one of the link's ports.
func (l *Link) concerns(packet []byte) bool {
	const tcp = 6
	head := int(packet[0]&15) * 4
	if packet[9] != tcp || len(packet) < head+4 {
		return false
	}
	from, to := binary.BigEndian.Uint16(packet[head:]), binary.BigEndian.Uint16(packet[head+2:])
	return slices.Contains(l.Ports, from) || slices.Contains(l.Ports, to)
}

// Package flaky is a TCP proxy that loses answers: it understands just enough of the
// protocol to cut a connection when a chosen answer to Produce comes by. What was
// written stays written, the client does not learn of it and must send again. A proxy
// owns a goroutine for its listener and two for each connection; Close ends them.
package flaky

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"sync"
)

const produceKey = 0

// Proxy forwards connections to a node.
type Proxy struct {
	ln     net.Listener
	target string
	every  int

	mu      sync.Mutex // guards the fields below
	closed  bool
	conns   map[net.Conn]struct{}
	answers map[string]int // to Produce, by client id
	cuts    map[string]int
	wg      sync.WaitGroup
}

// Listen starts a proxy on ln. Of each client's answers to Produce it loses the second
// and from there on every one in so many.
func Listen(ln net.Listener, target string, every int) *Proxy {
	p := &Proxy{
		ln: ln, target: target, every: every,
		conns: make(map[net.Conn]struct{}), answers: make(map[string]int), cuts: make(map[string]int),
	}
	p.wg.Go(p.accept)
	return p
}

// Cuts is how many answers each client, by its id, did not get.
func (p *Proxy) Cuts() map[string]int {
	p.mu.Lock()
	defer p.mu.Unlock()
	cuts := make(map[string]int)
	for id, n := range p.cuts {
		cuts[id] = n
	}
	return cuts
}

// Close cuts everything and waits for the goroutines.
func (p *Proxy) Close() {
	p.ln.Close()
	p.mu.Lock()
	p.closed = true
	for c := range p.conns {
		c.Close()
	}
	p.mu.Unlock()
	p.wg.Wait()
}

func (p *Proxy) accept() {
	for {
		client, err := p.ln.Accept()
		if err != nil {
			return
		}
		node, err := net.Dial("tcp", p.target)
		if err != nil {
			client.Close()
			continue
		}
		if !p.keep(client, node) {
			return
		}
		l := &link{proxy: p, client: client, node: node, asked: make(map[int32]request)}
		p.wg.Go(l.requests)
		p.wg.Go(l.answers)
	}
}

func (p *Proxy) keep(conns ...net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range conns {
		if p.closed {
			c.Close()
			continue
		}
		p.conns[c] = struct{}{}
	}
	return !p.closed
}

// lose counts an answer to Produce and says whether it is one to lose.
func (p *Proxy) lose(client string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.answers[client]++
	if p.answers[client]%p.every != 2%p.every {
		return false
	}
	p.cuts[client]++
	return true
}

type request struct {
	key    int16
	client string
}

// link is one client's connection through the proxy.
type link struct {
	proxy        *Proxy
	client, node net.Conn

	mu    sync.Mutex // guards asked
	asked map[int32]request
}

func (l *link) cut() {
	l.proxy.mu.Lock()
	delete(l.proxy.conns, l.client)
	delete(l.proxy.conns, l.node)
	l.proxy.mu.Unlock()
	l.client.Close()
	l.node.Close()
}

func (l *link) requests() {
	defer l.cut()
	for {
		f, err := frame(l.client)
		if err != nil || len(f) < 14 {
			return
		}
		// length 4, key 2, version 2, correlation 4, client id 2 and its bytes
		r := request{key: int16(binary.BigEndian.Uint16(f[4:]))}
		if n := int(int16(binary.BigEndian.Uint16(f[12:]))); n > 0 && len(f) >= 14+n {
			r.client = string(f[14 : 14+n])
		}
		l.mu.Lock()
		l.asked[int32(binary.BigEndian.Uint32(f[8:]))] = r
		l.mu.Unlock()
		if _, err := l.node.Write(f); err != nil {
			return
		}
	}
}

func (l *link) answers() {
	defer l.cut()
	for {
		f, err := frame(l.node)
		if err != nil || len(f) < 8 {
			return
		}
		id := int32(binary.BigEndian.Uint32(f[4:]))
		l.mu.Lock()
		r := l.asked[id]
		delete(l.asked, id)
		l.mu.Unlock()
		if r.key == produceKey && r.client != "" && l.proxy.lose(r.client) {
			return
		}
		if _, err := l.client.Write(f); err != nil {
			return
		}
	}
}

// frame reads one frame with its length in front.
func frame(r io.Reader) ([]byte, error) {
	var head [4]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, err
	}
	n := binary.BigEndian.Uint32(head[:])
	if n > 64<<20 {
		return nil, fmt.Errorf("a frame of %d bytes", n)
	}
	f := make([]byte, 4+n)
	copy(f, head[:])
	_, err := io.ReadFull(r, f[4:])
	return f, err
}

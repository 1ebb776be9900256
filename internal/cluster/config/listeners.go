package config

import (
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Protocol is Kafka's number of a security protocol.
type Protocol int16

// The protocols.
const (
	Plaintext Protocol = iota
	SSL
	SASLPlaintext
	SASLSSL
)

var protocolNames = []string{"PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"}

func (p Protocol) String() string { return protocolNames[p] }

// TLS reports whether connections are encrypted.
func (p Protocol) TLS() bool { return p == SSL || p == SASLSSL }

// SASL reports whether clients must authenticate by SASL.
func (p Protocol) SASL() bool { return p == SASLPlaintext || p == SASLSSL }

// An Endpoint is one entry of listeners or advertised.listeners. An empty Host is every
// interface in listeners, and this machine's name in what is advertised. Port 0 is any
// free port in listeners, and the one that was found in what is advertised.
type Endpoint struct {
	Name     string // in capitals
	Host     string
	Port     int
	Protocol Protocol
}

// Address is HOST:PORT as package net wants it.
func (e Endpoint) Address() string {
	h := e.Host
	if strings.Contains(h, ":") {
		h = "[" + h + "]"
	}
	return h + ":" + strconv.Itoa(e.Port)
}

func (e Endpoint) String() string { return e.Name + "://" + e.Address() }

// Listeners is where a node listens and what it tells others.
type Listeners struct {
	Broker               []Endpoint // bound; for clients and brokers
	Controller           []Endpoint // bound; for the metadata quorum
	Advertised           []Endpoint // of Broker, the same names
	AdvertisedController []Endpoint
	InterBroker          string   // the name of the listener between brokers; empty on a node that is no broker
	ControllerNames      []string // how this node reaches controllers, the first that works
	Protocols            map[string]Protocol
}

// ParseListeners reads listeners, advertised.listeners, listener.security.protocol.map,
// inter.broker.listener.name, security.inter.broker.protocol, controller.listener.names
// and process.roles, and checks what Kafka checks about them.
func ParseListeners(v Values) (Listeners, Report) {
	p := listenerParser{v: v, roles: ProcessRoles.Get(v)}
	p.l.ControllerNames = upper(ControllerListenerNames.Get(v))
	p.protocols()
	var bound []Endpoint
	if !p.is("observer") || ListenerList.IsSet(v) {
		bound = p.endpoints("listeners", ListenerList.Get(v), true)
	}
	for _, e := range bound {
		if slices.Contains(p.l.ControllerNames, e.Name) {
			p.l.Controller = append(p.l.Controller, e)
		} else {
			p.l.Broker = append(p.l.Broker, e)
		}
	}
	p.advertise(bound)
	if len(p.rep.Errors) == 0 {
		p.interBroker()
		p.controllers()
	}
	return p.l, p.rep
}

type listenerParser struct {
	v     Values
	roles []string
	l     Listeners
	rep   Report
}

func (p *listenerParser) fail(key, format string, args ...any) {
	p.rep.errorf(key, Origin{}, format, args...)
}

func upper(names []string) []string {
	l := slices.Clone(names)
	for i := range l {
		l[i] = strings.ToUpper(l[i])
	}
	return l
}

func (p *listenerParser) protocols() {
	p.l.Protocols = map[string]Protocol{}
	m := ListenerSecurityProtocolMap.Get(p.v)
	for _, pair := range splitList(m) {
		name, proto, ok := strings.Cut(pair, ":")
		name = strings.ToUpper(strings.TrimSpace(name))
		i := slices.Index(protocolNames, strings.ToUpper(strings.TrimSpace(proto)))
		if !ok || name == "" || i < 0 {
			p.fail("listener.security.protocol.map", "listener.security.protocol.map: %q is not NAME:PROTOCOL (one of %s)", pair, strings.Join(protocolNames, ", "))
			continue
		}
		if _, twice := p.l.Protocols[name]; twice {
			p.fail("listener.security.protocol.map", "listener.security.protocol.map names listener %s twice", name)
		}
		p.l.Protocols[name] = Protocol(i)
	}
	if ListenerSecurityProtocolMap.IsSet(p.v) {
		return
	}
	// Nobody mapped anything: controllers speak plaintext, unless security is in use.
	secure := func(s string) bool { i := slices.Index(protocolNames, s); return i > 0 }
	for _, l := range ListenerList.Get(p.v) {
		if name, _, _ := strings.Cut(l, ":"); secure(strings.ToUpper(name)) {
			return
		}
	}
	if slices.ContainsFunc(p.l.ControllerNames, secure) {
		return
	}
	for _, n := range p.l.ControllerNames {
		p.l.Protocols[n] = Plaintext
	}
}

var endpointPattern = regexp.MustCompile(`^(.*)://\[?([0-9a-zA-Z\-%._:]*)\]?:(-?[0-9]+)$`)

func (p *listenerParser) endpoints(key string, entries []string, distinct bool) []Endpoint {
	var eps []Endpoint
	for _, s := range entries {
		m := endpointPattern.FindStringSubmatch(s)
		if m == nil || m[1] == "" {
			p.fail(key, "%s: %q is not NAME://HOST:PORT", key, s)
			continue
		}
		port, err := strconv.Atoi(m[3])
		if err != nil || port < 0 || port > 65535 {
			p.fail(key, "%s: port %s of %q is out of range (from 0 to 65535)", key, m[3], s)
			continue
		}
		e := Endpoint{Name: strings.ToUpper(m[1]), Host: m[2], Port: port}
		proto, ok := p.l.Protocols[e.Name]
		if !ok {
			p.fail(key, "%s: listener %s has no security protocol; add %s:PLAINTEXT (or another one) to listener.security.protocol.map", key, e.Name, e.Name)
			continue
		}
		e.Protocol = proto
		if slices.ContainsFunc(eps, func(o Endpoint) bool { return o.Name == e.Name }) {
			p.fail(key, "%s: each listener must have a name of its own, and %s comes twice", key, e.Name)
			continue
		}
		if i := slices.IndexFunc(eps, func(o Endpoint) bool { return o.Port == e.Port && !bothStacks(o, e) }); i >= 0 && distinct && e.Port != 0 {
			p.fail(key, "%s: %s and %s have the same port", key, eps[i].Name, e.Name)
			continue
		}
		eps = append(eps, e)
	}
	return eps
}

// bothStacks reports whether a and b may share a port: one is IPv4, the other IPv6.
func bothStacks(a, b Endpoint) bool {
	x, err1 := netip.ParseAddr(a.Host)
	y, err2 := netip.ParseAddr(b.Host)
	return err1 == nil && err2 == nil && x.Is4() != y.Is4()
}

func (p *listenerParser) is(role string) bool { return slices.Contains(p.roles, role) }

// wildcard hosts can be listened on but not connected to.
func wildcard(host string) bool { return host == "0.0.0.0" || host == "::" }

func (p *listenerParser) advertise(bound []Endpoint) {
	adv := slices.Clone(bound)
	if l, set := AdvertisedListeners.Lookup(p.v); set {
		adv = p.endpoints("advertised.listeners", l, false)
	}
	for _, e := range adv {
		controller := slices.Contains(p.l.ControllerNames, e.Name)
		switch {
		case wildcard(e.Host) && controller && !AdvertisedListeners.IsSet(p.v):
			e.Host = "" // this machine's name
			fallthrough
		case controller:
			p.l.AdvertisedController = append(p.l.AdvertisedController, e)
		case wildcard(e.Host):
			p.fail("advertised.listeners", "advertised.listeners cannot tell clients to connect to %s: set advertised.listeners=%s://HOST:%d with a host that they can reach", e.Host, e.Name, e.Port)
		default:
			p.l.Advertised = append(p.l.Advertised, e)
			p.warnLoopback(e, bound)
		}
	}
	if !p.is("broker") {
		return
	}
	if len(p.l.Advertised) == 0 && len(p.rep.Errors) == 0 {
		p.fail("advertised.listeners", "there must be at least one listener for clients; all listeners are in controller.listener.names")
	}
	for _, e := range p.l.Advertised {
		if !slices.ContainsFunc(p.l.Broker, func(b Endpoint) bool { return b.Name == e.Name }) {
			p.fail("advertised.listeners", "advertised.listeners has %s, which is not among listeners (%s)", e.Name, names(p.l.Broker))
		}
	}
}

// warnLoopback tells of an address that only this machine can use, though the listener
// is open to others.
func (p *listenerParser) warnLoopback(e Endpoint, bound []Endpoint) {
	i := slices.IndexFunc(bound, func(b Endpoint) bool { return b.Name == e.Name })
	if i >= 0 && AdvertisedListeners.IsSet(p.v) && loopback(e.Host) && !loopback(bound[i].Host) {
		p.rep.warnf("advertised.listeners", Origin{}, "listener %s is open to other machines, but clients there are told to connect to %s, which is themselves", e.Name, e.Host)
	}
}

func loopback(host string) bool {
	a, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && a.IsLoopback()
}

func names(eps []Endpoint) string {
	var l []string
	for _, e := range eps {
		l = append(l, e.Name)
	}
	return strings.Join(l, ", ")
}

func (p *listenerParser) interBroker() {
	if !p.is("broker") {
		return
	}
	name, set := InterBrokerListenerName.Lookup(p.v)
	if set && SecurityInterBrokerProtocol.IsSet(p.v) {
		p.fail("inter.broker.listener.name", "only one of inter.broker.listener.name and security.inter.broker.protocol may be set")
		return
	}
	if !set {
		name = SecurityInterBrokerProtocol.Get(p.v)
	}
	name = strings.ToUpper(name)
	if !slices.ContainsFunc(p.l.Advertised, func(e Endpoint) bool { return e.Name == name }) {
		p.fail("inter.broker.listener.name", "inter.broker.listener.name: brokers would talk over listener %s, which is not advertised (%s)", name, names(p.l.Advertised))
		return
	}
	p.l.InterBroker = name
}

// controllers checks the listeners of the quorum. A node that is a quorum of its own
// needs none, and then the default name need not exist.
func (p *listenerParser) controllers() {
	alone := len(ControllerQuorumVoters.Get(p.v)) <= 1 && len(ControllerQuorumBootstrapServers.Get(p.v)) == 0 && !ControllerListenerNames.IsSet(p.v)
	switch {
	case p.is("controller") && !alone:
		for _, n := range p.l.ControllerNames {
			if !slices.ContainsFunc(p.l.Controller, func(e Endpoint) bool { return e.Name == n }) {
				p.fail("controller.listener.names", "controller.listener.names has %s, which is not among listeners", n)
			}
		}
	case !p.is("controller") && len(p.l.Controller) > 0:
		p.fail("controller.listener.names", "%s is in controller.listener.names and in listeners, but process.roles has no controller", names(p.l.Controller))
	}
	if !p.is("broker") && len(p.l.Broker) > 0 {
		p.fail("listeners", "listeners has %s, but process.roles=%s allows only those in controller.listener.names", names(p.l.Broker), strings.Join(p.roles, ","))
	}
	if !p.is("controller") {
		for _, n := range p.l.ControllerNames {
			if _, ok := p.l.Protocols[n]; !ok {
				p.fail("controller.listener.names", "controller listener %s has no security protocol; add it to listener.security.protocol.map", n)
			}
		}
	}
}

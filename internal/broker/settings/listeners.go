package settings

import (
	"net"
	"slices"
	"strconv"
	"strings"

	"github.com/odradek/odradek/internal/cluster/config"
)

// listeners settles where the node listens and what it tells clients.
func (l *loader) listeners() {
	if len(l.s.Report.Errors) > 0 && l.unread("listeners", "advertised.listeners", "listener.security.protocol.map", "process.roles", "controller.listener.names") {
		return // complaints about defaults would only confuse
	}
	ls, rep := config.ParseListeners(l.s.Values)
	for _, list := range [][]config.Problem{rep.Errors, rep.Warnings, rep.Infos} {
		for i := range list {
			set, _ := l.s.Static.Lookup(list[i].Name)
			list[i].Origin = set.Origin
		}
	}
	l.s.Report.Add(rep)
	if len(rep.Errors) > 0 {
		return
	}
	l.s.InterBroker = ls.InterBroker
	for _, b := range ls.Broker {
		i := slices.IndexFunc(ls.Advertised, func(a config.Endpoint) bool { return a.Name == b.Name })
		if i < 0 {
			l.info("advertised.listeners", "listener %s is open but advertised to nobody", b.Name)
			l.s.Listeners = append(l.s.Listeners, Listener{Name: b.Name, Protocol: b.Protocol, Bind: b.Address()})
			continue
		}
		adv := ls.Advertised[i]
		l.s.Listeners = append(l.s.Listeners, Listener{
			Name: b.Name, Protocol: b.Protocol, Bind: b.Address(),
			AdvertisedHost: l.host(adv), AdvertisedPort: adv.Port,
		})
	}
	if len(ls.Controller) > 0 {
		l.info("controller.listener.names", "listener %s is not opened: a single node needs no traffic between controllers", ls.Controller[0].Name)
	}
}

// unread reports whether one of keys was set to what could not be read.
func (l *loader) unread(keys ...string) bool {
	return slices.ContainsFunc(l.s.Report.Errors, func(p config.Problem) bool { return slices.Contains(keys, p.Name) })
}

// host is what clients are told to connect to: for a listener on all interfaces that
// nobody advertised, this machine's name.
func (l *loader) host(e config.Endpoint) string {
	if e.Host != "" {
		return e.Host
	}
	if l.in.Hostname != nil {
		if h, err := l.in.Hostname(); err == nil && h != "" {
			l.info("advertised.listeners", "clients of listener %s are told to connect to %s; set advertised.listeners if they cannot", e.Name, net.JoinHostPort(h, strconv.Itoa(e.Port)))
			return h
		}
	}
	l.fail("advertised.listeners", "this machine's name is unknown: set advertised.listeners=%s://HOST:%d", e.Name, e.Port)
	return ""
}

// supported refuses settings that ask for what this version cannot do and that would be
// dangerous to ignore: a node that looks guarded and is not, or one that believes to be
// a whole cluster and is a part of another.
func (l *loader) supported() {
	v := l.s.Values
	for _, ln := range l.s.Listeners {
		if ln.Protocol != config.Plaintext {
			l.fail("listeners", "listener %s asks for %s: this version serves PLAINTEXT only, and does not start unguarded instead", ln.Name, ln.Protocol)
		}
	}
	if a := config.AuthorizerClassName.Get(v); a != "" {
		l.fail("authorizer.class.name", "authorizer.class.name=%s asks for access control: this version has none, and does not start unguarded instead", a)
	}
	roles := config.ProcessRoles.Get(v)
	if !slices.Contains(roles, "broker") || !slices.Contains(roles, "controller") {
		l.fail("process.roles", "process.roles=%s: this version runs single nodes, which are broker and controller", strings.Join(roles, ","))
	}
	l.alone(roles)
}

// alone refuses a quorum of several nodes.
func (l *loader) alone(roles []string) {
	v := l.s.Values
	voters, err := config.ParseVoters(config.ControllerQuorumVoters.Get(v))
	if err != nil {
		panic("bug: the range of controller.quorum.voters let through " + err.Error())
	}
	switch {
	case len(voters) > 1:
		l.fail("controller.quorum.voters", "controller.quorum.voters names %d voters: this version runs single nodes", len(voters))
	case len(voters) == 1 && slices.Contains(roles, "controller") && voters[0].ID != l.s.NodeID:
		l.fail("controller.quorum.voters", "controller.quorum.voters does not name this node, %d", l.s.NodeID)
	}
	servers := config.ControllerQuorumBootstrapServers.Get(v)
	if len(servers) == 0 {
		return
	}
	// Kafka's own server.properties for one node names itself here.
	ls, _ := config.ParseListeners(v)
	self := func(s string) bool {
		_, port, err := net.SplitHostPort(s)
		return err == nil && slices.ContainsFunc(ls.Controller, func(e config.Endpoint) bool { return strconv.Itoa(e.Port) == port })
	}
	if len(servers) > 1 || !self(servers[0]) {
		l.fail("controller.quorum.bootstrap.servers", "controller.quorum.bootstrap.servers=%s is not this node's own controller listener: this version runs single nodes", strings.Join(servers, ","))
	}
}

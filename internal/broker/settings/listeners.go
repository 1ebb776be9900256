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
	for _, c := range ls.Controller {
		own := Listener{Name: c.Name, Protocol: c.Protocol, Bind: c.Address()}
		if i := slices.IndexFunc(ls.AdvertisedController, func(a config.Endpoint) bool { return a.Name == c.Name }); i >= 0 {
			own.AdvertisedHost, own.AdvertisedPort = l.controllerHost(ls.AdvertisedController[i]), ls.AdvertisedController[i].Port
		}
		l.s.Controllers = append(l.s.Controllers, own)
	}
}

// controllerHost is where other nodes reach this one's controller listener: for one that
// is open on all interfaces, what controller.quorum.voters says, or this machine's name.
func (l *loader) controllerHost(e config.Endpoint) string {
	if e.Host != "" {
		return e.Host
	}
	voters, _ := config.ParseVoters(config.ControllerQuorumVoters.Get(l.s.Values))
	for _, v := range voters {
		if v.ID == l.s.NodeID && v.Host != "" {
			return v.Host
		}
	}
	if l.in.Hostname != nil {
		if h, err := l.in.Hostname(); err == nil {
			return h
		}
	}
	return ""
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
// dangerous to ignore: a node that looks guarded and is not.
func (l *loader) supported() {
	v := l.s.Values
	for _, ln := range slices.Concat(l.s.Listeners, l.s.Controllers) {
		if ln.Protocol != config.Plaintext {
			l.fail("listeners", "listener %s asks for %s: this version serves PLAINTEXT only, and does not start unguarded instead", ln.Name, ln.Protocol)
		}
	}
	if a := config.AuthorizerClassName.Get(v); a != "" {
		l.fail("authorizer.class.name", "authorizer.class.name=%s asks for access control: this version has none, and does not start unguarded instead", a)
	}
}

// quorum settles what the node is in the cluster and where it finds the others.
func (l *loader) quorum() {
	v := l.s.Values
	roles := config.ProcessRoles.Get(v)
	l.s.Broker, l.s.Controller = slices.Contains(roles, "broker"), slices.Contains(roles, "controller")
	l.s.Observer = slices.Contains(roles, "observer")
	if l.unread("controller.quorum.voters", "controller.quorum.bootstrap.servers", "process.roles") {
		return
	}
	voters, err := config.ParseVoters(config.ControllerQuorumVoters.Get(v))
	if err != nil {
		panic("bug: the range of controller.quorum.voters let through " + err.Error())
	}
	l.s.Voters, l.s.Bootstrap = voters, config.ControllerQuorumBootstrapServers.Get(v)
	if l.s.Controller && len(voters) == 0 && l.onlySelf(l.s.Bootstrap) {
		l.s.Bootstrap = nil // Kafka's own server.properties for one node names itself here
	}
	i := slices.IndexFunc(voters, func(v config.Voter) bool { return v.ID == l.s.NodeID })
	switch {
	case len(voters)%2 == 0 && len(voters) > 0:
		l.warn("controller.quorum.voters", "%d voters survive no more failures than %d do: use 1, 3 or 5", len(voters), len(voters)-1)
	case !l.s.Controller && i >= 0:
		l.fail("controller.quorum.voters", "controller.quorum.voters names this node, %d, but process.roles=%s has no controller", l.s.NodeID, strings.Join(roles, ","))
	case l.s.Observer && len(roles) > 1:
		l.fail("process.roles", "process.roles=%s: an observer has no other role", strings.Join(roles, ","))
	case !l.s.Controller && len(voters)+len(l.s.Bootstrap) == 0:
		l.fail("process.roles", "process.roles=%s: where are the controllers? Set controller.quorum.voters=ID@HOST:PORT,… or controller.quorum.bootstrap.servers=HOST:PORT,…", strings.Join(roles, ","))
	case l.s.Controller && len(voters) > 0 && i < 0 && len(l.s.Controllers) == 0:
		l.fail("controller.quorum.voters", "controller.quorum.voters does not name this node, %d: name it, or open a listener of controller.listener.names so that it can be added to the quorum later", l.s.NodeID)
	case l.s.Controller && len(voters) > 1 && len(l.s.Controllers) == 0:
		l.fail("controller.listener.names", "controller.quorum.voters names %d voters, but no listener of controller.listener.names is open here", len(voters))
	}
}

// onlySelf reports whether servers are this node's own controller listener and no other.
func (l *loader) onlySelf(servers []string) bool {
	if len(servers) != 1 {
		return false
	}
	_, port, err := net.SplitHostPort(servers[0])
	return err == nil && slices.ContainsFunc(l.s.Controllers, func(c Listener) bool {
		return strconv.Itoa(c.AdvertisedPort) == port || strings.HasSuffix(c.Bind, ":"+port)
	})
}

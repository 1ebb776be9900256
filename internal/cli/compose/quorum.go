package compose

import (
	"fmt"
	"net"
	"slices"
	"strings"

	"github.com/odradek/odradek/internal/cluster/config"
)

// quorum settles who votes, and writes all that is about listeners and roles. In a file
// that knows ZooKeeper only, the first brokers vote.
func (p *planner) quorum() error {
	kraft := slices.ContainsFunc(p.nodes, func(d *draft) bool {
		return d.static["process.roles"] != "" || d.static["controller.quorum.voters"] != "" || d.static["controller.quorum.bootstrap.servers"] != ""
	})
	for i, d := range p.nodes {
		d.Settings = map[string]string{}
		votes := slices.Contains(config.ProcessRoles.Get(d.set.Values), "controller")
		if !kraft {
			votes = i < Voters(len(p.nodes))
		}
		if err := p.speak(d, votes); err != nil {
			return err
		}
	}
	voters, err := p.voters()
	if err != nil {
		return err
	}
	for _, d := range p.nodes {
		d.Settings["controller.quorum.voters"] = voters
	}
	return nil
}

// Voters is how many of n nodes should vote: an odd number, at most five.
func Voters(n int) int {
	if n%2 == 0 && n > 0 {
		n--
	}
	return min(n, 5)
}

// speak writes a node's roles and listeners.
func (p *planner) speak(d *draft, votes bool) error {
	s := d.Settings
	name := d.controllerName()
	var roles, bound, advertised []string
	for i, l := range d.listeners {
		bound = append(bound, l.Name+"://"+local(l.port))
		if l.AdvertisedHost != "" {
			advertised = append(advertised, l.Name+"://"+local(l.port))
		}
		if i == d.forPeople() {
			d.Kafka, roles = local(l.port), append(roles, "broker")
		} else {
			d.Others = append(d.Others, local(l.port))
		}
	}
	if votes {
		if len(d.controls) == 0 {
			port, err := p.reserve(above(d.firstPort(9092), 10_000))
			if err != nil {
				return err
			}
			d.controls = []draftListener{{port: port}}
			d.controls[0].Name = name
		}
		for i, c := range d.controls {
			bound = append(bound, c.Name+"://"+local(c.port))
			if i == 0 {
				d.Controller = local(c.port)
			} else {
				d.Others = append(d.Others, local(c.port))
			}
		}
		roles = append(roles, "controller")
	}
	s["process.roles"], s["listeners"] = strings.Join(roles, ","), strings.Join(bound, ",")
	s["advertised.listeners"] = strings.Join(advertised, ",")
	if len(advertised) == 0 {
		delete(s, "advertised.listeners")
		p.drop(d, "advertised.listeners")
	}
	s["controller.listener.names"] = firstNonEmpty(d.static["controller.listener.names"], name)
	if m := d.static["listener.security.protocol.map"]; m != "" && !strings.Contains(","+strings.ToUpper(m), ","+name+":") {
		s["listener.security.protocol.map"] = m + "," + name + ":PLAINTEXT"
	}
	return nil
}

// forPeople is the first listener that the file publishes, else the first.
func (d *draft) forPeople() int {
	return max(0, slices.IndexFunc(d.listeners, func(l draftListener) bool { _, ok := d.service.Ports[l.inside]; return ok }))
}

// drop leaves out a setting of the file.
func (p *planner) drop(d *draft, key string) { delete(d.static, key) }

// controllerName is the listener on which controllers talk: the file's, or one that no
// listener for clients has.
func (d *draft) controllerName() string {
	if n := config.ControllerListenerNames.Get(d.set.Values); d.static["controller.listener.names"] != "" && len(n) > 0 {
		return strings.ToUpper(n[0])
	}
	name := "CONTROLLER"
	for slices.ContainsFunc(d.listeners, func(l draftListener) bool { return l.Name == name }) {
		name += "_"
	}
	return name
}

// voters are the quorum's first voters: those that the file names, else all controllers.
func (p *planner) voters() (string, error) {
	var named []config.Voter
	for _, d := range p.nodes {
		v, err := config.ParseVoters(config.ControllerQuorumVoters.Get(d.set.Values))
		if err != nil {
			return "", fmt.Errorf("service %s: %w", d.service.Name, err)
		}
		if len(v) > 0 {
			named = v
			break
		}
	}
	var out []string
	for _, v := range named {
		i := slices.IndexFunc(p.nodes, func(d *draft) bool { return d.ID == v.ID && d.Controller != "" })
		if i < 0 {
			return "", fmt.Errorf("voter %d@%s of controller.quorum.voters is no controller of the file", v.ID, net.JoinHostPort(v.Host, fmt.Sprint(v.Port)))
		}
		out = append(out, fmt.Sprintf("%d@%s", v.ID, p.nodes[i].Controller))
	}
	if len(named) > 0 {
		return strings.Join(out, ","), nil
	}
	for _, d := range p.nodes {
		if d.Controller != "" {
			out = append(out, fmt.Sprintf("%d@%s", d.ID, d.Controller))
		}
	}
	if len(out) == 0 {
		return "", fmt.Errorf("no service of the file is a controller")
	}
	return strings.Join(out[:Voters(len(out))], ","), nil
}

func firstNonEmpty(texts ...string) string {
	i := slices.IndexFunc(texts, func(s string) bool { return s != "" })
	if i < 0 {
		return ""
	}
	return texts[i]
}

package compose

import (
	"cmp"
	"errors"
	"fmt"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/odradek/odradek/internal/broker/settings"
	"github.com/odradek/odradek/internal/cluster/config"
)

// Node is a broker, controller or ZooKeeper of a file as a process of this machine.
type Node struct {
	Name       string // of its service, fit for a file
	ID         int32
	Kafka      string   // the first listener for clients, "" if it has none
	Others     []string // the further ones
	Controller string
	ZooKeeper  string // where it shows the cluster as ZooKeeper would; such a node does nothing else
	Admin      string
	ClusterID  string            // "" if the file names none
	Settings   map[string]string // all of them, as for server.properties
}

// Nodes makes nodes of the brokers among the services, in their order. Every host of the
// file becomes localhost and every port one that no other node has: that which the file
// publishes or advertises if it can be. dataDir is where a node's containers' folders go.
// The notes tell what of the file has no effect.
func Nodes(services []Service, dataDir func(name string) string) (nodes []Node, notes []string, err error) {
	p := planner{dataDir: dataDir, taken: map[int]bool{}}
	var errs []error
	for _, s := range services {
		errs = append(errs, p.take(s))
	}
	if len(p.nodes) == 0 && errors.Join(errs...) == nil {
		errs = append(errs, errors.New("no service of the file is a Kafka broker"))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, p.notes, err
	}
	for _, step := range []func() error{p.ids, p.clientPorts, p.otherPorts, p.quorum, p.finish} {
		if err := step(); err != nil {
			return nil, p.notes, err
		}
	}
	for _, d := range p.nodes {
		nodes = append(nodes, d.Node)
	}
	if len(p.zk) > 0 {
		z, err := p.observer()
		if err != nil {
			return nil, p.notes, err
		}
		nodes = append(nodes, z)
	}
	return nodes, p.notes, nil
}

// planner makes the nodes step by step.
type planner struct {
	dataDir func(name string) string
	nodes   []*draft
	taken   map[int]bool // ports
	zk      []zooKeeper
	notes   []string
}

// zooKeeper is a ZooKeeper service of the file.
type zooKeeper struct {
	name string // fit for a file
	port int
}

// draft is a node that is being made.
type draft struct {
	Node
	service   Service
	set       *settings.Settings
	static    map[string]string
	listeners []draftListener
	controls  []draftListener
}

// draftListener is a listener as the file has it, and the port that it gets here.
type draftListener struct {
	settings.Listener
	inside int // the container's port
	port   int
}

func (p *planner) note(format string, args ...any) {
	p.notes = append(p.notes, fmt.Sprintf(format, args...))
}

// take looks at one service.
func (p *planner) take(s Service) error {
	kind := s.Kind()
	switch {
	case kind == Other:
		p.note("service %s is no broker and is not run", s.Name)
		return nil
	case len(s.Profiles) > 0:
		p.note("service %s belongs to a profile and is not run", s.Name)
		return nil
	case kind == ZooKeeper:
		p.zk = append(p.zk, zooKeeper{fileName(s.Name), s.zooKeeperPort()})
		return nil
	case s.Replicas > 1:
		return fmt.Errorf("service %s: %d replicas: write each broker as a service of its own, with an id and ports of its own", s.Name, s.Replicas)
	}
	d := &draft{service: s, Node: Node{Name: fileName(s.Name)}}
	if slices.ContainsFunc(p.nodes, func(o *draft) bool { return o.Name == d.Name }) {
		return fmt.Errorf("service %s: another service is called almost the same", s.Name)
	}
	if err := d.load(); err != nil {
		return err
	}
	p.nodes = append(p.nodes, d)
	return nil
}

// fileName is a service's name without what a file's name should not have.
func fileName(service string) string {
	return strings.Map(func(r rune) rune {
		if r == '-' || r == '_' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' {
			return r
		}
		return '-'
	}, service)
}

// zooKeeperPort is where the file publishes ZooKeeper.
func (s Service) zooKeeperPort() int {
	inside := 2181
	for _, name := range []string{"ZOOKEEPER_CLIENT_PORT", "ZOO_PORT_NUMBER", "ZOO_PORT"} {
		if n, err := parsePort(s.Environment[name]); err == nil {
			inside = n
		}
	}
	if outside, ok := s.Ports[inside]; ok {
		return outside
	}
	return inside
}

// load reads a service's variables as the node itself would.
func (d *draft) load() error {
	set, err := settings.Load(settings.Input{
		Environ:  append(d.service.Environ(), "HOME=/"),
		Hostname: func() (string, error) { return d.service.Name, nil },
	})
	if err != nil {
		var errs []error
		for _, p := range set.Report.Errors {
			errs = append(errs, fmt.Errorf("service %s: %s", d.service.Name, p))
		}
		return errors.Join(errs...)
	}
	d.set, d.static, d.ClusterID = set, set.StaticMap(), set.ClusterID
	for _, l := range set.Listeners {
		d.listeners = append(d.listeners, draftListener{Listener: l, inside: portOf(l.Bind)})
	}
	endpoints, _ := config.ParseListeners(set.Values) // Load has told what is wrong with them
	for _, c := range endpoints.Controller {
		d.controls = append(d.controls, draftListener{Listener: settings.Listener{Name: c.Name}, inside: c.Port})
	}
	return nil
}

func portOf(address string) int {
	n, err := parsePort(address[strings.LastIndexByte(address, ':')+1:])
	if err != nil {
		return 0 // any free one
	}
	return n
}

// ids gives an id to each node whose service names none, as Kafka with ZooKeeper did.
func (p *planner) ids() error {
	used := map[int32]string{}
	var without []*draft
	for _, d := range p.nodes {
		if d.static["node.id"] == "" {
			without = append(without, d)
			continue
		}
		d.ID = d.set.NodeID
		if other := used[d.ID]; other != "" {
			return fmt.Errorf("services %s and %s have the same id, %d", other, d.service.Name, d.ID)
		}
		used[d.ID] = d.service.Name
	}
	next := int32(1)
	for _, d := range without {
		for used[next] != "" {
			next++
		}
		d.ID = next
		used[next] = d.service.Name
	}
	return nil
}

// reserve takes the wanted port, or the next that nobody has.
func (p *planner) reserve(wanted int) (int, error) {
	for w := wanted; w <= 65_535; w++ {
		if !p.taken[w] {
			p.taken[w] = true
			return w, nil
		}
	}
	return 0, errors.New("there are not enough ports")
}

// clientPorts settles the ports of listeners for clients and brokers: first of those that
// the file publishes, since people know them by these.
func (p *planner) clientPorts() (err error) {
	for _, published := range []bool{true, false} {
		for _, d := range p.nodes {
			for i := range d.listeners {
				l := &d.listeners[i]
				outside, ok := d.service.Ports[l.inside]
				if ok != published {
					continue
				}
				if l.port, err = p.reserve(cmp.Or(outside, l.AdvertisedPort, l.inside, 9092)); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// otherPorts settles those that only nodes and operators use.
func (p *planner) otherPorts() (err error) {
	if len(p.zk) > 1 {
		p.note("service %s shows the brokers as ZooKeeper would: the other ZooKeeper services are not run", p.zk[0].name)
	}
	if len(p.zk) > 0 {
		if p.zk[0].port, err = p.reserve(p.zk[0].port); err != nil {
			return err
		}
	}
	for _, d := range p.nodes {
		for i := range d.controls {
			c := &d.controls[i]
			if c.port, err = p.reserve(cmp.Or(d.service.Ports[c.inside], above(d.firstPort(c.inside), 10_000))); err != nil {
				return err
			}
		}
	}
	for _, d := range p.nodes {
		port, err := p.reserve(above(d.firstPort(9092), 5_000))
		if err != nil {
			return err
		}
		d.Admin = local(port)
	}
	return nil
}

// firstPort is that of the first listener for clients, else or.
func (d *draft) firstPort(or int) int {
	if len(d.listeners) > 0 {
		return d.listeners[0].port
	}
	return or
}

// above is a port so much higher, or lower if there is none.
func above(port, by int) int {
	if port+by > 65_535 {
		return max(1024, port-by)
	}
	return port + by
}

func local(port int) string { return fmt.Sprintf("localhost:%d", port) }

// finish writes the settings.
func (p *planner) finish() error {
	for _, d := range p.nodes {
		s := d.Settings
		for k, v := range d.static {
			if _, ours := s[k]; !ours && !slices.Contains(replaced, k) && !strings.HasPrefix(k, "zookeeper.") {
				s[k] = v
			}
		}
		s["node.id"] = fmt.Sprint(d.ID)
		s["odradek.admin.listener"] = d.Admin
		d.folders(p.dataDir(d.Name))
	}
	return nil
}

// observerID is the first that is tried for the node that stands in for ZooKeeper: its
// port, which people know.
const observerID = 2181

// observer is the node that shows what ZooKeeper would, whichever of the others is down.
func (p *planner) observer() (Node, error) {
	z := p.zk[0]
	n := Node{Name: z.name, ID: observerID, ZooKeeper: local(z.port)}
	for slices.ContainsFunc(p.nodes, func(d *draft) bool { return d.ID == n.ID }) {
		n.ID++
	}
	if slices.ContainsFunc(p.nodes, func(d *draft) bool { return d.Name == n.Name }) {
		return n, fmt.Errorf("service %s: another service is called almost the same", n.Name)
	}
	port, err := p.reserve(above(z.port, 5_000))
	if err != nil {
		return n, err
	}
	n.Admin = local(port)
	like := p.nodes[0].Settings
	n.Settings = map[string]string{
		"node.id": fmt.Sprint(n.ID), "process.roles": "observer", "log.dirs": filepath.Join(p.dataDir(n.Name), "data"),
		"odradek.admin.listener": n.Admin, "odradek.zookeeper.listener": n.ZooKeeper,
	}
	for _, key := range []string{"controller.quorum.voters", "controller.listener.names", "listener.security.protocol.map"} {
		if v, ok := like[key]; ok {
			n.Settings[key] = v
		}
	}
	return n, nil
}

// replaced are settings for which others are written.
var replaced = strings.Fields(`broker.id broker.id.generation.enable host.name port advertised.host.name advertised.port
	log.dir odradek.data.dir controller.quorum.bootstrap.servers`)

// folders puts the container's folders into the node's own.
func (d *draft) folders(dir string) {
	inside := func(folder string) string {
		return filepath.Join(dir, filepath.FromSlash(path.Clean("/"+filepath.ToSlash(folder))))
	}
	dirs := []string{inside("data")}
	for _, key := range []string{"log.dirs", "log.dir", "odradek.data.dir"} {
		if d.static[key] != "" {
			dirs = dirs[:0]
			for _, f := range d.set.DataDirs {
				dirs = append(dirs, inside(f))
			}
			break
		}
	}
	d.Settings["log.dirs"] = strings.Join(dirs, ",")
	if m := config.MetadataLogDir.Get(d.set.Values); m != "" {
		d.Settings["metadata.log.dir"] = inside(m)
	}
}

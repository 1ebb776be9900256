package cluster

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// network is a bridge with a namespace for each node, in which only that node lives. The
// test itself stays outside, on the bridge, and reaches every node.
type network struct {
	t      *testing.T
	bridge string
	spaces []string
	Hosts  []string
}

// newNetwork makes a network, or skips the test and says why it cannot.
func newNetwork(t *testing.T, nodes int) *network {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("SKIPPED: only root may make network namespaces")
	}
	for _, tool := range []string{"ip", "iptables"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("SKIPPED: there is no %s (apt-get install iproute2 iptables)", tool)
		}
	}
	id := os.Getpid() % 65536
	n := &network{t: t, bridge: fmt.Sprintf("odk%04xbr", id)}
	unhook := OnInterrupt(n.remove)
	t.Cleanup(func() { unhook(); n.remove() })
	if err := run("ip", "link", "add", n.bridge, "type", "bridge"); err != nil {
		t.Skipf("SKIPPED: no bridge can be made here: %v", err)
	}
	subnet := freeSubnet(t)
	n.must("ip", "addr", "add", subnet+".254/24", "dev", n.bridge)
	n.must("ip", "link", "set", n.bridge, "up")
	for i := range nodes {
		space, outer, inner := fmt.Sprintf("odk%04xn%d", id, i+1), fmt.Sprintf("odk%04xo%d", id, i+1), fmt.Sprintf("odk%04xi%d", id, i+1)
		host := fmt.Sprintf("%s.%d", subnet, i+1)
		if err := run("ip", "netns", "add", space); err != nil {
			t.Skipf("SKIPPED: no network namespace can be made here: %v", err)
		}
		n.spaces, n.Hosts = append(n.spaces, space), append(n.Hosts, host)
		n.must("ip", "link", "add", outer, "type", "veth", "peer", "name", inner, "netns", space)
		n.must("ip", "link", "set", outer, "master", n.bridge, "up")
		n.must("ip", "-n", space, "addr", "add", host+"/24", "dev", inner)
		n.must("ip", "-n", space, "link", "set", inner, "up")
		n.must("ip", "-n", space, "link", "set", "lo", "up")
		if err := n.in(i, "iptables", "-S"); err != nil {
			t.Skipf("SKIPPED: iptables does not work here: %v", err)
		}
	}
	return n
}

// freeSubnet is one of the benchmark networks of RFC 2544 that nobody here uses.
func freeSubnet(t *testing.T) string {
	t.Helper()
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for third := range 256 {
		subnet, taken := fmt.Sprintf("198.18.%d", third), false
		for _, a := range addrs {
			taken = taken || strings.HasPrefix(a.String(), subnet+".")
		}
		if !taken {
			return subnet
		}
	}
	t.Fatal("no subnet of 198.18.0.0/16 is free")
	return ""
}

// Exec is what a node's command begins with.
func (n *network) Exec() (all [][]string) {
	for _, space := range n.spaces {
		all = append(all, []string{"ip", "netns", "exec", space})
	}
	return all
}

// cut is packets that do not arrive: from one node at another, if the port at either end
// is that one, or any if it is empty.
type cut struct {
	from, to int // indexes of nodes
	ports    []string
}

// Cut drops packets until Heal. Connections stay as they are; nobody is told.
func (n *network) Cut(cuts ...cut) {
	n.t.Helper()
	for _, c := range cuts {
		drop := []string{"iptables", "-A", "INPUT", "-s", n.Hosts[c.from]}
		if c.ports == nil {
			n.try(n.in(c.to, append(drop, "-j", "DROP")...))
		}
		for _, port := range c.ports {
			n.try(n.in(c.to, append(drop, "-p", "tcp", "--dport", port, "-j", "DROP")...))
			n.try(n.in(c.to, append(drop, "-p", "tcp", "--sport", port, "-j", "DROP")...))
		}
	}
}

// Heal lets every packet through again.
func (n *network) Heal() {
	n.t.Helper()
	for i := range n.spaces {
		n.try(n.in(i, "iptables", "-F", "INPUT"))
	}
}

func (n *network) in(i int, words ...string) error {
	return run("ip", append([]string{"netns", "exec", n.spaces[i]}, words...)...)
}

func (n *network) must(name string, args ...string) {
	n.t.Helper()
	n.try(run(name, args...))
}

func (n *network) try(err error) {
	n.t.Helper()
	if err != nil {
		n.t.Fatal(err)
	}
}

// remove takes everything away again; a pair of interfaces goes with its namespace.
func (n *network) remove() {
	for _, space := range n.spaces {
		_ = run("ip", "netns", "del", space)
	}
	_ = run("ip", "link", "del", n.bridge)
}

func run(name string, args ...string) error {
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		return fmt.Errorf("%s %s: %w: %s", name, strings.Join(args, " "), err, out)
	}
	return nil
}

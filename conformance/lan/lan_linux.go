package lan

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// New makes the namespaces, a TUN device in each and one outside, and starts the switch.
// Its error says what this machine lacks.
func New(cfg Config) (l *LAN, err error) {
	if why := lacks(); why != "" {
		return nil, errors.New(why)
	}
	if cfg.MTU == 0 {
		cfg.MTU = 65000
	}
	subnet, err := freeSubnet()
	if err != nil {
		return nil, err
	}
	l = &LAN{Switch: NewSwitch(cfg.Seed), Outside: host(subnet, 254)}
	defer func() {
		if err != nil {
			l.Close()
		}
	}()
	wire, err := l.device(cfg.Name + "h")
	if err != nil {
		return nil, err
	}
	l.Plug(l.Outside, wire)
	if err := up(nil, cfg.Name+"h", l.Outside, subnet, cfg.MTU); err != nil {
		return nil, err
	}
	for i := range cfg.Machines {
		if err := l.machine(cfg, subnet, i); err != nil {
			return nil, err
		}
	}
	l.Start()
	return l, nil
}

// machine makes a namespace that has a device of its own and the loopback.
func (l *LAN) machine(cfg Config, subnet string, i int) error {
	space, addr := fmt.Sprintf("%sn%d", cfg.Name, i+1), host(subnet, i+1)
	if err := run("ip", "netns", "add", space); err != nil {
		return err
	}
	l.spaces, l.Hosts = append(l.spaces, space), append(l.Hosts, addr)
	wire, err := l.device(space)
	if err != nil {
		return err
	}
	l.Plug(addr, wire)
	if err := run("ip", "link", "set", space, "netns", space); err != nil {
		return err
	}
	in := []string{"-n", space}
	return errors.Join(run("ip", "-n", space, "link", "set", "lo", "up"), up(in, space, addr, subnet, cfg.MTU))
}

// up gives a device its address, and the network behind it.
func up(in []string, device string, addr netip.Addr, subnet string, mtu int) error {
	ip := func(words ...string) error { return run("ip", append(append([]string{}, in...), words...)...) }
	return errors.Join(
		ip("addr", "add", addr.String()+"/32", "dev", device),
		ip("link", "set", device, "mtu", strconv.Itoa(mtu), "up"),
		ip("route", "add", subnet+".0/24", "dev", device, "src", addr.String()))
}

// device makes a TUN device; each read and write of the file is a packet.
func (l *LAN) device(name string) (io.ReadWriteCloser, error) {
	fd, err := unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("open /dev/net/tun: %w", err)
	}
	req, err := unix.NewIfreq(name)
	if err == nil {
		req.SetUint16(unix.IFF_TUN | unix.IFF_NO_PI)
		err = unix.IoctlIfreq(fd, unix.TUNSETIFF, req)
	}
	if err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("make the TUN device %s: %w", name, err)
	}
	return os.NewFile(uintptr(fd), "/dev/net/tun"), nil
}

// Exec is what the command of a machine's process begins with. The process is the one
// that was started: it has no parent in between.
func (l *LAN) Exec(machine int) []string {
	return []string{"nsenter", "--net=/var/run/netns/" + l.spaces[machine], "--"}
}

// Close takes everything away; a device goes when its file is closed.
func (l *LAN) Close() {
	l.Switch.Close()
	for _, space := range l.spaces {
		_ = run("ip", "netns", "del", space)
	}
}

// Sweep takes away the namespaces of networks whose names are dead. Of those that were
// killed before they could Close, only namespaces are left.
func Sweep(dead func(name string) bool) {
	list, _ := os.ReadDir("/var/run/netns")
	for _, e := range list {
		if i := strings.LastIndexByte(e.Name(), 'n'); i > 0 && dead(e.Name()[:i]) {
			_ = run("ip", "netns", "del", e.Name())
		}
	}
}

func lacks() string {
	if os.Geteuid() != 0 {
		return "only root may make network namespaces"
	}
	for _, tool := range []string{"ip", "nsenter"} {
		if _, err := exec.LookPath(tool); err != nil {
			return fmt.Sprintf("there is no %s (apt-get install iproute2 util-linux)", tool)
		}
	}
	if _, err := os.Stat("/dev/net/tun"); err != nil {
		return "there is no /dev/net/tun"
	}
	return ""
}

func host(subnet string, last int) netip.Addr {
	return netip.MustParseAddr(subnet + "." + strconv.Itoa(last))
}

// freeSubnet is one of the benchmark networks of RFC 2544 that nobody here uses. Processes
// that look at one time begin at different ones.
func freeSubnet() (string, error) {
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return "", err
	}
	for i := range 256 {
		subnet, taken := fmt.Sprintf("198.18.%d", (os.Getpid()+i)%256), false
		for _, a := range addrs {
			taken = taken || strings.HasPrefix(a.String(), subnet+".")
		}
		if !taken {
			return subnet, nil
		}
	}
	return "", errors.New("no subnet of 198.18.0.0/16 is free")
}

func run(name string, args ...string) error {
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		return fmt.Errorf("%s %s: %w: %s", name, strings.Join(args, " "), err, out)
	}
	return nil
}

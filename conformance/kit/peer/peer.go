// Package peer starts and stops the nodes that the clients talk to: Odradek, or Apache
// Kafka with the same settings. Each runs in a process of its own, on free ports of the
// loopback, in a folder that is made new, behind a plain listener and one that loses
// answers. A Peer owns its process and its proxy until Stop.
package peer

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/odradek/odradek/conformance/kit/flaky"
)

// Peer is a running node.
type Peer struct {
	Name      string
	Bootstrap string // the plain listener
	Flaky     string // the listener whose answers get lost
	LogDir    string // where its partitions are
	Output    string // the file that holds what it printed

	proxies []*flaky.Proxy
	cmd     *exec.Cmd // nil if somebody else runs the nodes
	done    chan error
}

// settings are common to both peers: small and quick, so that groups and compaction do
// not take minutes.
var settings = []string{
	"node.id=1",
	"listener.security.protocol.map=PLAINTEXT:PLAINTEXT,FLAKY:PLAINTEXT,CONTROLLER:PLAINTEXT",
	"inter.broker.listener.name=PLAINTEXT",
	"auto.create.topics.enable=false",
	"num.partitions=1",
	"default.replication.factor=1",
	"offsets.topic.num.partitions=4",
	"offsets.topic.replication.factor=1",
	"transaction.state.log.num.partitions=4",
	"transaction.state.log.replication.factor=1",
	"transaction.state.log.min.isr=1",
	"group.initial.rebalance.delay.ms=300",
	"group.min.session.timeout.ms=1000",
	"log.cleaner.backoff.ms=200",
	"transaction.abort.timed.out.transaction.cleanup.interval.ms=500",
	"group.consumer.min.heartbeat.interval.ms=100",
	"group.consumer.heartbeat.interval.ms=200",
	"group.consumer.min.session.timeout.ms=1000",
	"group.consumer.session.timeout.ms=6000",
	"group.share.min.heartbeat.interval.ms=100",
	"group.share.heartbeat.interval.ms=200",
	"group.share.min.session.timeout.ms=1000",
	"group.share.session.timeout.ms=6000",
	"group.share.min.record.lock.duration.ms=1000",
	"group.share.record.lock.duration.ms=2500",
	"share.coordinator.state.topic.num.partitions=4",
	"share.coordinator.state.topic.replication.factor=1",
	"share.coordinator.state.topic.min.isr=1",
}

// ports are those of one peer.
type ports struct{ plain, flaky, proxy, controller int }

// plan makes the peer's folder, takes ports and writes server.properties.
func plan(name, dir string) (*Peer, ports, error) {
	var p ports
	if err := freePorts(&p.plain, &p.flaky, &p.proxy, &p.controller); err != nil {
		return nil, p, err
	}
	if err := errors.Join(os.RemoveAll(dir), os.MkdirAll(dir, 0o755)); err != nil {
		return nil, p, err
	}
	peer := &Peer{
		Name: name, Bootstrap: address(p.plain), Flaky: address(p.proxy),
		LogDir: filepath.Join(dir, "data"), Output: filepath.Join(dir, "output.log"),
	}
	return peer, p, nil
}

func (p *Peer) properties(dir string, extra ...string) (string, error) {
	lines := append(append([]string{}, settings...), extra...)
	lines = append(lines, "log.dirs="+p.LogDir)
	path := filepath.Join(dir, "server.properties")
	return path, os.WriteFile(path, []byte(strings.Join(lines, "\n")+"\n"), 0o644)
}

// Odradek starts the given binary.
func Odradek(binary, dir string) (*Peer, error) {
	p, at, err := plan("odradek", dir)
	if err != nil {
		return nil, err
	}
	file, err := p.properties(dir,
		fmt.Sprintf("listeners=PLAINTEXT://%s,FLAKY://%s", address(at.plain), address(at.flaky)),
		fmt.Sprintf("advertised.listeners=PLAINTEXT://%s,FLAKY://%s", address(at.plain), address(at.proxy)),
		"odradek.admin.listener=",
	)
	if err != nil {
		return nil, err
	}
	return p, p.start(at, exec.Command(binary, "start", "--config", file))
}

// Kafka formats a folder and starts Apache Kafka from the jars in libs.
func Kafka(libs, dir string) (*Peer, error) {
	p, at, err := plan("kafka", dir)
	if err != nil {
		return nil, err
	}
	file, err := p.properties(dir,
		"process.roles=broker,controller",
		"controller.listener.names=CONTROLLER",
		"controller.quorum.bootstrap.servers="+address(at.controller),
		fmt.Sprintf("listeners=PLAINTEXT://%s,FLAKY://%s,CONTROLLER://%s", address(at.plain), address(at.flaky), address(at.controller)),
		fmt.Sprintf("advertised.listeners=PLAINTEXT://%s,FLAKY://%s,CONTROLLER://%s", address(at.plain), address(at.proxy), address(at.controller)),
		"log.initial.task.delay.ms=500",
	)
	if err != nil {
		return nil, err
	}
	classes := filepath.Join(libs, "*")
	format := exec.Command("java", "-Xmx256m", "-XX:TieredStopAtLevel=1", "-cp", classes,
		"kafka.tools.StorageTool", "format", "--standalone", "-t", "T2RyYWRlay1jb25mb3JtcQ", "-c", file)
	if out, err := format.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("format Kafka's folder: %w\n%s", err, out)
	}
	return p, p.start(at, exec.Command("java", "-Xms256m", "-Xmx512m", "-XX:+UseSerialGC", "-cp", classes, "kafka.Kafka", file))
}

// At is nodes that somebody else runs: bootstrap are their plain listeners, with commas;
// proxies are pairs LISTEN=TARGET, with commas: where clients are told to come, and the
// listener that tells them so.
func At(name, bootstrap, proxies, dir string) (*Peer, error) {
	p := &Peer{Name: name, Bootstrap: bootstrap, LogDir: os.Getenv("PEER_LOG_DIR"), Output: filepath.Join(dir, "output.log")}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	var at []string
	for pair := range strings.SplitSeq(proxies, ",") {
		listen, target, ok := strings.Cut(pair, "=")
		ln, err := net.Listen("tcp", listen)
		if err != nil || !ok {
			p.closeProxies()
			return nil, fmt.Errorf("proxy %q: %w", pair, err)
		}
		p.proxies, at = append(p.proxies, flaky.Listen(ln, target, 3)), append(at, listen)
	}
	p.Flaky = strings.Join(at, ",")
	return p, nil
}

func (p *Peer) start(at ports, cmd *exec.Cmd) error {
	out, err := os.Create(p.Output)
	if err != nil {
		return err
	}
	defer out.Close()
	ln, err := net.Listen("tcp", address(at.proxy))
	if err != nil {
		return err
	}
	p.proxies = []*flaky.Proxy{flaky.Listen(ln, address(at.flaky), 3)}
	cmd.Stdout, cmd.Stderr = out, out
	p.cmd, p.done = cmd, make(chan error, 1)
	if err := cmd.Start(); err != nil {
		p.closeProxies()
		return fmt.Errorf("start %s: %w", p.Name, err)
	}
	go func() { p.done <- cmd.Wait() }()
	if err := p.awaitReady(); err != nil {
		p.Stop()
		tail, _ := os.ReadFile(p.Output)
		return fmt.Errorf("start %s: %w\n%s", p.Name, err, tail[max(0, len(tail)-4000):])
	}
	return nil
}

// awaitReady waits until the node answers ApiVersions.
func (p *Peer) awaitReady() error {
	for deadline := time.Now().Add(60 * time.Second); time.Now().Before(deadline); {
		select {
		case err := <-p.done:
			p.done <- err
			return fmt.Errorf("it ended: %v", err)
		case <-time.After(50 * time.Millisecond):
		}
		if answers(p.Bootstrap) {
			return nil
		}
	}
	return errors.New("not ready after a minute")
}

func answers(address string) bool {
	c, err := net.DialTimeout("tcp", address, time.Second)
	if err != nil {
		return false
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(2 * time.Second))
	// ApiVersions version 0, correlation 1, no client id
	if _, err := c.Write([]byte{0, 0, 0, 10, 0, 18, 0, 0, 0, 0, 0, 1, 255, 255}); err != nil {
		return false
	}
	var head [8]byte
	n, err := c.Read(head[:])
	return err == nil && n == 8 && bytes.Equal(head[4:], []byte{0, 0, 0, 1})
}

// Cuts is how many answers each client lost, by its id.
func (p *Peer) Cuts() map[string]int {
	all := make(map[string]int)
	for _, proxy := range p.proxies {
		for client, n := range proxy.Cuts() {
			all[client] += n
		}
	}
	return all
}

func (p *Peer) closeProxies() {
	for _, proxy := range p.proxies {
		proxy.Close()
	}
}

// Stop ends the node in order, or by force after ten seconds, and waits for it.
func (p *Peer) Stop() error {
	p.closeProxies()
	if p.cmd == nil {
		return nil
	}
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	select {
	case <-p.done:
		return nil
	case <-time.After(10 * time.Second):
	}
	p.cmd.Process.Kill()
	<-p.done
	return fmt.Errorf("%s did not stop within ten seconds", p.Name)
}

func address(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }

// freePorts takes ports that are free and all different: each is held until the last one
// is known.
func freePorts(ports ...*int) error {
	for _, port := range ports {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		defer ln.Close()
		*port = ln.Addr().(*net.TCPAddr).Port
	}
	return nil
}

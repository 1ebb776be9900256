package zookeeper

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const (
	zkCli = "/usr/share/zookeeper/bin/zkCli.sh"
	kazoo = "../.work/kazoo/bin/python"
	// patience is how long a word is waited for before the test gives up.
	patience = 2 * time.Minute
)

// compose is a file as people have it: three brokers with ids of their own, and no word
// of KRaft. The ports are filled in.
const compose = `version: "3.7"
x-env: &env
  KAFKA_ZOOKEEPER_CONNECT: zookeeper:2181
  KAFKA_ADVERTISED_HOST_NAME: localhost
services:
  zookeeper: {image: wurstmeister/zookeeper, ports: ["%d:2181"]}
  kafka-1:
    image: wurstmeister/kafka:2.13-2.8.1
    ports: ["%d:9092"]
    environment: {<<: *env, KAFKA_BROKER_ID: 500}
  kafka-2:
    image: wurstmeister/kafka:2.13-2.8.1
    ports: ["%d:9092"]
    environment: {<<: *env, KAFKA_BROKER_ID: 501}
  kafka-3:
    image: wurstmeister/kafka:2.13-2.8.1
    ports: ["%d:9092"]
    environment: {<<: *env, KAFKA_BROKER_ID: 502}
`

// cluster is what the file makes on this machine.
type cluster struct {
	t         *testing.T
	binary    string
	dir       string
	zookeeper string   // address
	brokers   []string // too
}

func start(t *testing.T) *cluster {
	work := t.TempDir()
	c := &cluster{t: t, binary: filepath.Join(work, "odradek"), dir: filepath.Join(work, "data")}
	build := exec.Command("go", "build", "-o", c.binary, "../../cmd/odradek")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	t.Cleanup(func() { c.try("reset", "--yes") })
	var out []byte
	for range 5 { // a port that was free may be taken by now
		var err error
		ports := freePorts(t, 4)
		file := filepath.Join(work, "docker-compose.yml")
		if err := os.WriteFile(file, fmt.Appendf(nil, compose, ports...), 0o644); err != nil {
			t.Fatal(err)
		}
		if out, err = c.try("up", "--from-compose", file); err == nil {
			c.zookeeper = fmt.Sprintf("localhost:%d", ports[0])
			for _, p := range ports[1:] {
				c.brokers = append(c.brokers, fmt.Sprintf("localhost:%d", p))
			}
			return c
		}
		c.try("reset", "--yes")
	}
	t.Fatalf("up: %s", out)
	return nil
}

// try runs a command about the cluster.
func (c *cluster) try(args ...string) ([]byte, error) {
	return exec.Command(c.binary, append(args, "--data", c.dir)...).CombinedOutput()
}

func (c *cluster) must(args ...string) {
	c.t.Helper()
	if out, err := c.try(args...); err != nil {
		c.t.Fatalf("odradek %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

// ask runs a command that talks to the brokers.
func (c *cluster) ask(args ...string) {
	c.t.Helper()
	cmd := exec.Command(c.binary, append(args, "-b", strings.Join(c.brokers, ","))...)
	if out, err := cmd.CombinedOutput(); err != nil {
		c.t.Fatalf("odradek %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

func freePorts(t *testing.T, n int) (ports []any) {
	for range n {
		ln, err := net.Listen("tcp", "localhost:0")
		if err != nil {
			t.Fatal(err)
		}
		defer ln.Close()
		ports = append(ports, ln.Addr().(*net.TCPAddr).Port)
	}
	return ports
}

// tool is a client that is told things and says things, a line each.
type tool struct {
	t     *testing.T
	name  string
	stdin io.WriteCloser
	lines chan string
}

func run(t *testing.T, name string, argv ...string) *tool {
	cmd := exec.Command(argv[0], argv[1:]...)
	z := &tool{t: t, name: name, lines: make(chan string, 1000)}
	var err error
	if z.stdin, err = cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = cmd.Stdout // zkCli.sh complains there
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	read := make(chan struct{})
	go func() {
		defer close(read)
		defer close(z.lines)
		for s := bufio.NewScanner(out); s.Scan(); {
			z.lines <- s.Text()
		}
	}()
	t.Cleanup(func() {
		z.stdin.Close()
		_ = cmd.Process.Kill()
		for range z.lines {
		}
		<-read
		_ = cmd.Wait()
	})
	return z
}

// expect types a line, if it is one, and waits until what is wanted was said in lines of
// their own, in that order; * in the end stands for anything.
func (z *tool) expect(line string, want ...string) {
	z.t.Helper()
	if line != "" {
		if _, err := io.WriteString(z.stdin, line+"\n"); err != nil {
			z.t.Fatal(err)
		}
	}
	var heard []string
	timeout := time.After(patience)
	for _, w := range want {
		for got := false; !got; {
			select {
			case text, ok := <-z.lines:
				if !ok {
					z.t.Fatalf("%s: %s: wants %q and ended after\n%s", z.name, line, w, strings.Join(heard, "\n"))
				}
				heard = append(heard, text)
				start, any := strings.CutSuffix(w, "*")
				got = text == w || any && strings.HasPrefix(text, start)
			case <-timeout:
				z.t.Fatalf("%s: %s: wants %q and has heard\n%s", z.name, line, w, strings.Join(heard, "\n"))
			}
		}
	}
}

// ZooKeeper's own shell and the library that Python's tools use see the brokers of a file
// that has ZooKeeper, whichever of them is down, and can change nothing.
func TestZooKeepersTools(t *testing.T) {
	if testing.Short() {
		t.Skip("it starts real processes")
	}
	var missing []string
	for _, need := range []struct{ file, fix string }{{zkCli, "zkCli.sh (apt-get install zookeeper)"}, {kazoo, "kazoo (conformance/run --install)"}} {
		if _, err := os.Stat(need.file); err != nil {
			missing = append(missing, need.fix)
		}
	}
	if _, err := exec.LookPath("java"); err != nil {
		missing = append(missing, "java")
	}
	if len(missing) > 0 {
		t.Skip("left out, for there is no " + strings.Join(missing, ", no "))
	}
	c := start(t)
	c.ask("topic", "create", "orders", "-p", "2")
	z := run(t, "zkCli.sh", "bash", zkCli, "-server", c.zookeeper)
	k := run(t, "kazoo", kazoo, "watch.py", c.zookeeper)
	z.expect("ls /brokers/ids", "[500, 501, 502]")
	z.expect("get /brokers/ids/501", `{"*`)
	z.expect("stat /brokers/ids/502", "cZxid = 0x*", "ephemeralOwner = 0x*", "numChildren = 0")
	z.expect("get /brokers/topics/orders", `{"partitions":{"*`)
	z.expect("ls -R /brokers/topics", "/brokers/topics/orders/partitions/0", "/brokers/topics/orders/partitions/1/state")
	z.expect("get /controller", `{"version":2,"brokerid":50*`)
	z.expect("create /brokers/ids/7 x", "Not a read-only call: /brokers/ids/7")
	z.expect("set /controller x", "Not a read-only call: /controller")
	z.expect("delete /brokers/ids/500", "Not a read-only call: /brokers/ids/500")
	z.expect("get /config/users/x", "Node does not exist: /config/users/x")
	k.expect("", `{"ids": ["500", "501", "502"]}`, `{"controller": 50*`, `{"refused": "/brokers/ids/7"}`, `{"version": [3, 9]}`)
	for _, down := range []string{"500", "501", "502"} {
		var left, quoted []string
		for _, id := range []string{"500", "501", "502"} {
			if id != down {
				left, quoted = append(left, id), append(quoted, `"`+id+`"`)
			}
		}
		z.expect("ls -w /brokers/ids", "[500, 501, 502]")
		c.must("down", down)
		z.expect("", "WatchedEvent state:SyncConnected type:NodeChildrenChanged path:/brokers/ids*")
		z.expect("ls /brokers/ids", "["+strings.Join(left, ", ")+"]")
		k.expect("", `{"ids": [`+strings.Join(quoted, ", ")+`]}`)
		c.must("up")
		k.expect("", `{"ids": ["500", "501", "502"]}`)
	}
	out, err := exec.Command(c.binary, "cluster", "voters", "list", "-o", "name", "-b", c.brokers[0]).Output()
	if got := strings.Fields(string(out)); err != nil || strings.Join(got, " ") != "500 501 502" {
		t.Errorf("the quorum is %v, %v: what shows it is no part of it", got, err)
	}
}

package local

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestMain makes this program a node when it is told to be one: it does what the mood in
// its settings says.
func TestMain(m *testing.M) {
	if os.Getenv("FAKE_NODE") == "" {
		os.Exit(m.Run())
	}
	settings, err := os.ReadFile(os.Args[len(os.Args)-1])
	if err != nil {
		panic(err)
	}
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM, os.Interrupt)
	if strings.Contains(string(settings), "mood=dies") {
		fmt.Fprintln(os.Stderr, "it cannot be")
		os.Exit(3)
	}
	if strings.Contains(string(settings), "mood=robbed") {
		fmt.Println("come") // no welcome
		for os.Getppid() > 1 {
			if _, err := os.Stat("robbed"); err == nil {
				os.Exit(3)
			}
			time.Sleep(time.Millisecond)
		}
	}
	fmt.Printf(`{"pid":%d,"readyMillis":1}`+"\n", os.Getpid())
	for range stop {
		if !strings.Contains(string(settings), "mood=stubborn") {
			os.Exit(0)
		}
	}
}

// fakeCluster is a cluster of nodes with these moods.
func fakeCluster(t *testing.T, dir string, moods ...string) *Cluster {
	t.Helper()
	c, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c.Program, c.Environ = []string{exe}, append(os.Environ(), "FAKE_NODE=1")
	for i, mood := range moods {
		n := Node{ID: int32(i + 1), Name: fmt.Sprintf("node-%d", i+1)}
		c.State.Nodes = append(c.State.Nodes, n)
		if _, err := c.WriteSettings(n, map[string]string{"mood": mood}); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() {
		for _, n := range c.State.Nodes {
			if _, err := c.Down(n.ID, time.Second); err != nil {
				t.Error(err)
			}
		}
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

func (c *Cluster) mustUp(t *testing.T, want string) {
	t.Helper()
	started, err := c.Up(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(started); got != want {
		t.Errorf("up started %s, want %s", got, want)
	}
}

// Up starts what does not run and nothing else, and who looks later finds the nodes.
func TestUpCompletes(t *testing.T) {
	dir := t.TempDir()
	c := fakeCluster(t, dir, "", "", "")
	c.mustUp(t, "[1 2 3]")
	c.mustUp(t, "[]")
	killed, err := os.FindProcess(c.State.Nodes[1].PID)
	if err != nil {
		t.Fatal(err)
	}
	if err := killed.Kill(); err != nil {
		t.Fatal(err)
	}
	if !c.State.Nodes[1].gone(10 * time.Second) {
		t.Fatal("a killed node is still said to live")
	}
	seen, err := Look(dir)
	if err != nil {
		t.Fatal(err)
	}
	if r := seen.Running(); len(r) != 2 || r[0].ID != 1 || r[1].ID != 3 {
		t.Errorf("running are %+v, want nodes 1 and 3", r)
	}
	c.mustUp(t, "[2]")
}

// Down stops in order whom it can, kills whom it must, and is content with who is gone.
func TestDown(t *testing.T) {
	c := fakeCluster(t, t.TempDir(), "", "stubborn")
	c.mustUp(t, "[1 2]")
	for id, killed := range map[int32]bool{1: false, 2: true} {
		patience := time.Minute
		if killed {
			patience = 100 * time.Millisecond
		}
		s, err := c.Down(id, patience)
		if err != nil || s.Killed != killed {
			t.Errorf("down %d: killed %v, error %v; want killed %v", id, s.Killed, err, killed)
		}
	}
	if r := c.Running(); len(r) != 0 {
		t.Errorf("after down %+v run", r)
	}
	if _, err := c.Down(1, time.Second); err != nil {
		t.Errorf("down of a node that does not run: %v", err)
	}
}

// A process that has the pid of a node and is none is neither counted nor stopped.
func TestStrangerWithThePid(t *testing.T) {
	c := fakeCluster(t, t.TempDir(), "")
	c.State.Nodes[0].PID, c.State.Nodes[0].Born = os.Getpid(), "another boot/1"
	if c.State.Nodes[0].Alive() {
		t.Error("this test is taken for a node")
	}
	if _, err := c.Down(1, time.Second); err != nil { // would end this test
		t.Error(err)
	}
	if c.State.Nodes[0].PID != 0 {
		t.Error("the stranger's pid was kept")
	}
}

// A node that ends at its start is told with its last words; those beside it run on.
func TestNodeThatDies(t *testing.T) {
	c := fakeCluster(t, t.TempDir(), "", "dies")
	started, err := c.Up(t.Context())
	if err == nil || !strings.Contains(err.Error(), "node 2 ended before it served clients: exit status 3: it cannot be") {
		t.Errorf("up: %v", err)
	}
	if r := c.Running(); len(started) != 2 || len(r) != 1 || r[0].ID != 1 {
		t.Errorf("started %v, running %+v", started, r)
	}
}

// A port that is taken is named before anything is started.
func TestPortTaken(t *testing.T) {
	ln, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "localhost:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	c := fakeCluster(t, t.TempDir(), "", "")
	c.State.Nodes[1].Kafka = ln.Addr().String()
	_, err = c.Up(t.Context())
	if port, ok := errors.AsType[*PortError](err); !ok || port.Node != 2 {
		t.Errorf("up: %v, want a port error of node 2", err)
	}
	if r := c.Running(); len(r) != 0 {
		t.Errorf("%+v were started", r)
	}
	c.State.Nodes[1].Kafka = ""
}

// A port that is taken while its node starts is named too.
func TestPortIsTakenAtTheStart(t *testing.T) {
	ln, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "localhost:0")
	if err != nil {
		t.Fatal(err)
	}
	address := ln.Addr().String()
	ln.Close()
	c := fakeCluster(t, t.TempDir(), "", "robbed")
	c.State.Nodes[1].Kafka = address
	said, robbed := c.welcomeFile(c.State.Nodes[1]), make(chan net.Listener, 1)
	ctx, stop := context.WithCancel(t.Context())
	go func() {
		defer close(robbed)
		for ; ctx.Err() == nil; time.Sleep(time.Millisecond) {
			if text, _ := os.ReadFile(said); len(text) > 0 {
				break
			}
		}
		if ln, err := net.Listen("tcp", address); err == nil {
			robbed <- ln
		}
		os.WriteFile(c.file("robbed"), nil, 0o644)
	}()
	_, err = c.Up(ctx)
	stop()
	if ln := <-robbed; ln != nil { // nil: another program took it even earlier
		defer ln.Close()
	}
	if port, ok := errors.AsType[*PortError](err); !ok || port.Node != 2 || port.Address != address {
		t.Errorf("up: %v, want a port error of node 2", err)
	}
	c.State.Nodes[1].Kafka = ""
}

// A port that is given back in a moment, as by a process that is just dying, is no error.
func TestPortIsGivenBack(t *testing.T) {
	ln, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "localhost:0")
	if err != nil {
		t.Fatal(err)
	}
	time.AfterFunc(50*time.Millisecond, func() { ln.Close() })
	if err := portFree(t.Context(), ln.Addr().String()); err != nil {
		t.Error(err)
	}
}

// Reset deletes what the nodes keep and leaves what is somebody else's.
func TestReset(t *testing.T) {
	dir := t.TempDir()
	strange := filepath.Join(dir, "letter.txt")
	if err := os.WriteFile(strange, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	c := fakeCluster(t, dir, "")
	if err := os.MkdirAll(filepath.Join(c.DataDir(c.State.Nodes[0]), "orders-0"), 0o755); err != nil {
		t.Fatal(err)
	}
	c.mustUp(t, "[1]")
	if _, err := c.Down(1, time.Second); err != nil {
		t.Fatal(err)
	}
	if err := c.Reset(); err != nil {
		t.Fatal(err)
	}
	left, err := os.ReadDir(dir)
	if err != nil || len(left) != 1 || left[0].Name() != "letter.txt" {
		t.Errorf("left are %v, %v", left, err)
	}
}

// Two commands do not work on one cluster at a time.
func TestBusy(t *testing.T) {
	dir := t.TempDir()
	fakeCluster(t, dir, "")
	if _, err := Open(dir); !errors.Is(err, ErrBusy) {
		t.Errorf("opened twice: %v", err)
	}
	if _, err := Look(dir); err != nil {
		t.Errorf("looking at a busy cluster: %v", err)
	}
}

// A state file that is damaged, of another version, or leads out of the folder is refused.
func TestBadState(t *testing.T) {
	for text, want := range map[string]string{
		`{"version":1,"nodes":[{"id":1,"name":"../../etc"}]}`:                          "no name of a node",
		`{"version":1,"nodes":[{"id":1,"name":"a"},{"id":2,"name":"a"}]}`:              "no name of a node",
		`{"version":1,"nodes":[{"id":1,"name":".hidden"}]}`:                            "no name of a node",
		`{"version":2,"nodes":[]}`:                                                     "has version 2",
		`{"version":`:                                                                  "unexpected end",
		`{"version":1,"nodes":[{"id":1,"name":"` + strings.Repeat("x", 5<<20) + `"}]}`: "which is no state",
	} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, stateName), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := Look(dir); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.60s: %v, want %q", text, err, want)
		}
	}
	if c, err := Look(filepath.Join(t.TempDir(), "nothing")); err != nil || len(c.State.Nodes) != 0 {
		t.Errorf("a folder that is not there: %v", err)
	}
}

// Settings come back from the file as they were, and writing them again changes nothing.
func TestSettingsFile(t *testing.T) {
	c := fakeCluster(t, t.TempDir(), "")
	n := c.State.Nodes[0]
	s := map[string]string{"a.b": ` x\y`, "z": "1\n2"}
	for _, want := range []bool{true, false} {
		if changed, err := c.WriteSettings(n, s); err != nil || changed != want {
			t.Errorf("changed %v, %v; want %v", changed, err, want)
		}
	}
	text, err := os.ReadFile(c.SettingsFile(n))
	if err != nil || !strings.HasSuffix(string(text), "\na.b=\\ x\\\\y\nz=1\\n2\n") {
		t.Errorf("the file is %q, %v", text, err)
	}
	info, err := os.Stat(c.SettingsFile(n))
	if err != nil || info.Mode()&fs.ModePerm != 0o600 {
		t.Errorf("its mode is %v, %v", info.Mode(), err)
	}
}

// A caller who gives up is told which node is late.
func TestUpGivesUp(t *testing.T) {
	c := fakeCluster(t, t.TempDir(), "")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	ended := make(chan error)
	if err := c.awaitWelcome(ctx, Node{ID: 7, Name: "node-7"}, ended, 0); !errors.Is(err, errNotReady) || !strings.Contains(err.Error(), "node 7") {
		t.Errorf("error is %v", err)
	}
}

package chaos

import (
	"bufio"
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"math/bits"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/odradek/odradek/conformance/cluster"
	"github.com/odradek/odradek/conformance/lan"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

var (
	eachFault = flag.Bool("each-fault", false, "do every fault to a cluster, one after the other: two minutes")
	only      = flag.String("only", "", "only those faults of TestEachFault whose name contains this")
)

// Each fault is shown to do what it says, on packets, files and calls, and each is done
// once to a cluster that works, and undone.

// stillRig is a rig of which no node is started.
func stillRig(t *testing.T, needs ...Need) *Rig {
	t.Helper()
	r, err := New(Config{Seed: 1, Program: cluster.Odradek("unused")})
	try(t, err)
	t.Cleanup(r.Close)
	for _, need := range needs {
		if why := r.lacks[need]; why != "" {
			t.Skipf("SKIPPED: %s: %s", need, why)
		}
	}
	return r
}

// links are the directed links on which something was set, as "1>2"; 0 is the outside.
func links(r *Rig) map[string]lan.Link {
	addrs, set := append([]netip.Addr{r.LAN.Outside}, r.LAN.Hosts...), make(map[string]lan.Link)
	for i, a := range addrs {
		for j, b := range addrs {
			if l := r.LAN.Now(a, b); i != j && (l.Cut || l.Loss > 0 || l.Delay > 0) {
				set[fmt.Sprintf("%d>%d", i, j)] = l
			}
		}
	}
	return set
}

// Which directions each fault of the network cuts, when it befalls node 2, and that none is
// left when it is undone. That a link that is cut carries nothing is package lan's to show.
func TestLinks(t *testing.T) {
	r := stillRig(t, Network)
	for name, want := range map[string]string{
		"unplug":              "0>2 1>2 2>0 2>1 2>3 3>2",
		"isolate":             "1>2 2>1 2>3 3>2",
		"mute":                "2>1 2>3",
		"deaf":                "1>2 3>2",
		"rift":                "2>3 3>2",
		"half rift":           "2>3",
		"clients cut off":     "0>2 2>0",
		"clients do not hear": "2>0",
		"ring":                "1>3 3>1",
		"voters cut":          "1>2 2>1 2>3 3>2",
		"slow network":        "0>2 1>2 2>0 2>1 2>3 3>2",
		"lossy network":       "0>2 1>2 2>0 2>1 2>3 3>2",
	} {
		h, err := r.Do(t.Context(), Named(name), r.Node(2))
		try(t, err)
		set := links(r)
		for _, direction := range strings.Fields(want) {
			l, is := set[direction]
			delete(set, direction)
			good := is && l.Cut
			switch name {
			case "slow network":
				good = is && !l.Cut && l.Delay > 0
			case "lossy network":
				good = is && !l.Cut && l.Loss > 0
			case "voters cut":
				good = is && l.Cut && len(l.Ports) == 3
			}
			if !good {
				t.Errorf("%s: from %s: %+v", name, direction, l)
			}
		}
		if len(set) > 0 {
			t.Errorf("%s: also %v", name, set)
		}
		try(t, h.Undo(t.Context()))
		if left := links(r); len(left) > 0 {
			t.Errorf("%s undone leaves %v", name, left)
		}
	}
}

// The page names every fault, and no other.
func TestFaultsPage(t *testing.T) {
	text, err := os.ReadFile("FAULTS.md")
	try(t, err)
	var page, code []string
	for line := range strings.Lines(string(text)) {
		if name, is := strings.CutPrefix(line, "| "); is {
			page = append(page, strings.TrimSpace(strings.Split(name, "|")[0]))
		}
	}
	for _, f := range Faults() {
		code = append(code, f.Name)
	}
	slices.Sort(code)
	if page = page[2:]; !slices.Equal(slices.Sorted(slices.Values(page)), code) { // after the head of the table
		t.Errorf("FAULTS.md has %q, the rig %q", page, code)
	}
}

// A process that syncs, reads and writes a file each time it is told to, and says what came
// of it: this test's own program.
const victimOf = "ODRADEK_CHAOS_VICTIM"

func beVictim() {
	runtime.LockOSThread() // strace counts calls for each thread
	f, err := os.Create(os.Getenv(victimOf))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("ready")
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		switch in.Text() {
		case "sync":
			err = f.Sync()
		case "write":
			_, err = f.WriteAt([]byte("word"), 0)
		case "read":
			_, err = f.ReadAt(make([]byte, 4), 0)
		}
		fmt.Println(err)
	}
}

type victim struct {
	*exec.Cmd
	tell *bufio.Writer
	said *bufio.Scanner
}

func newVictim(t *testing.T) *victim {
	t.Helper()
	self, err := os.Executable()
	try(t, err)
	v := &victim{Cmd: exec.Command(self)}
	v.Env = append(os.Environ(), victimOf+"="+filepath.Join(t.TempDir(), "file"))
	in, err := v.StdinPipe()
	try(t, err)
	out, err := v.StdoutPipe()
	try(t, err)
	v.tell, v.said = bufio.NewWriter(in), bufio.NewScanner(out)
	try(t, v.Start())
	t.Cleanup(func() { in.Close(); _ = v.Wait() })
	if v.said.Scan(); v.said.Text() != "ready" {
		t.Fatal(v.said.Text())
	}
	return v
}

// do returns what came of it: "<nil>" or an error's text.
func (v *victim) do(what string) string {
	fmt.Fprintln(v.tell, what)
	v.tell.Flush()
	v.said.Scan()
	return v.said.Text()
}

// What strace is asked for happens to the calls of that process, as often as it should, and
// to no other call; and no more when it is undone.
func TestCalls(t *testing.T) {
	if err := tracer(); err != nil {
		t.Skipf("SKIPPED: %v", err)
	}
	for _, c := range []struct {
		injection, script, want string
	}{
		{syncEIO, "sync sync write", "EIO EIO ok"},
		{syncEIOOnce, "sync sync", "EIO ok"},
		{writeEIO, "read write write sync", "ok EIO ok ok"},
		{readEIO, "write read read", "ok EIO ok"},
	} {
		v := newVictim(t)
		if got := v.do("write"); got != "<nil>" {
			t.Fatal(got)
		}
		detach, err := trace(v.Process.Pid, c.injection)
		try(t, err)
		var got []string
		for _, what := range strings.Fields(c.script) {
			switch said := v.do(what); {
			case strings.Contains(said, syscall.EIO.Error()):
				got = append(got, "EIO")
			case said == "<nil>":
				got = append(got, "ok")
			default:
				got = append(got, said)
			}
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%s: %s gives %v, not %s", c.injection, c.script, got, c.want)
		}
		detach()
		for _, what := range []string{"sync", "write", "read"} {
			if got := v.do(what); got != "<nil>" {
				t.Errorf("%s undone: %s: %s", c.injection, what, got)
			}
		}
	}
	v := newVictim(t)
	detach, err := trace(v.Process.Pid, syncSlow)
	try(t, err)
	began := time.Now()
	if got := v.do("sync"); got != "<nil>" || time.Since(began) < 2*time.Second {
		t.Errorf("a slow sync ends after %v: %s", time.Since(began), got)
	}
	detach()
}

// Power that is cut takes from the node's disk what was not synced, and nothing else.
func TestPowerIsCut(t *testing.T) {
	r := stillRig(t, Disks)
	n := r.Nodes[0]
	synced, not := filepath.Join(n.Disk.Mount, "synced"), filepath.Join(n.Disk.Mount, "not")
	try(t, os.WriteFile(synced, []byte("word"), 0o600))
	syscall.Sync()
	try(t, os.WriteFile(not, []byte("word"), 0o600))
	_, err := r.Do(t.Context(), Named("power cut"), n)
	try(t, err)
	try(t, n.PowerOn())
	if text, err := os.ReadFile(synced); err != nil || string(text) != "word" {
		t.Errorf("what was synced: %q, %v", text, err)
	}
	if _, err := os.Stat(not); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("what was not synced is there (%v)", err)
	}
}

func TestDiskIsFull(t *testing.T) {
	r := stillRig(t, Disks)
	n := r.Nodes[0]
	h, err := r.Do(t.Context(), Named("full disk"), n)
	try(t, err)
	more := func() error { return os.WriteFile(filepath.Join(n.Disk.Mount, "more"), make([]byte, 1<<20), 0o600) }
	if err := more(); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("a full disk says %v", err)
	}
	if err := os.WriteFile(filepath.Join(r.Nodes[1].Disk.Mount, "more"), make([]byte, 1<<20), 0o600); err != nil {
		t.Errorf("the disk of another node: %v", err)
	}
	try(t, n.Disk.Free())
	try(t, more())
	h.undo = nil // there is no node to begin
}

// A process in a node's group may not have more memory than the limit, and may again when
// it is lifted.
func TestMemoryIsLittle(t *testing.T) {
	r := stillRig(t, Memory)
	g := r.Nodes[0].group
	hold := func() error {
		argv := append(g.exec(), "sh", "-c", "head -c 400000000 /dev/zero | tail -c 400000000 >/dev/null")
		return exec.Command(argv[0], argv[1:]...).Run()
	}
	try(t, g.Limit(MemoryLimit))
	if err := hold(); err == nil {
		t.Error("a process holds 400 MB of 256")
	}
	try(t, g.Limit(0))
	try(t, hold())
}

// Damage changes one bit of what is not 0, and can change it back; or cuts an end off.
func TestDamage(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	was := append(bytes.Repeat([]byte("word\x00"), 1000), make([]byte, 5000)...)
	rng := (&Rig{}).Rand(1)
	for range 100 {
		try(t, os.WriteFile(path, was, 0o600))
		_, mend, err := flip(path, rng)
		try(t, err)
		got, err := os.ReadFile(path)
		try(t, err)
		changed := 0
		for i := range got {
			changed += bits.OnesCount8(got[i] ^ was[i])
			if got[i] != was[i] && was[i] == 0 {
				t.Fatalf("byte %d was 0", i)
			}
		}
		if changed != 1 || len(got) != len(was) {
			t.Fatalf("%d bits of %d bytes are others", changed, len(got))
		}
		try(t, mend())
		if got, err = os.ReadFile(path); err != nil || !bytes.Equal(got, was) {
			t.Fatalf("it is not mended (%v)", err)
		}
		_, _, err = tear(path, rng)
		try(t, err)
		if got, err = os.ReadFile(path); err != nil || len(got) >= 5000 {
			t.Fatalf("%d bytes are left (%v)", len(got), err)
		}
	}
}

// A node whose hour is wrong stamps records with it, and with the right one when it is undone.
func TestHourIsWrong(t *testing.T) {
	r := startRig(t, Config{Nodes: 1, Without: []Need{Network, Disks, Memory, Tracer}})
	c, stamped := client(t, r, kgo.ConsumeTopics("t")), "LogAppendTime"
	_, err := kadm.NewClient(c).CreateTopic(within(t), 1, 1, map[string]*string{"message.timestamp.type": &stamped}, "t")
	try(t, err)
	stamp := func() time.Duration { // of a record, as somebody reads it
		write(t, c, "t", "word")
		for {
			fs := c.PollFetches(within(t))
			try(t, fs.Err0())
			for _, rec := range fs.Records() {
				return time.Until(rec.Timestamp).Abs()
			}
		}
	}
	if off := stamp(); off > time.Minute {
		t.Fatalf("the hour is wrong by %v, and nobody asked for that", off)
	}
	h, err := r.Do(within(t), Named("wrong hour"), r.Nodes...)
	try(t, err)
	asked, err := time.ParseDuration(h.Detail)
	try(t, err)
	for off := stamp(); (off - asked.Abs()).Abs() > 30*time.Second; off = stamp() { // it looks ten times a second
		if within(t).Err() != nil {
			t.Fatalf("the hour should be wrong by %v, and is by %v", asked, off)
		}
	}
	try(t, h.Undo(within(t)))
	for stamp() > 30*time.Second {
		try(t, t.Context().Err())
	}
}

// Each fault is done for a moment to a node of a cluster that works, and undone: in the end
// all replicas are in sync, and every record that was acknowledged meanwhile is there once.
func TestEachFault(t *testing.T) {
	if !*eachFault {
		t.Skip("asked for with -each-fault; what needs root or strace is left out where they are not")
	}
	r := startRig(t, Config{MetadataApart: true, Settings: []string{"odradek.scrub.interval.ms=1000", "odradek.scrub.bytes.per.second=0"}})
	makeTopic(t, r, 3, "t")
	c := client(t, r)
	rng, n := r.Rand(7), 0
	for _, f := range Faults() {
		if !strings.Contains(f.Name, *only) {
			continue
		}
		if why := f.Lacks(r); why != "" {
			t.Logf("SKIPPED: %s: %s", f.Name, why)
			continue
		}
		for range 30 { // so that there is something to damage, and something that is told late
			n++
			write(t, c, "t", fmt.Sprint(n))
		}
		on, err := One.Pick(t.Context(), r, rng)
		try(t, err)
		began := time.Now()
		h, err := r.Do(within(t), f, on...)
		try(t, err)
		n++
		acked, took := make(chan error, 1), time.Duration(0)
		c.Produce(within(t), &kgo.Record{Topic: "t", Value: fmt.Append(nil, n)}, func(_ *kgo.Record, err error) {
			took = time.Since(began)
			acked <- err
		})
		time.Sleep(2 * time.Second) // how long the fault lasts; nothing is waited for
		if err := r.Heal(within(t)); err != nil {
			t.Fatalf("%s: %v", f.Name, err)
		}
		whole := time.Since(began)
		try(t, <-acked)
		t.Logf("%s on node %v %s: written after %v, whole after %v", f.Name, h.IDs(), h.Detail, took.Round(time.Millisecond), whole.Round(time.Millisecond))
	}
	ends, err := kadm.NewClient(c).ListEndOffsets(within(t), "t")
	try(t, err)
	try(t, ends.Error())
	var there int64
	ends.Each(func(o kadm.ListedOffset) { there += o.Offset })
	if there != int64(n) {
		t.Errorf("%d records were acknowledged, %d are there", n, there)
	}
}

// Who takes some of the faults away takes them from nobody else.
func TestFaultsAreTheCallers(t *testing.T) {
	clear(Faults())
	for _, f := range Faults() {
		if f.Name == "" {
			t.Fatal("a fault is gone")
		}
	}
}

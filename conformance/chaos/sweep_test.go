package chaos

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/odradek/odradek/conformance/cluster"
)

// A process that has a rig and does nothing: this test's own program.
const ownerOf = "ODRADEK_CHAOS_OWNER"

func beOwner() {
	r, err := New(Config{Program: cluster.Odradek("unused")})
	fmt.Println(r.Dir, err)
	time.Sleep(time.Hour)
}

// left is what is there of a process's rigs.
func left(pid int, dir string) (things []string) {
	for _, pattern := range []string{
		dir,
		fmt.Sprintf("/var/run/netns/odc%dx*", pid),
		fmt.Sprintf("/sys/class/net/odc%dx*", pid),
		fmt.Sprintf("/sys/fs/cgroup/%s%dx*", groupPrefix, pid),
		fmt.Sprintf("/sys/fs/cgroup/*/%s%dx*", groupPrefix, pid),
	} {
		found, _ := filepath.Glob(pattern)
		things = append(things, found...)
	}
	if mounts, _ := os.ReadFile("/proc/mounts"); strings.Contains(string(mounts), dir+"/") {
		things = append(things, "mounts in "+dir)
	}
	return things
}

// What a rig has made goes when its process is told to end; and when it was killed, at the
// next New, which sweeps.
func TestNothingIsLeft(t *testing.T) {
	self, err := os.Executable()
	try(t, err)
	for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT, syscall.SIGKILL} {
		cmd := exec.Command(self)
		cmd.Env = append(os.Environ(), ownerOf+"=1")
		out, err := cmd.StdoutPipe()
		try(t, err)
		try(t, cmd.Start())
		line, err := bufio.NewReader(out).ReadString('\n')
		try(t, err)
		dir, said, _ := strings.Cut(strings.TrimSpace(line), " ")
		if said != "<nil>" || len(left(cmd.Process.Pid, dir)) == 0 {
			t.Fatalf("no rig was made: %s", line)
		}
		try(t, cmd.Process.Signal(sig))
		_ = cmd.Wait()
		if sig == syscall.SIGKILL {
			Sweep()
		}
		if things := left(cmd.Process.Pid, dir); len(things) > 0 {
			t.Errorf("%v leaves %q", sig, things)
		}
	}
}

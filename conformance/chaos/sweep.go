package chaos

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/odradek/odradek/conformance/disk"
	"github.com/odradek/odradek/conformance/lan"
)

// pidFile is in the folder of each rig and says which process has it.
const pidFile = "rig.pid"

var made atomic.Int32

// unique is a name that tells whose it is: a prefix, this process, and a count.
func unique(prefix string) string { return fmt.Sprintf("%s%dx%d", prefix, os.Getpid(), made.Add(1)) }

// Sweep takes away what rigs have left whose processes were killed before they could Close:
// namespaces, mounts, groups, folders.
func Sweep() {
	lan.Sweep(func(name string) bool { return stale(name, "odc") })
	disk.Sweep(func(dir string) bool { return !lives(pidIn(filepath.Dir(dir))) })
	sweepGroups()
	dirs, _ := filepath.Glob(filepath.Join(os.TempDir(), "odradek-chaos-*"))
	for _, dir := range dirs {
		if !lives(pidIn(dir)) {
			_ = os.RemoveAll(dir)
		}
	}
}

// stale tells whether a unique name is of a process that is gone.
func stale(name, prefix string) bool {
	rest, ours := strings.CutPrefix(name, prefix)
	digits, _, counted := strings.Cut(rest, "x")
	pid, err := strconv.Atoi(digits)
	return ours && counted && err == nil && !lives(pid)
}

// pidIn is whose a folder is, or 0 if it does not say.
func pidIn(dir string) int {
	text, err := os.ReadFile(filepath.Join(dir, pidFile))
	if err != nil {
		return 0
	}
	pid, _ := strconv.Atoi(string(text))
	return pid
}

// lives tells whether a process may be there: of what nobody has signed, somebody may be
// the owner.
func lives(pid int) bool {
	if pid == 0 {
		return true
	}
	_, err := os.Stat(fmt.Sprintf("/proc/%d", pid))
	return err == nil
}

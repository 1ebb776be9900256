//go:build unix && !linux

package local

import (
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
)

// born tells when a process began: with its pid, that is a name that no other has. It is
// an error if there is no such process, or nothing of it but its exit code.
func born(pid int) (string, error) {
	out, err := exec.Command("ps", "-o", "stat=,lstart=", "-p", strconv.Itoa(pid)).Output()
	if err != nil {
		return "", fmt.Errorf("process %d: %w", pid, err)
	}
	state, began, ok := strings.Cut(strings.TrimSpace(string(out)), " ")
	if !ok || strings.HasPrefix(state, "Z") {
		return "", os.ErrProcessDone
	}
	return strings.Join(strings.Fields(began), " "), nil
}

// memory is the resident set of a process in bytes, -1 if it is not known.
func memory(pid int) int64 {
	out, err := exec.Command("ps", "-o", "rss=", "-p", strconv.Itoa(pid)).Output()
	if err != nil {
		return -1
	}
	kib, err := strconv.ParseInt(strings.TrimSpace(string(out)), 10, 64)
	if err != nil {
		return -1
	}
	return kib << 10
}

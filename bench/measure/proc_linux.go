package measure

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// ticks is the unit of /proc/PID/stat: 100 a second on every Linux that Go runs on.
const ticks = 100

// Of reads what processes have used.
func Of(pids ...int) (sum Usage, err error) {
	for _, pid := range pids {
		u, err := one(pid)
		if err != nil {
			return Usage{}, err
		}
		sum = sum.plus(u)
	}
	return sum, nil
}

func one(pid int) (u Usage, err error) {
	dir := fmt.Sprintf("/proc/%d", pid)
	stat, err := os.ReadFile(filepath.Join(dir, "stat"))
	if err != nil {
		return u, err
	}
	// After the name, in brackets: the state, ten fields, and then the ticks of the program
	// and of the system for it.
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	if len(fields) < 13 {
		return u, fmt.Errorf("%s/stat has %d fields", dir, len(fields))
	}
	user, err1 := strconv.ParseInt(fields[11], 10, 64)
	system, err2 := strconv.ParseInt(fields[12], 10, 64)
	if err1 != nil || err2 != nil {
		return u, fmt.Errorf("%s/stat: %q", dir, stat)
	}
	u.UserSeconds, u.SystemSeconds = float64(user)/ticks, float64(system)/ticks

	io, err := numbers(filepath.Join(dir, "io"))
	if err != nil {
		return u, err
	}
	u.Read, u.Write = io["syscr"], io["syscw"]
	u.WroteBytes = io["write_bytes"] - io["cancelled_write_bytes"]

	threads, err := filepath.Glob(filepath.Join(dir, "task", "*", "status"))
	if err != nil {
		return u, err
	}
	for _, file := range threads {
		status, err := numbers(file)
		if err != nil {
			continue // a thread that has ended since
		}
		u.Switches += status["voluntary_ctxt_switches"] + status["nonvoluntary_ctxt_switches"]
	}
	return u, nil
}

// numbers reads lines of "name: number", with or without a unit, and leaves out the others.
func numbers(file string) (map[string]int64, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	all := make(map[string]int64)
	for line := range strings.Lines(string(text)) {
		name, rest, _ := strings.Cut(line, ":")
		words := strings.Fields(rest)
		if len(words) == 0 {
			continue
		}
		if n, err := strconv.ParseInt(words[0], 10, 64); err == nil {
			all[name] = n
		}
	}
	return all, nil
}

// Resident is the memory of processes that is in RAM, in bytes.
func Resident(pids ...int) (sum int64, err error) {
	for _, pid := range pids {
		status, err := numbers(fmt.Sprintf("/proc/%d/status", pid))
		if err != nil {
			return 0, err
		}
		sum += status["VmRSS"] << 10
	}
	return sum, nil
}

package main

import (
	"cmp"
	"fmt"
	"math"
	"os"
	"runtime"
	"strings"
	"time"

	"github.com/odradek/odradek/bench/measure"
	"github.com/odradek/odradek/bench/report"
	"golang.org/x/sys/unix"
)

// machine says what this is run on, and how busy it is before anything was begun.
func machine(dir string) report.Machine {
	m := report.Machine{CPU: "unknown", Cores: runtime.NumCPU(), Kernel: "unknown", Disk: "unknown"}
	if text, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		m.CPU = processor(string(text))
	}
	var name unix.Utsname
	if unix.Uname(&name) == nil {
		m.Kernel = "Linux " + unix.ByteSliceToString(name.Release[:])
	}
	var info unix.Sysinfo_t
	if unix.Sysinfo(&info) == nil {
		m.Memory = math.Round(float64(info.Totalram)*float64(info.Unit)/(1<<30)*10) / 10
	}
	var fs unix.Statfs_t
	if unix.Statfs(dir, &fs) == nil {
		kinds := map[int64]string{unix.EXT4_SUPER_MAGIC: "ext4", unix.XFS_SUPER_MAGIC: "xfs", unix.BTRFS_SUPER_MAGIC: "btrfs", unix.TMPFS_MAGIC: "tmpfs"}
		if m.Disk = kinds[fs.Type]; m.Disk == "" {
			m.Disk = fmt.Sprintf("file system %x", fs.Type)
		}
	}
	const look = 2 * time.Second
	before, err := measure.Now()
	time.Sleep(look)
	if after, err2 := measure.Now(); err == nil && err2 == nil {
		m.Others = math.Round(after.Since(before).Busy/look.Seconds()*100) / 100
	}
	return m
}

// processor names the first processor of a /proc/cpuinfo: what it is called, and its family and model
// where they are told, as a virtual machine often says no more than who made it.
func processor(cpuinfo string) string {
	of := make(map[string]string)
	for line := range strings.Lines(cpuinfo) {
		name, value, ok := strings.Cut(line, ":")
		if !ok {
			break // the next processor
		}
		of[strings.TrimSpace(name)] = strings.TrimSpace(value)
	}
	text := cmp.Or(of["model name"], "unknown")
	if of["cpu family"] != "" && of["model"] != "" {
		text += ", family " + of["cpu family"] + " model " + of["model"]
	}
	return text
}

package main

import (
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
		for line := range strings.Lines(string(text)) {
			if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
				m.CPU = strings.TrimSpace(value)
				break
			}
		}
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

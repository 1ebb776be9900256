package measure

import (
	"fmt"
	"os"
	"strconv"
	"strings"
)

// Now reads what the whole machine has used since it was started.
func Now() (Machine, error) {
	text, err := os.ReadFile("/proc/stat")
	if err != nil {
		return Machine{}, err
	}
	line, _, _ := strings.Cut(string(text), "\n")
	fields := strings.Fields(line)
	if len(fields) < 9 || fields[0] != "cpu" {
		return Machine{}, fmt.Errorf("/proc/stat begins with %q", line)
	}
	var m Machine
	for i, field := range fields[1:9] {
		n, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			return Machine{}, fmt.Errorf("/proc/stat: %w", err)
		}
		switch i {
		case 3, 4: // idle, and idle because of the disk
		case 7:
			m.Stolen = float64(n) / ticks
		default:
			m.Busy += float64(n) / ticks
		}
	}
	return m, nil
}

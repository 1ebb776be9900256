package main

import "testing"

// TestProcessor names processors by what Linux writes of them.
func TestProcessor(t *testing.T) {
	for _, c := range []struct{ cpuinfo, want string }{
		{"processor\t: 0\nvendor_id\t: AuthenticAMD\ncpu family\t: 25\nmodel\t\t: 17\nmodel name\t: AMD EPYC\n\nprocessor\t: 1\nmodel\t\t: 18\n", "AMD EPYC, family 25 model 17"},
		{"processor\t: 0\nBogoMIPS\t: 50.00\nCPU part\t: 0xd0c\n\n", "unknown"}, // arm64 has neither
		{"", "unknown"},
	} {
		if got := processor(c.cpuinfo); got != c.want {
			t.Errorf("%q is named %q, want %q", c.cpuinfo, got, c.want)
		}
	}
}

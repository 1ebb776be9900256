package broker

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"testing"
)

// What max.connections.per.ip.overrides says is what the line keeps to: addresses are
// written as remote ends are, names stand for their addresses, 0 lets nobody in.
func TestConnectionsPerAddress(t *testing.T) {
	b := &Broker{cfg: Config{Log: slog.New(slog.DiscardHandler), LookupHost: func(_ context.Context, host string) ([]string, error) {
		if host == "big.example" {
			return []string{"10.0.0.1", "fd00::1"}, nil
		}
		return nil, errors.New("no such host")
	}}}
	for _, c := range []struct {
		text string
		want map[string]int
	}{
		{"", map[string]int{}},
		{"127.0.0.1:7", map[string]int{"127.0.0.1": 7}},
		{" 127.0.0.1:7 , 10.1.2.3:0", map[string]int{"127.0.0.1": 7, "10.1.2.3": -1}},
		{"10.1.2.3:2147483647", map[string]int{"10.1.2.3": 0}},
		{"big.example:100", map[string]int{"10.0.0.1": 100, "fd00::1": 100}},
		{"::1:5,[fd00:0:0::2]:6", map[string]int{"::1": 5, "fd00::2": 6}},
		{"::ffff:10.0.0.9:5", map[string]int{"10.0.0.9": 5}},
		{"nowhere.example:5,10.0.0.9:1", map[string]int{"10.0.0.9": 1}},
		{"nonsense", map[string]int{}},
	} {
		if got := b.perIP(t.Context(), c.text); !maps.Equal(got, c.want) {
			t.Errorf("%q: %v, want %v", c.text, got, c.want)
		}
	}
}

// Connections leave descriptors to the logs, whatever was asked for.
func TestConnectionsLeaveDescriptors(t *testing.T) {
	for _, c := range []struct{ asked, descriptors, want int }{
		{0, 0, 0}, {7, 0, 7},
		{0, 1024, 768}, {100, 1024, 100}, {5000, 1024, 768},
		{0, 256, 192}, {0, 128, 64}, {0, 100, 50}, {0, 1, 1},
		{0, 20000, 15000},
	} {
		if got := mostConns(c.asked, c.descriptors); got != c.want {
			t.Errorf("asked %d of %d descriptors: %d, want %d", c.asked, c.descriptors, got, c.want)
		}
	}
}

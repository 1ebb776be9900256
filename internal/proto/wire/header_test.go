package wire

import (
	"bytes"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// The header that a client writes is read, and what is left is the body, for every
// request and version.
func TestHeadersOfAllRequests(t *testing.T) {
	rng := rand.New(rand.NewPCG(10, 10))
	named := kmsg.NewRequestFormatter(kmsg.FormatterClientID("a client"))
	nameless := kmsg.NewRequestFormatter()
	for key := int16(0); key <= MaxKey; key++ {
		s, ok := Lookup(key)
		req := kmsg.RequestForKey(key)
		if !ok || req == nil {
			continue
		}
		for v := s.Min; v <= min(s.Max, req.MaxVersion()); v++ {
			body := randomRequest(rng, key, v)
			req.SetVersion(v)
			if err := req.ReadFrom(body); err != nil {
				t.Fatal(err)
			}
			for _, f := range []*kmsg.RequestFormatter{named, nameless} {
				h, rest, err := parseHeader(f.AppendRequest(nil, req, 77)[4:], nil)
				if err != nil || h.Key != key || h.Version != v || h.CorrelationID != 77 || !bytes.Equal(rest, req.AppendTo(nil)) {
					t.Fatalf("%s v%d: %+v, %v", s.Name, v, h, err)
				}
				if (f == named) != (h.ClientID != nil) || f == named && *h.ClientID != "a client" {
					t.Fatalf("%s v%d: client id %v", s.Name, v, h.ClientID)
				}
			}
		}
	}
}

func TestClientIDIsSharedWhileItStays(t *testing.T) {
	f := frame(1, "same", 0)[4:]
	first, _, _ := parseHeader(f, nil)
	if again, _, _ := parseHeader(f, first.ClientID); again.ClientID != first.ClientID {
		t.Error("it was allocated again")
	}
	if other, _, _ := parseHeader(frame(1, "other", 0)[4:], first.ClientID); *other.ClientID != "other" || *first.ClientID != "same" {
		t.Errorf("%q after %q", *other.ClientID, *first.ClientID)
	}
}

// Only flexible requests have a flexible response header, and ApiVersions never.
func TestResponseHeaders(t *testing.T) {
	for _, c := range []struct {
		key, version int16
		flexible     bool
	}{{0, 8, false}, {0, 9, true}, {1, 11, false}, {1, 12, true}, {17, 0, false}, {17, 1, false},
		{18, 0, false}, {18, 3, false}, {18, 4, false}, {68, 0, true}, {75, 0, true}} {
		s, _ := Lookup(c.key)
		if got := s.FlexibleResponseHeader(c.version); got != c.flexible {
			t.Errorf("%s v%d: %v", s.Name, c.version, got)
		}
	}
}

func TestLogIsLimited(t *testing.T) {
	var l limitedLog
	now := time.Unix(100, 0)
	lines := 0
	for range 50 {
		if _, ok := l.admit(now); ok {
			lines++
		}
	}
	suppressed, ok := l.admit(now.Add(time.Second))
	if lines != maxLinesPerSecond || !ok || suppressed != 40 {
		t.Errorf("%d lines, then %v with %d suppressed", lines, ok, suppressed)
	}
}

// FuzzFrame takes any bytes as a frame.
func FuzzFrame(f *testing.F) {
	rng := rand.New(rand.NewPCG(11, 11))
	format := kmsg.NewRequestFormatter(kmsg.FormatterClientID("seed"))
	for key := int16(0); key <= MaxKey; key++ {
		s, ok := Lookup(key)
		if req := kmsg.RequestForKey(key); ok && req != nil {
			v := min(s.Max, req.MaxVersion())
			req.SetVersion(v)
			if err := req.ReadFrom(randomRequest(rng, key, v)); err != nil {
				f.Fatal(err)
			}
			f.Add(format.AppendRequest(nil, req, 1)[4:])
		}
	}
	f.Fuzz(func(t *testing.T, frame []byte) {
		h, body, err := parseHeader(frame, nil)
		if err != nil || CheckRequest(h.Key, h.Version, body) != nil {
			return
		}
		if req := kmsg.RequestForKey(h.Key); req != nil && h.Version <= req.MaxVersion() {
			req.SetVersion(h.Version)
			if err := req.ReadFrom(body); err != nil {
				t.Fatalf("passed, but kmsg says: %v", err)
			}
		}
	})
}

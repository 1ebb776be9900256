package behaviour

import (
	"encoding/binary"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// raw is a frame with a request header of version 1, and anything as its body.
func raw(key, version int16, correlation int32, body ...byte) []byte {
	b := make([]byte, 4, 64)
	b = binary.BigEndian.AppendUint16(b, uint16(key))
	b = binary.BigEndian.AppendUint16(b, uint16(version))
	b = binary.BigEndian.AppendUint32(b, uint32(correlation))
	b = binary.BigEndian.AppendUint16(b, 0xffff) // no client id
	b = append(b, body...)
	binary.BigEndian.PutUint32(b, uint32(len(b)-4))
	return b
}

func TestBehaviour001ApiVersionsFromTheFuture(t *testing.T) {
	onNode(t, nil, func(n *node) {
		c := n.dial()
		c.write(raw(18, 99, 7, 0, 0xde, 0xad, 0xbe, 0xef)) // no tags, and a body that nobody can read
		req := kmsg.NewPtrApiVersionsRequest()             // the answer is in version 0
		resp := c.receive(7, req).(*kmsg.ApiVersionsResponse)
		expect(t, "answer", resp.ErrorCode, kerr.UnsupportedVersion)
		if len(resp.ApiKeys) != 1 || resp.ApiKeys[0].ApiKey != 18 || resp.ApiKeys[0].MaxVersion != 4 {
			t.Errorf("rows are %+v, want that of ApiVersions", resp.ApiKeys)
		}
		// The connection goes on.
		again := ask[*kmsg.ApiVersionsResponse](c, 0, kmsg.NewPtrApiVersionsRequest())
		expect(t, "second try", again.ErrorCode, nil)
	})
}

func apiVersions() *kmsg.ApiVersionsRequest {
	req := kmsg.NewPtrApiVersionsRequest()
	req.ClientSoftwareName, req.ClientSoftwareVersion = "behaviour", "1.0"
	return req
}

func TestBehaviour002ApiVersionsHeaderIsTheFirst(t *testing.T) {
	onNode(t, nil, func(n *node) {
		c := n.dial()
		for version := range int16(5) {
			req := apiVersions()
			id := c.send(version, req)
			b, err := c.frame()
			if err != nil {
				t.Fatal(err)
			}
			same(t, "correlation id", int32(binary.BigEndian.Uint32(b)), id)
			resp := req.ResponseKind().(*kmsg.ApiVersionsResponse)
			if err := resp.ReadFrom(b[4:]); err != nil || len(resp.ApiKeys) < 30 { // no tags in front
				t.Errorf("version %d: %d rows, %v", version, len(resp.ApiKeys), err)
			}
		}
	})
}

func row(t *testing.T, c *conn, key int16) kmsg.ApiVersionsResponseApiKey {
	t.Helper()
	rows := ask[*kmsg.ApiVersionsResponse](c, 4, apiVersions()).ApiKeys
	i := slices.IndexFunc(rows, func(r kmsg.ApiVersionsResponseApiKey) bool { return r.ApiKey == key })
	if i < 0 {
		t.Fatalf("request %d is not advertised", key)
	}
	return rows[i]
}

func TestBehaviour003ProduceIsAdvertisedFromZero(t *testing.T) {
	onNode(t, nil, func(n *node) {
		c := n.dial()
		same(t, "least version", row(t, c, 0).MinVersion, 0)
		c.write(raw(0, 2, 1, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0))
		c.closed()
	})
}

func TestBehaviour004JoinGroupIsAdvertisedFromZero(t *testing.T) {
	onNode(t, nil, func(n *node) {
		c := n.dial()
		same(t, "least version", row(t, c, 11).MinVersion, 0)
		c.coordinator("old")
		resp := c.join(0, "old", "", "", "range", nil)
		expect(t, "version 0", resp.ErrorCode, nil)
		same(t, "generation", resp.Generation, 1)
	})
}

func TestBehaviour005ClientSoftwareHasAForm(t *testing.T) {
	onNode(t, nil, func(n *node) {
		c := n.dial()
		for _, word := range []string{"", "-a", "a-", "a b", "a_b", ".", "é"} {
			req := apiVersions()
			req.ClientSoftwareName = word
			expect(t, "name "+word, ask[*kmsg.ApiVersionsResponse](c, 3, req).ErrorCode, kerr.InvalidRequest)
			req = apiVersions()
			req.ClientSoftwareVersion = word
			expect(t, "version "+word, ask[*kmsg.ApiVersionsResponse](c, 4, req).ErrorCode, kerr.InvalidRequest)
		}
		for _, word := range []string{"a", "A.b-9", "apache-kafka-java", "a..b"} {
			req := apiVersions()
			req.ClientSoftwareName, req.ClientSoftwareVersion = word, word
			expect(t, word, ask[*kmsg.ApiVersionsResponse](c, 3, req).ErrorCode, nil)
		}
	})
}

func TestBehaviour006FeaturesFromZeroAreForVersion4(t *testing.T) {
	onNode(t, nil, func(n *node) {
		c := n.dial()
		zero := func(version int16) (some bool) {
			for _, f := range ask[*kmsg.ApiVersionsResponse](c, version, apiVersions()).SupportedFeatures {
				some = some || f.MinVersion == 0
			}
			return some
		}
		same(t, "version 3 has a feature from 0", zero(3), false)
		same(t, "version 4 has a feature from 0", zero(4), true)
	})
}

func TestBehaviour008AnswersComeInOrder(t *testing.T) {
	onNode(t, nil, func(n *node) {
		c := n.dial()
		c.create("t", 1)
		// A Fetch that waits, and what was sent behind it.
		wait := fetchRequest("t", 0)
		wait.MaxWaitMillis = 5000
		began := time.Now()
		first := c.send(12, wait)
		versions := apiVersions()
		second := c.send(4, versions)
		produce := produceRequest(1, "t", [16]byte{}, newBatch("x").bytes())
		third := c.send(12, produce)
		got := c.receive(first, wait).(*kmsg.FetchResponse)
		c.receive(second, versions)
		c.receive(third, produce)
		if time.Since(began) > 5*time.Second {
			t.Errorf("took %v", time.Since(began))
		}
		same(t, "error of the Fetch", got.ErrorCode, 0)
	})
}

func TestBehaviour010GarbageEndsTheConnection(t *testing.T) {
	frames := map[string][]byte{
		"unknown key":      raw(999, 0, 1),
		"unknown version":  raw(3, 99, 1),
		"key of a broker":  raw(4, 0, 1, 0, 0, 0, 0),
		"truncated body":   raw(3, 1, 1, 0, 0, 0, 9, 0),
		"negative length":  {0x80, 0, 0, 0},
		"length too large": {0x7f, 0xff, 0xff, 0xff},
		"empty frame":      {0, 0, 0, 0},
		"not Kafka":        []byte("GET / HTTP/1.1\r\nHost: node\r\n\r\n"),
	}
	for name, frame := range frames {
		t.Run(name, func(t *testing.T) {
			onNode(t, nil, func(n *node) {
				other, c := n.dial(), n.dial()
				c.write(frame)
				c.closed()
				expect(t, "another connection", ask[*kmsg.ApiVersionsResponse](other, 0, apiVersions()).ErrorCode, nil)
			})
		})
	}
}

func TestBehaviour017NoSASLOutsideItsPlace(t *testing.T) {
	onNode(t, nil, func(n *node) {
		c := n.dial()
		hello := kmsg.NewPtrSASLHandshakeRequest()
		hello.Mechanism = "PLAIN"
		expect(t, "handshake", ask[*kmsg.SASLHandshakeResponse](c, 1, hello).ErrorCode, kerr.IllegalSaslState)
		auth := ask[*kmsg.SASLAuthenticateResponse](c, 2, kmsg.NewPtrSASLAuthenticateRequest())
		expect(t, "authenticate", auth.ErrorCode, kerr.IllegalSaslState)
		expect(t, "the connection goes on", ask[*kmsg.ApiVersionsResponse](c, 4, apiVersions()).ErrorCode, nil)
	})
}

// There is no exporter that would take what clients tell of themselves.
func TestBehaviour117TelemetryIsNotAdvertised(t *testing.T) {
	onNode(t, nil, func(n *node) {
		c := n.dial()
		for _, r := range ask[*kmsg.ApiVersionsResponse](c, 4, apiVersions()).ApiKeys {
			if r.ApiKey == 71 || r.ApiKey == 72 {
				t.Errorf("request %d is advertised", r.ApiKey)
			}
		}
		c.write(raw(71, 0, 1, make([]byte, 18)...))
		c.closed()
	})
}

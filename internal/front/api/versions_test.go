package api

import (
	"encoding/binary"
	"testing"

	"github.com/odradek/odradek/internal/cluster/metadata"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Behaviour 1: a version of ApiVersions that nobody knows is answered in version 0,
// whatever its body is, with the versions that are known.
func TestUnknownVersionOfApiVersions(t *testing.T) {
	d := newDesk(t)
	frame := []byte{0, 0, 0, 0, 0, 18, 0, 99, 0, 0, 0, 7, 0, 1, 'x', 0, 0xff, 0xff, 0xff}
	binary.BigEndian.PutUint32(frame, uint32(len(frame)-4))
	body, err := exchange(d.conn, frame)
	if err != nil {
		t.Fatal(err)
	}
	var resp kmsg.ApiVersionsResponse
	if err := resp.ReadFrom(body); err != nil {
		t.Fatal(err)
	}
	if resp.ErrorCode != kerr.UnsupportedVersion.Code {
		t.Errorf("error %d, want UNSUPPORTED_VERSION", resp.ErrorCode)
	}
	if len(resp.ApiKeys) != 1 || resp.ApiKeys[0].ApiKey != 18 || resp.ApiKeys[0].MaxVersion != 4 {
		t.Errorf("keys %+v, want the row of ApiVersions alone", resp.ApiKeys)
	}
	// The connection lives on.
	if again := ask[*kmsg.ApiVersionsResponse](d, 0, kmsg.NewPtrApiVersionsRequest()); again.ErrorCode != 0 {
		t.Errorf("next answer has error %d", again.ErrorCode)
	}
}

// Behaviours 3, 4 and 5, and what every version tells.
func TestApiVersions(t *testing.T) {
	d := newDesk(t)
	for version := int16(0); version <= 4; version++ {
		req := kmsg.NewPtrApiVersionsRequest()
		req.ClientSoftwareName, req.ClientSoftwareVersion = "a-client", "1.2.3"
		resp := ask[*kmsg.ApiVersionsResponse](d, version, req)
		if resp.ErrorCode != 0 || len(resp.ApiKeys) == 0 {
			t.Errorf("v%d: error %d, %d keys", version, resp.ErrorCode, len(resp.ApiKeys))
		}
		told := map[int16]bool{}
		for _, k := range resp.ApiKeys {
			told[k.ApiKey] = true
			if k.ApiKey == 11 && k.MinVersion != 0 {
				t.Errorf("v%d: JoinGroup from %d: librdkafka needs 0", version, k.MinVersion)
			}
			if k.ApiKey == 0 && k.MinVersion != 0 {
				t.Errorf("v%d: Produce from %d: librdkafka needs 0", version, k.MinVersion)
			}
		}
		for _, a := range Table() {
			if told[a.Key] != (a.On != OnControllers) {
				t.Errorf("v%d: %s is told: %v", version, a.Name(), told[a.Key])
			}
		}
	}
}

func TestClientSoftware(t *testing.T) {
	d := newDesk(t)
	for _, c := range []struct {
		name, version string
		good          bool
	}{
		{"apache-kafka-java", "4.2.1", true},
		{"a", "1", true},
		{"", "1", false},
		{"a", "", false},
		{"-a", "1", false},
		{"a.", "1", false},
		{"a_b", "1", false},
		{"a b", "1", false},
		{"é", "1", false},
	} {
		req := kmsg.NewPtrApiVersionsRequest()
		req.ClientSoftwareName, req.ClientSoftwareVersion = c.name, c.version
		resp := ask[*kmsg.ApiVersionsResponse](d, 3, req)
		if good := resp.ErrorCode == 0; good != c.good {
			t.Errorf("%q %q: error %d", c.name, c.version, resp.ErrorCode)
		}
		if !c.good && (resp.ErrorCode != kerr.InvalidRequest.Code || len(resp.ApiKeys) != 0) {
			t.Errorf("%q %q: error %d with %d keys", c.name, c.version, resp.ErrorCode, len(resp.ApiKeys))
		}
	}
}

// Behaviour 6: features whose least level is 0 are for version 4 on.
func TestFeatures(t *testing.T) {
	d := newDesk(t)
	d.apply(metadata.SetFeature{Name: "metadata.version", Level: 29})
	for version, want := range map[int16]int{3: 1, 4: 2} {
		req := kmsg.NewPtrApiVersionsRequest()
		req.ClientSoftwareName, req.ClientSoftwareVersion = "a", "1"
		resp := ask[*kmsg.ApiVersionsResponse](d, version, req)
		if len(resp.SupportedFeatures) != want {
			t.Errorf("v%d: supported %+v, want %d", version, resp.SupportedFeatures, want)
		}
		if f := resp.FinalizedFeatures; len(f) != 1 || f[0].Name != "metadata.version" || f[0].MaxVersionLevel != 29 {
			t.Errorf("v%d: finalized %+v", version, f)
		}
		if resp.FinalizedFeaturesEpoch != d.feed.Image().Offset {
			t.Errorf("v%d: epoch %d", version, resp.FinalizedFeaturesEpoch)
		}
	}
}

// Behaviour 10: what is not in the table ends the connection without an answer.
func TestUnknownRequestsAreNotAnswered(t *testing.T) {
	for _, c := range []struct {
		what         string
		key, version int16
	}{
		{"a key of no request", 999, 0},
		{"a request that no broker takes any more", 4, 0},
		{"a request that is not served yet", 71, 0},
		{"a version below the least", 19, 1},
		{"a version above the greatest", 3, 14},
	} {
		d := newDesk(t)
		frame := make([]byte, 64)
		binary.BigEndian.PutUint32(frame, 60)
		binary.BigEndian.PutUint16(frame[4:], uint16(c.key))
		binary.BigEndian.PutUint16(frame[6:], uint16(c.version))
		if body, err := exchange(d.conn, frame); err == nil {
			t.Errorf("%s: answered % x", c.what, body)
		}
	}
}

// Behaviour 17: SASL where nobody asked for it is said to come at the wrong time.
func TestSaslOnPlaintext(t *testing.T) {
	d := newDesk(t)
	for version := int16(0); version <= 1; version++ {
		h := ask[*kmsg.SASLHandshakeResponse](d, version, &kmsg.SASLHandshakeRequest{Mechanism: "PLAIN"})
		if h.ErrorCode != kerr.IllegalSaslState.Code || len(h.SupportedMechanisms) != 0 {
			t.Errorf("handshake v%d: %+v", version, h)
		}
	}
	for version := int16(0); version <= 2; version++ {
		a := ask[*kmsg.SASLAuthenticateResponse](d, version, &kmsg.SASLAuthenticateRequest{SASLAuthBytes: []byte("x")})
		if a.ErrorCode != kerr.IllegalSaslState.Code || a.ErrorMessage == nil {
			t.Errorf("authenticate v%d: %+v", version, a)
		}
	}
}

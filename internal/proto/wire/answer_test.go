package wire

import (
	"errors"
	"math/rand/v2"
	"reflect"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// Every answer that kmsg writes passes, empty or full, in every version; cut short it does not.
// Of Raft's two, kmsg writes endpoints into version 0 that lack all their fields: nobody asks for them.
func TestCheckAnswerPassesWhatIsWritten(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 5))
	seen := 0
	for key := int16(0); key <= MaxKey; key++ {
		s, ok := Lookup(key)
		if !ok || kmsg.ResponseForKey(key) == nil {
			continue
		}
		first := s.Min
		if key == 52 || key == 59 { // Vote, FetchSnapshot
			first = 1
		}
		for v := first; v <= min(s.Max, kmsg.RequestForKey(key).MaxVersion()); v++ {
			for round := range 6 {
				body := randomAnswer(rng, key, v, round > 0)
				if err := CheckAnswer(key, v, body); err != nil {
					t.Errorf("key %d version %d: %v", key, v, err)
				} else if len(body) > 0 && CheckAnswer(key, v, body[:len(body)-1]) == nil {
					t.Errorf("key %d version %d passes without its last byte", key, v)
				}
				seen++
			}
		}
	}
	if seen < 1000 {
		t.Errorf("only %d answers", seen)
	}
}

func TestCheckAnswerRefuses(t *testing.T) {
	for _, c := range []struct {
		name     string
		key, ver int16
		body     []byte
		want     error
	}{
		{"2^32 tagged fields", 10, 4, []byte{0, 0, 0, 0, 1, 0xff, 0xff, 0xff, 0xff, 0x0f}, ErrMalformed},
		{"an unknown key", 999, 0, nil, ErrUnsupported},
		{"a negative key", -1, 0, nil, ErrUnsupported},
		{"an unknown version", 18, 99, nil, ErrUnsupported},
	} {
		if err := CheckAnswer(c.key, c.ver, c.body); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
	}
}

func randomAnswer(rng *rand.Rand, key, version int16, full bool) []byte {
	resp := kmsg.ResponseForKey(key)
	resp.SetVersion(version)
	v := reflect.ValueOf(resp).Elem()
	for i := 0; full && i < v.NumField(); i++ {
		if name := v.Type().Field(i).Name; name != "Version" {
			randomValue(rng, v.Field(i), name, 0)
		}
	}
	return resp.AppendTo(nil)
}

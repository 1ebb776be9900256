package wire

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// Every request that kmsg can encode passes, in every version that both know, and
// loses one byte or gains one and does not.
func TestWhatKmsgEncodesPasses(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	checked := 0
	for key := int16(0); key <= MaxKey; key++ {
		s, ok := Lookup(key)
		req := kmsg.RequestForKey(key)
		if !ok || req == nil {
			continue
		}
		for v := s.Min; v <= min(s.Max, req.MaxVersion()); v++ {
			for range 40 {
				body := randomRequest(rng, key, v)
				if err := CheckRequest(key, v, body); err != nil {
					t.Fatalf("%v\n%x", err, body)
				}
				if err := CheckRequest(key, v, append(body, 0)); !errors.Is(err, ErrMalformed) {
					t.Errorf("%s v%d with a byte too many: %v", s.Name, v, err)
				}
				if len(body) > 0 {
					if err := CheckRequest(key, v, body[:len(body)-1]); err == nil {
						t.Errorf("%s v%d with a byte too few passes", s.Name, v)
					}
				}
				checked++
			}
		}
	}
	if checked < 10000 {
		t.Errorf("only %d bodies were checked", checked)
	}
}

// The schemas know the versions and the flexible versions that kmsg knows.
func TestSchemasAgreeWithKmsg(t *testing.T) {
	for key := int16(0); key <= MaxKey; key++ {
		s, ok := Lookup(key)
		req := kmsg.RequestForKey(key)
		if !ok || req == nil {
			continue
		}
		for v := s.Min; v <= min(s.Max, req.MaxVersion()); v++ {
			req.SetVersion(v)
			if req.IsFlexible() != s.Flexible(v) {
				t.Errorf("%s v%d: flexible is %v, kmsg says %v", s.Name, v, s.Flexible(v), req.IsFlexible())
			}
		}
	}
}

// The cost of a structure is not less than what kmsg allocates for it.
func TestCostsCoverKmsg(t *testing.T) {
	for key := int16(0); key <= MaxKey; key++ {
		s, ok := Lookup(key)
		req := kmsg.RequestForKey(key)
		if ok && req != nil {
			coverStructure(t, s.Name, s.body, reflect.TypeOf(req).Elem())
		}
	}
}

func coverStructure(t *testing.T, path string, s *structure, typ reflect.Type) {
	for i := range s.fields {
		f := &s.fields[i]
		if f.sub == nil {
			continue
		}
		gf, ok := typ.FieldByNameFunc(func(n string) bool { return sameName(n, f.name) })
		if !ok {
			continue
		}
		elem := gf.Type
		for elem.Kind() == reflect.Slice || elem.Kind() == reflect.Pointer {
			elem = elem.Elem()
		}
		if int(elem.Size()) > f.sub.cost {
			t.Errorf("%s.%s: kmsg takes %d bytes, the table says %d", path, f.name, elem.Size(), f.sub.cost)
		}
		coverStructure(t, path+"."+f.name, f.sub, elem)
	}
}

// sameName compares a kmsg field with a schema's: kmsg shortens a few.
func sameName(kmsgName, schemaName string) bool {
	if kmsgName == schemaName {
		return true
	}
	n, m := len(kmsgName), len(schemaName)
	return n < m && n > 3 && schemaName[:n] == kmsgName || m < n && m > 3 && kmsgName[:m] == schemaName
}

func TestHostileBodiesAreRefused(t *testing.T) {
	for _, c := range []struct {
		name     string
		key, ver int16
		body     []byte
		want     error
	}{
		{"tags that are not there", 18, 3, []byte{2, 'a', 2, 'b', 0xff, 0xff, 0xff, 0x7f}, ErrMalformed},
		{"a varint of six bytes", 18, 3, []byte{2, 'a', 2, 'b', 0xff, 0xff, 0xff, 0xff, 0xff, 0x01}, ErrMalformed},
		{"a varint above 32 bits", 18, 3, []byte{2, 'a', 2, 'b', 0xff, 0xff, 0xff, 0xff, 0x1f}, ErrMalformed},
		{"an array count without bytes", 3, 0, []byte{0x7f, 0xff, 0xff, 0xff}, ErrMalformed},
		{"a negative array count", 3, 1, []byte{0xff, 0xff, 0xff, 0xfe}, ErrMalformed},
		{"a null array where none may be", 19, 2, []byte{0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0}, ErrMalformed},
		{"a null string where none may be", 10, 0, []byte{0xff, 0xff}, ErrMalformed},
		{"a string longer than the body", 10, 0, []byte{0x7f, 0xff, 'a'}, ErrMalformed},
		{"nothing at all", 10, 0, nil, ErrMalformed},
		{"an unknown key", 999, 0, nil, ErrUnsupported},
		{"a negative key", -1, 0, nil, ErrUnsupported},
		{"an unknown version", 18, 99, nil, ErrUnsupported},
		{"many small elements", 20, 3, many(1<<20, 0), ErrMalformed},
		{"many tagged fields", 18, 3, manyTags(1 << 17), ErrTooCostly},
	} {
		if err := CheckRequest(c.key, c.ver, c.body); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
	}
}

func many(n int, b byte) []byte {
	out := []byte{0, byte(n >> 16), byte(n >> 8), byte(n)}
	for range n {
		out = append(out, b)
	}
	return out
}

// manyTags is an ApiVersions v3 with n tagged fields of no bytes.
func manyTags(n int) []byte {
	out := []byte{1, 1, byte(n&0x7f) | 0x80, byte(n>>7&0x7f) | 0x80, byte(n >> 14)}
	for range n {
		out = append(out, 100, 0)
	}
	return out
}

func TestCheckAllocatesNothing(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 3))
	body := randomRequest(rng, 1, 16)
	if n := testing.AllocsPerRun(100, func() {
		if err := CheckRequest(1, 16, body); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// FuzzCheckRequest holds the guard to its word: what passes decodes without error or
// panic, and a body that kmsg writes back passes again.
func FuzzCheckRequest(f *testing.F) {
	rng := rand.New(rand.NewPCG(2, 2))
	for key := int16(0); key <= MaxKey; key++ {
		s, ok := Lookup(key)
		if req := kmsg.RequestForKey(key); ok && req != nil {
			for v := s.Min; v <= min(s.Max, req.MaxVersion()); v++ {
				f.Add(key, v, randomRequest(rng, key, v))
			}
		}
	}
	f.Fuzz(func(t *testing.T, key, v int16, body []byte) {
		if CheckRequest(key, v, body) != nil {
			return
		}
		req := kmsg.RequestForKey(key)
		if req == nil || v > req.MaxVersion() {
			return
		}
		req.SetVersion(v)
		if err := req.ReadFrom(body); err != nil {
			t.Fatalf("passed, but kmsg says: %v", err)
		}
		if err := CheckRequest(key, v, req.AppendTo(nil)); err != nil && !errors.Is(err, ErrTooCostly) {
			t.Fatalf("does not pass when written again: %v", err)
		}
	})
}

// randomRequest encodes a request with random fields.
func randomRequest(rng *rand.Rand, key, version int16) []byte {
	req := kmsg.RequestForKey(key)
	req.SetVersion(version)
	v := reflect.ValueOf(req).Elem()
	for i := range v.NumField() {
		if name := v.Type().Field(i).Name; name != "Version" {
			randomValue(rng, v.Field(i), name, 0)
		}
	}
	return req.AppendTo(nil)
}

func randomValue(rng *rand.Rand, v reflect.Value, name string, depth int) {
	switch v.Kind() {
	case reflect.Bool:
		v.SetBool(rng.IntN(2) == 0)
	case reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		v.SetInt(int64(rng.Uint64()) >> rng.IntN(60))
	case reflect.Uint8, reflect.Uint16, reflect.Uint32:
		v.SetUint(rng.Uint64() >> (64 - v.Type().Bits()))
	case reflect.Float64:
		v.SetFloat(rng.Float64())
	case reflect.String:
		v.SetString(fmt.Sprint(rng.IntN(1 << (3 * rng.IntN(8)))))
	case reflect.Array:
		for i := range v.Len() {
			randomValue(rng, v.Index(i), name, depth)
		}
	case reflect.Pointer:
		if rng.IntN(3) > 0 {
			v.Set(reflect.New(v.Type().Elem()))
			randomValue(rng, v.Elem(), name, depth)
		}
	case reflect.Slice:
		n := rng.IntN(4)
		v.Set(reflect.MakeSlice(v.Type(), n, n))
		for i := range n {
			randomValue(rng, v.Index(i), name, depth+1)
		}
	case reflect.Struct:
		if tags, ok := v.Addr().Interface().(*kmsg.Tags); ok {
			for range rng.IntN(2) * rng.IntN(3) {
				tags.Set(100+rng.Uint32N(1000), make([]byte, rng.IntN(20)))
			}
			return
		}
		for i := range v.NumField() {
			randomValue(rng, v.Field(i), v.Type().Field(i).Name, depth)
		}
	}
}

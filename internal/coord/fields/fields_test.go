package fields

import (
	"bytes"
	"encoding/hex"
	"errors"
	"reflect"
	"runtime"
	"strings"
	"testing"

	"github.com/odradek/odradek/internal/proto/model"
)

func ptr(s string) *string { return &s }

// forms are fields as Kafka writes them, and how they are read.
var forms = []struct {
	name  string
	wrote []byte
	hex   string
	read  func(r *Reader) any
	want  any
}{
	{"int8", []byte{0xfe}, "fe", func(r *Reader) any { return r.Int8() }, int8(-2)},
	{"int16", AppendInt16(nil, -2), "fffe", func(r *Reader) any { return r.Int16() }, int16(-2)},
	{"int32", AppendInt32(nil, 1<<30), "40000000", func(r *Reader) any { return r.Int32() }, int32(1 << 30)},
	{"int64", AppendInt64(nil, -1), "ffffffffffffffff", func(r *Reader) any { return r.Int64() }, int64(-1)},
	{"id", []byte{15: 7}, "00000000000000000000000000000007", func(r *Reader) any { return r.ID() }, model.ID{15: 7}},
	{"string", AppendString(nil, "ab"), "00026162", func(r *Reader) any { return r.String(false) }, "ab"},
	{"compact string", AppendCompactString(nil, "ab"), "036162", func(r *Reader) any { return r.String(true) }, "ab"},
	{"empty string", AppendString(nil, ""), "0000", func(r *Reader) any { return r.String(false) }, ""},
	{"no string", AppendNullable(nil, nil), "ffff", func(r *Reader) any { return r.Nullable(false) }, (*string)(nil)},
	{"a string", AppendNullable(nil, ptr("a")), "000161", func(r *Reader) any { return r.Nullable(false) }, ptr("a")},
	{"no compact string", AppendCompactNullable(nil, nil), "00", func(r *Reader) any { return r.Nullable(true) }, (*string)(nil)},
	{"a compact string", AppendCompactNullable(nil, ptr("a")), "0261", func(r *Reader) any { return r.Nullable(true) }, ptr("a")},
	{"bytes", AppendBytes(nil, []byte{9}), "0000000109", func(r *Reader) any { return r.Bytes(false) }, []byte{9}},
	{"compact bytes", AppendCompactBytes(nil, []byte{9}), "0209", func(r *Reader) any { return r.Bytes(true) }, []byte{9}},
	{"null for bytes", AppendInt32(nil, -1), "ffffffff", func(r *Reader) any { return r.Bytes(false) }, []byte(nil)},
	{"bytes passed over", AppendBytes(nil, []byte{9}), "0000000109", func(r *Reader) any { r.SkipBytes(); return nil }, nil},
	{"null passed over", AppendInt32(nil, -1), "ffffffff", func(r *Reader) any { r.SkipBytes(); return nil }, nil},
	{"no array", AppendCount(nil, -1, false), "ffffffff", func(r *Reader) any { return r.Count(false) }, 0},
	{"no compact array", AppendCount(nil, -1, true), "00", func(r *Reader) any { return r.Count(true) }, 0},
	{"array", append(AppendCount(nil, 1, false), 5), "0000000105", func(r *Reader) any { return []any{r.Count(false), r.Int8()} }, []any{1, int8(5)}},
	{"numbers", AppendInt32(AppendCount(nil, 1, true), 5), "0200000005", func(r *Reader) any { return r.Int32s(true) }, []int32{5}},
	{"tags", []byte{2, 0, 1, 7, 0x80, 1, 2, 1, 2}, "020001078001020102", tagsOf, map[int]int8{0: 7, 128: 1}},
}

// tagsOf reads the first byte of each tagged field.
func tagsOf(r *Reader) any {
	found := map[int]int8{}
	r.Tags(func(tag int, field *Reader) { found[tag] = field.Int8() })
	return found
}

func TestFields(t *testing.T) {
	for _, f := range forms {
		if got := hex.EncodeToString(f.wrote); got != f.hex {
			t.Errorf("%s: wrote %s, want %s", f.name, got, f.hex)
		}
		r := Reader{Rest: append(bytes.Clone(f.wrote), 0xee)}
		if got := f.read(&r); !reflect.DeepEqual(got, f.want) || r.Err != nil {
			t.Errorf("%s: read %#v, %v, want %#v", f.name, got, r.Err, f.want)
		}
		if len(r.Rest) != 1 {
			t.Errorf("%s: left %x", f.name, r.Rest)
		}
	}
}

// What is cut off is an error, which stays, and makes all that follows zero.
func TestFieldsCutOff(t *testing.T) {
	for _, f := range forms {
		for n := range f.wrote {
			r := Reader{Rest: f.wrote[:n:n]}
			f.read(&r)
			if !errors.Is(r.Err, ErrMalformed) {
				t.Errorf("%s: %d bytes of %x are read", f.name, n, f.wrote)
			}
		}
	}
	failed := errors.New("as its owner found")
	r := Reader{Rest: bytes.Repeat([]byte{1}, 64), Err: failed}
	r.Fail()
	if r.Int8() != 0 || r.Int64() != 0 || r.String(true) != "" || r.Nullable(false) != nil || r.Count(true) != 0 ||
		r.Bytes(true) != nil || r.Int32s(true) != nil || !r.ID().IsZero() || len(r.Rest) != 64 || r.Err != failed {
		t.Errorf("an error is passed over: %+v", r)
	}
}

// No declared length is believed, and none is allocated.
func TestFieldsThatBoast(t *testing.T) {
	const most = "8080808008" // 2^31
	for _, c := range []struct {
		name, hex string
		read      func(r *Reader)
	}{
		{"string", "7fff61", func(r *Reader) { _ = r.String(false) }},
		{"null for a string", "ffff", func(r *Reader) { _ = r.String(false) }},
		{"null for a compact string", "00", func(r *Reader) { _ = r.String(true) }},
		{"negative string", "fffe", func(r *Reader) { _ = r.Nullable(false) }},
		{"compact string", most + "61", func(r *Reader) { _ = r.String(true) }},
		{"compact string that may be null", most + "61", func(r *Reader) { _ = r.Nullable(true) }},
		{"bytes", "7fffffff61", func(r *Reader) { _ = r.Bytes(false) }},
		{"negative bytes", "fffffffe", func(r *Reader) { _ = r.Bytes(false) }},
		{"compact bytes", most + "61", func(r *Reader) { _ = r.Bytes(true) }},
		{"bytes passed over", "7fffffff61", func(r *Reader) { r.SkipBytes() }},
		{"array", "7fffffff00", func(r *Reader) { _ = r.Count(false) }},
		{"negative array", "fffffffe", func(r *Reader) { _ = r.Count(false) }},
		{"compact array", most + "00", func(r *Reader) { _ = r.Count(true) }},
		{"numbers", "0000000200000001000000", func(r *Reader) { _ = r.Int32s(false) }},
		{"compact numbers", most + "00000001", func(r *Reader) { _ = r.Int32s(true) }},
		{"tags", most + "0000", func(r *Reader) { r.Tags(nil) }},
		{"tag", "0100" + most + "00", func(r *Reader) { r.Tags(nil) }},
		{"tag that its reader finds short", "010000", func(r *Reader) { tagsOf(r) }},
		{"varint beyond 2^31", "8180808008", func(r *Reader) { _ = r.Uvarint() }},
		{"varint of six bytes", "808080808001", func(r *Reader) { _ = r.Uvarint() }},
	} {
		b, err := hex.DecodeString(c.hex)
		if err != nil {
			t.Fatal(err)
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		r := Reader{Rest: b}
		c.read(&r)
		runtime.ReadMemStats(&after)
		if !errors.Is(r.Err, ErrMalformed) {
			t.Errorf("%s: %x is read", c.name, b)
		}
		if n := after.TotalAlloc - before.TotalAlloc; n > 16<<10 {
			t.Errorf("%s: %d bytes are allocated for %d", c.name, n, len(b))
		}
	}
}

// A string that the classic form cannot say has got past those who check.
func TestStringTooLong(t *testing.T) {
	if got := AppendString(nil, strings.Repeat("x", MaxString)); len(got) != 2+MaxString {
		t.Errorf("the longest takes %d bytes", len(got))
	}
	defer func() {
		if recover() == nil {
			t.Error("a longer one is written")
		}
	}()
	AppendString(nil, strings.Repeat("x", MaxString+1))
}

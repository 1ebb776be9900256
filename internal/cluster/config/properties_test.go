package config

import (
	"encoding/hex"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
)

// The parser reads what java.util.Properties reads: testdata/java-properties.tsv holds
// inputs and what Java 17 made of them, in hexadecimal.
func TestPropertiesAsJava(t *testing.T) {
	file := "testdata/java-properties.tsv"
	if f := os.Getenv("JAVA_PROPERTIES_TSV"); f != "" {
		file = f
	}
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for l := range strings.Lines(string(b)) {
		in, want, _ := strings.Cut(strings.TrimRight(l, "\n"), "\t")
		data, err := hex.DecodeString(in)
		if err != nil {
			t.Fatal(err)
		}
		// Lines without a key are useless, and Java makes some up: they are not compared.
		want = strings.Join(slices.DeleteFunc(strings.Split(want, ","), func(p string) bool { return strings.HasPrefix(p, "=") }), ",")
		got := "error"
		if settings, err := ParseProperties("f", data); err == nil {
			m := Merge(settings).settings
			var parts []string
			for _, k := range slices.Sorted(maps.Keys(m)) {
				if k == "" {
					continue
				}
				parts = append(parts, hex.EncodeToString([]byte(k))+"="+hex.EncodeToString([]byte(m[k][0].Value)))
			}
			got = strings.Join(parts, ",")
		}
		if got != want {
			t.Errorf("%q: got %s, Java has %s", data, got, want)
		}
		n++
	}
	if n < 400 {
		t.Fatalf("only %d cases", n)
	}
}

func TestPropertiesOrigins(t *testing.T) {
	got, err := ParseProperties("s.properties", []byte("\ufeff# comment\n\na = 1\nb=x\\\n   y\\\n  z\n!no\nc:\\u20ac\\ud83d\\ude00\na=2"))
	if err != nil {
		t.Fatal(err)
	}
	want := []Setting{
		{"a", "1", "", Origin{LayerFile, "s.properties:3"}},
		{"b", "xyz", "", Origin{LayerFile, "s.properties:4"}},
		{"c", "€😀", "", Origin{LayerFile, "s.properties:8"}},
		{"a", "2", "", Origin{LayerFile, "s.properties:9"}},
	}
	if !slices.Equal(got, want) {
		t.Errorf("%v", got)
	}
	if s, _ := Merge(got).Lookup("a"); s.Value != "2" {
		t.Errorf("of two lines, %v wins", s)
	}
	if got, _ := ParseProperties("f", []byte("k=caf\xe9")); len(got) != 1 || got[0].Value != "café" {
		t.Errorf("Latin-1: %v", got)
	}
	if _, err := ParseProperties("f", []byte("a=1\nk=\\u12g4")); err == nil || !strings.HasPrefix(err.Error(), "f:2:") {
		t.Errorf("error is %v", err)
	}
}

func FuzzProperties(f *testing.F) {
	for _, s := range []string{"a=1", "a\\\n b:c", "# x\ny=\\u0041", "\\", "=", "k=\\ud83d\\ude00", "a\\=b c"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		settings, err := ParseProperties("f", data)
		if err != nil {
			return
		}
		// Written with everything escaped, the same settings are read again.
		var b strings.Builder
		for _, s := range settings {
			for _, r := range s.Name {
				b.WriteString(escapeRune(r))
			}
			b.WriteByte('=')
			for _, r := range s.Value {
				b.WriteString(escapeRune(r))
			}
			b.WriteByte('\n')
		}
		again, err := ParseProperties("f", []byte(b.String()))
		if err != nil || len(again) != len(settings) {
			t.Fatalf("%q: %v, %v", b.String(), again, err)
		}
		for i := range again {
			if again[i].Name != settings[i].Name || again[i].Value != settings[i].Value {
				t.Fatalf("%q became %q", settings[i], again[i])
			}
		}
	})
}

// escapeRune writes r so that it stands for itself wherever it is.
func escapeRune(r rune) string {
	switch r {
	case '\n':
		return `\n`
	case '\r':
		return `\r`
	case '\t':
		return `\t`
	case '\f':
		return `\f`
	case 'n', 'r', 't', 'f', 'u':
		return string(r)
	}
	return `\` + string(r)
}

func TestExpand(t *testing.T) {
	from := Sources{
		Getenv: func(n string) (string, bool) {
			v, ok := map[string]string{"HOME": "/home/k", "EMPTY": ""}[n]
			return v, ok
		},
		ReadFile: func(p string) ([]byte, error) {
			if d, ok := map[string]string{"/s/pw.properties": "a=1\nb=two", "/s/keys/k1": "secret\n"}[p]; ok {
				return []byte(d), nil
			}
			return nil, os.ErrNotExist
		},
	}
	for _, c := range []struct{ in, want, err string }{
		{"${env:HOME}/data", "/home/k/data", ""},
		{"${env::HOME}", "/home/k", ""},
		{"${env:EMPTY}", "", ""},
		{"${file:/s/pw.properties:b}-${dir:/s/keys:k1}", "two-secret", ""},
		{"${HOME} $1 ${vault:x:y}", "${HOME} $1 ${vault:x:y}", ""},
		{"${env:NOPE}", "", "${env:NOPE} is not set in the environment"},
		{"${file:/s/pw.properties:c}", "", "names a key that is not in the file"},
		{"${file:/nope:c}", "", "cannot be read"},
		{"${file:nocolon}", "", "needs a path and a key"},
		{"${dir:/s/keys:../pw.properties}", "", "leaves its folder"},
	} {
		out, rep := Expand([]Setting{{Name: "k", Value: c.in, Origin: Origin{LayerFile, "f:1"}}}, from)
		if c.err != "" {
			if len(rep.Errors) != 1 || !strings.Contains(rep.Errors[0].String(), c.err) || !strings.HasPrefix(rep.Errors[0].String(), "f:1: k: ") {
				t.Errorf("%s: errors %v", c.in, rep.Errors)
			}
			continue
		}
		if len(rep.Errors) > 0 || out[0].Value != c.want || (c.in != c.want && out[0].Raw != c.in) {
			t.Errorf("%s: %+v %v", c.in, out[0], rep.Errors)
		}
	}
	if _, rep := Expand([]Setting{{Name: "k", Value: "${dir:/a:b}"}}, Sources{}); len(rep.Errors) != 1 {
		t.Error("without a source a reference was followed")
	}
}

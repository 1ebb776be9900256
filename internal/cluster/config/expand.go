package config

import (
	"regexp"
	"strings"
)

// Sources are what a file's references may read. Nil funcs find nothing.
type Sources struct {
	Getenv   func(name string) (string, bool)
	ReadFile func(path string) ([]byte, error)
}

// reference is ${env:NAME}, ${file:PATH:KEY} or ${dir:PATH:FILE}, the names that Kafka's
// own config providers go by. Any other ${…} is ordinary text.
var reference = regexp.MustCompile(`\$\{(env|file|dir):([^}]*)\}`)

// Expand replaces references in the values of settings and keeps the original text in
// Raw. A reference that leads nowhere is an error: a password that silently became
// "${file:…}" would be worse. What is put in is not expanded again.
func Expand(settings []Setting, from Sources) ([]Setting, Report) {
	var rep Report
	out := make([]Setting, len(settings))
	for i, s := range settings {
		v := reference.ReplaceAllStringFunc(s.Value, func(ref string) string {
			m := reference.FindStringSubmatch(ref)
			v, why := from.lookup(m[1], m[2])
			if why != "" {
				rep.errorf(s.Name, s.Origin, "%s: %s %s", s.Name, ref, why)
			}
			return v
		})
		if v != s.Value {
			s.Raw, s.Value = s.Value, v
		}
		out[i] = s
	}
	return out, rep
}

// lookup follows one reference; why says what went wrong.
func (f Sources) lookup(kind, arg string) (value, why string) {
	if kind == "env" {
		// Kafka allows a path before the name and ignores it.
		name := arg[strings.LastIndex(arg, ":")+1:]
		if f.Getenv != nil {
			if v, ok := f.Getenv(name); ok {
				return v, ""
			}
		}
		return "", "is not set in the environment"
	}
	i := strings.LastIndex(arg, ":")
	if i < 0 {
		return "", "needs a path and a key"
	}
	path, key := arg[:i], arg[i+1:]
	if kind == "dir" {
		if strings.Contains(key, "/") || key == ".." {
			return "", "leaves its folder"
		}
		path = strings.TrimSuffix(path, "/") + "/" + key
	}
	data, err := f.read(path)
	if err != nil {
		return "", "cannot be read: " + err.Error()
	}
	if kind == "dir" {
		return strings.TrimRight(string(data), "\r\n"), ""
	}
	settings, err := ParseProperties(path, data)
	if err != nil {
		return "", "cannot be read: " + err.Error()
	}
	if s, ok := Merge(settings).Lookup(key); ok {
		return s.Value, ""
	}
	return "", "names a key that is not in the file"
}

type noSource struct{}

func (noSource) Error() string { return "files are not available here" }

func (f Sources) read(path string) ([]byte, error) {
	if f.ReadFile == nil {
		return nil, noSource{}
	}
	return f.ReadFile(path)
}

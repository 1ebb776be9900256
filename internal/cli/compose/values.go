package compose

import (
	"bufio"
	"bytes"
	"fmt"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// environment is a list of NAME=VALUE, or a map; nil is a name without a value.
type environment map[string]*string

// UnmarshalYAML keeps values as they are written: 0755 and 1.0 are texts here.
func (e *environment) UnmarshalYAML(n *yaml.Node) error {
	*e = environment{}
	if n.Kind == yaml.SequenceNode {
		var list []string
		if err := n.Decode(&list); err != nil {
			return err
		}
		for _, kv := range list {
			k, v, ok := strings.Cut(kv, "=")
			if ok {
				(*e)[k] = &v
			} else {
				(*e)[k] = nil
			}
		}
		return nil
	}
	var values map[string]yaml.Node // decoding follows <<
	if err := n.Decode(&values); err != nil {
		return err
	}
	for k, v := range values {
		if v.Kind == yaml.AliasNode {
			v = *v.Alias
		}
		switch {
		case v.Kind != yaml.ScalarNode:
			return fmt.Errorf("line %d: the value of %s is no text", v.Line, k)
		case v.Tag == "!!null":
			(*e)[k] = nil
		default:
			(*e)[k] = &v.Value
		}
	}
	return nil
}

// envFiles is one name, or a list of names or of {path, required}.
type envFiles []envFile

type envFile struct {
	Path     string `yaml:"path"`
	Required *bool  `yaml:"required"`
}

// UnmarshalYAML takes all three forms.
func (e *envFiles) UnmarshalYAML(n *yaml.Node) error {
	items := n.Content
	if n.Kind == yaml.ScalarNode {
		items = []*yaml.Node{n}
	}
	for _, it := range items {
		if it.Kind == yaml.AliasNode {
			it = it.Alias
		}
		f := envFile{Path: it.Value}
		if it.Kind == yaml.MappingNode {
			if err := it.Decode(&f); err != nil {
				return err
			}
		}
		*e = append(*e, f)
	}
	return nil
}

func readEnvFile(f envFile, from Source, into map[string]string) error {
	if from.ReadFile == nil {
		return fmt.Errorf("env_file %s cannot be read here", f.Path)
	}
	text, err := from.ReadFile(f.Path)
	if err != nil {
		if f.Required != nil && !*f.Required {
			return nil
		}
		return fmt.Errorf("env_file: %w", err)
	}
	for k, v := range ParseEnvFile(text) {
		into[k] = v
	}
	return nil
}

// ParseEnvFile reads NAME=VALUE lines, as .env and env_file have them. Lines that are
// none are left out.
func ParseEnvFile(text []byte) map[string]string {
	out := make(map[string]string)
	lines := bufio.NewScanner(bytes.NewReader(text))
	lines.Buffer(nil, maxFile)
	for lines.Scan() {
		line := strings.TrimPrefix(strings.TrimSpace(lines.Text()), "export ")
		k, v, ok := strings.Cut(line, "=")
		if !ok || k == "" || k[0] == '#' {
			continue
		}
		v = strings.TrimSpace(v)
		switch {
		case len(v) >= 2 && (v[0] == '"' || v[0] == '\'') && v[len(v)-1] == v[0]:
			v = v[1 : len(v)-1]
		default:
			v, _, _ = strings.Cut(v, " #")
		}
		out[strings.TrimSpace(k)] = strings.TrimSpace(v)
	}
	return out
}

// port is what one entry of ports publishes: outside by inside.
type port map[int]int

// UnmarshalYAML takes [IP:][OUTSIDE:]INSIDE[/tcp], also of ranges, and the long form.
func (p *port) UnmarshalYAML(n *yaml.Node) error {
	*p = port{}
	if n.Kind == yaml.MappingNode {
		var long struct{ Target, Published, Protocol string }
		if err := n.Decode(&long); err != nil {
			return err
		}
		if long.Published == "" {
			long.Published = long.Target
		}
		return p.add(long.Published, long.Target)
	}
	text, proto, _ := strings.Cut(n.Value, "/")
	if proto != "" && proto != "tcp" {
		return nil
	}
	outside, inside := text, text
	if i := strings.LastIndexByte(text, ':'); i >= 0 {
		outside, inside = text[:i], text[i+1:]
		outside = outside[strings.LastIndexByte(outside, ':')+1:]
		if outside == "" {
			outside = inside // any free one
		}
	}
	if err := p.add(outside, inside); err != nil {
		return fmt.Errorf("line %d: port %q: %w", n.Line, n.Value, err)
	}
	return nil
}

func (p *port) add(outside, inside string) error {
	o, oEnd, err := portRange(outside)
	if err != nil {
		return err
	}
	i, iEnd, err := portRange(inside)
	if err != nil {
		return err
	}
	if iEnd-i != oEnd-o && i != iEnd {
		return fmt.Errorf("the ranges %s and %s differ in length", outside, inside)
	}
	for n := 0; i+n <= iEnd; n++ {
		(*p)[i+n] = o + n
	}
	return nil
}

func portRange(text string) (from, to int, err error) {
	a, b, ok := strings.Cut(text, "-")
	if from, err = parsePort(a); err != nil {
		return 0, 0, err
	}
	if !ok {
		return from, from, nil
	}
	if to, err = parsePort(b); err == nil && to < from {
		err = fmt.Errorf("%q ends before it begins", text)
	}
	return from, to, err
}

func parsePort(text string) (int, error) {
	n, err := strconv.Atoi(strings.TrimSpace(text))
	if err != nil || n < 1 || n > 65_535 {
		return 0, fmt.Errorf("%q is no number from 1 to 65535", text)
	}
	return n, nil
}

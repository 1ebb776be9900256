package compose

import (
	"fmt"
	"strings"

	"go.yaml.in/yaml/v3"
)

// interpolate replaces the variables in all values below n. What an anchor names is seen
// once, where it stands.
func interpolate(n *yaml.Node, lookup func(string) (string, bool)) error {
	switch n.Kind {
	case yaml.ScalarNode:
		v, err := expand(n.Value, lookup, 0)
		if err != nil {
			return fmt.Errorf("line %d: %w", n.Line, err)
		}
		if v != n.Value {
			n.Value, n.Tag = v, "!!str"
		}
	case yaml.MappingNode:
		for i := 1; i < len(n.Content); i += 2 {
			if err := interpolate(n.Content[i], lookup); err != nil {
				return err
			}
		}
	case yaml.SequenceNode:
		for _, c := range n.Content {
			if err := interpolate(c, lookup); err != nil {
				return err
			}
		}
	}
	return nil
}

// maxNesting is how deep variables may stand in the defaults of others.
const maxNesting = 20

// expand replaces $NAME and ${NAME}, ${NAME:-OR}, ${NAME-OR}, ${NAME:?WHY}, ${NAME?WHY},
// ${NAME:+INSTEAD} and ${NAME+INSTEAD}, where the colon makes empty the same as unset; $$
// is a dollar. A variable that is not set is empty.
func expand(text string, lookup func(string) (string, bool), depth int) (string, error) {
	if depth > maxNesting {
		return "", fmt.Errorf("variables are nested more than %d deep", maxNesting)
	}
	var b strings.Builder
	for {
		before, after, found := strings.Cut(text, "$")
		b.WriteString(before)
		if !found {
			return b.String(), nil
		}
		switch {
		case strings.HasPrefix(after, "$"):
			b.WriteByte('$')
			text = after[1:]
		case strings.HasPrefix(after, "{"):
			end := closing(after)
			if end < 0 {
				return "", fmt.Errorf("${ is not closed in %q", text)
			}
			v, err := braced(after[1:end], lookup, depth)
			if err != nil {
				return "", err
			}
			b.WriteString(v)
			text = after[end+1:]
		default:
			name := leadingName(after)
			if name == "" {
				return "", fmt.Errorf("a $ stands before no name in %q: write $$ for a dollar", text)
			}
			v, _ := lookup(name)
			b.WriteString(v)
			text = after[len(name):]
		}
	}
}

// closing is where the brace that text begins with is closed, -1 if nowhere.
func closing(text string) int {
	depth := 0
	for i, r := range text {
		switch r {
		case '{':
			depth++
		case '}':
			if depth--; depth == 0 {
				return i
			}
		}
	}
	return -1
}

func leadingName(text string) string {
	for i, r := range text {
		if r != '_' && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (i == 0 || r < '0' || r > '9') {
			return text[:i]
		}
	}
	return text
}

// braced is what ${inner} stands for.
func braced(inner string, lookup func(string) (string, bool), depth int) (string, error) {
	name := leadingName(inner)
	op, word := "", inner[len(name):]
	for _, o := range []string{":-", ":?", ":+", "-", "?", "+"} {
		if rest, ok := strings.CutPrefix(word, o); ok {
			op, word = o, rest
			break
		}
	}
	if name == "" || op == "" && word != "" {
		return "", fmt.Errorf("${%s} cannot be understood", inner)
	}
	value, set := lookup(name)
	if strings.HasPrefix(op, ":") && value == "" {
		set = false
	}
	switch {
	case strings.HasSuffix(op, "+"):
		if !set {
			return "", nil
		}
		return expand(word, lookup, depth+1)
	case set || op == "":
		return value, nil
	case strings.HasSuffix(op, "-"):
		return expand(word, lookup, depth+1)
	}
	why, err := expand(word, lookup, depth+1)
	if err != nil {
		return "", err
	}
	if why == "" {
		why = "it is not set"
	}
	return "", fmt.Errorf("variable %s: %s", name, why)
}

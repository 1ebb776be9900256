package model

import (
	"errors"
	"fmt"
	"regexp"
	"regexp/syntax"
)

// maxPattern bounds a pattern's states. Package regexp takes time by the length of what is
// matched times the states of the expression, and `(x?){1000}` has a thousand of them, so
// that a few hundred bytes could keep a coordinator busy for hours. Alternatives of hundreds
// of names stay far below it.
const maxPattern = 10_000

var errPattern = errors.New("the expression is too large")

// CompilePattern compiles a regular expression (RE2) that a client sends and that has to
// match a whole name.
func CompilePattern(pattern string) (*regexp.Regexp, error) {
	if len(pattern) > maxPattern {
		return nil, fmt.Errorf("%w: %d bytes", errPattern, len(pattern))
	}
	parsed, err := syntax.Parse(pattern, syntax.Perl) // by itself: it must not close the group below
	if err != nil {
		return nil, fmt.Errorf("parse a pattern: %w", err)
	}
	if states(parsed) > maxPattern {
		return nil, errPattern
	}
	re, err := regexp.Compile(`\A(?:` + pattern + `)\z`) // it may nest too deeply then, or end in a quotation
	if err != nil {
		return nil, fmt.Errorf("compile a pattern: %w", err)
	}
	return re, nil
}

// states is about how many states an expression has once its repetitions are written out;
// what is beyond maxPattern is not counted to its end.
func states(re *syntax.Regexp) int {
	n := 1 + len(re.Rune)
	for _, sub := range re.Sub {
		if n += states(sub); n > maxPattern {
			return n
		}
	}
	if re.Op == syntax.OpRepeat {
		n *= max(re.Min, re.Max, 1)
	}
	return n
}

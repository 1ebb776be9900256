package model

import (
	"strings"
	"testing"
)

func TestCompilePattern(t *testing.T) {
	for _, c := range []struct {
		name, pattern string
		matches       string // "" if the pattern is refused
		not           string
	}{
		{"a whole name", "ord.*", "orders", "reorders"},
		{"alternatives", "a|b", "b", "ab"},
		{"flags", "(?i)A", "a", "b"},
		{"a quotation", `\Qa.b\E`, "a.b", "axb"},
		{"a quotation without an end", `\Qab`, "", ""},
		{"not closed", "a(", "", ""},
		{"closes what is around it", "a)(b", "", ""},
		{"as deep as it may be", strings.Repeat("(?:a", 400) + strings.Repeat(")?", 400), "a", "b"},
		{"too deep inside another", strings.Repeat("(", 999) + "a" + strings.Repeat(")", 999), "", ""},
		{"many names", strings.Repeat("topic-of-orders|", 300) + "x", "topic-of-orders", "y"},
		{"many states", strings.Repeat("(?:x?){1000}", 10), "", ""},
		{"a thousand states", "(?:x?){1000}", "x", "y"},
		{"nested states", strings.Repeat("(?:(?:(?:x?){10}){10}y*){10}", 6), "", ""},
		{"long", strings.Repeat("x", 20_000), "", ""},
	} {
		re, err := CompilePattern(c.pattern)
		if refused := err != nil; refused != (c.matches == "") {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if err == nil && (!re.MatchString(c.matches) || re.MatchString(c.not)) {
			t.Errorf("%s: matches %q %v, %q %v", c.name, c.matches, re.MatchString(c.matches), c.not, re.MatchString(c.not))
		}
	}
}

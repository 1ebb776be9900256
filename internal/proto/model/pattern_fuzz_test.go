package model

import (
	"regexp"
	"runtime"
	"testing"
)

// FuzzPattern compiles any pattern that a client may send: what is taken matches whole names
// as the same expression between anchors does, and costs memory by its length only.
func FuzzPattern(f *testing.F) {
	for _, s := range []string{"a.*", "a|b", `\Qa)(`, "(?i)orders", "(x?){999}", "((((a{9}){9}){9}){9}){9}", "[^\\x00-\\x{10FFFF}]", "(?P<n>a)", "^a$|b", "\\pL+"} {
		f.Add(s, "orders-1")
	}
	f.Fuzz(func(t *testing.T, pattern, name string) {
		if len(name) > 249 {
			return
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		re, err := CompilePattern(pattern)
		if err == nil {
			re.MatchString(name)
		}
		runtime.ReadMemStats(&after)
		if spent := after.TotalAlloc - before.TotalAlloc; spent > 32<<20 {
			t.Errorf("a pattern of %d bytes took %d", len(pattern), spent)
		}
		if err != nil {
			return
		}
		plain, err := regexp.Compile(pattern)
		if err != nil {
			t.Fatalf("it is no pattern by itself: %v", err)
		}
		// Leftmost-longest tells whether any match is the whole name.
		plain.Longest()
		if at := plain.FindStringIndex(name); at != nil && at[0] == 0 && at[1] == len(name) && !re.MatchString(name) {
			t.Errorf("%q does not match %q", pattern, name)
		}
	})
}

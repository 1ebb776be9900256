// Package invariant ends a process that has broken a rule of its own: whatever it would do
// next might spread what is wrong, and what it has on disk is still what it was.
// docs/INVARIANTS.md lists the rules. It knows none of them and owns no goroutines.
package invariant

import "fmt"

// Broken is what Break panics with. Who recovers from panics lets it pass: see Survive.
type Broken string

func (b Broken) Error() string { return string(b) }

// Break says which invariant is broken, and does not return.
func Break(format string, args ...any) {
	panic(Broken("bug: an invariant is broken: " + fmt.Sprintf(format, args...)))
}

// Survive is for who recovers from panics: it panics again if v is a Broken.
func Survive(v any) {
	if b, ok := v.(Broken); ok {
		panic(b)
	}
}

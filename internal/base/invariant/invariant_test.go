package invariant

import (
	"errors"
	"strings"
	"testing"
)

// A broken invariant passes through whoever survives panics; other panics do not.
func TestSurvive(t *testing.T) {
	caught := func(f func()) (v any) {
		defer func() { v = recover() }()
		f()
		return nil
	}
	broken := caught(func() { Break("%d after %d", 1, 2) })
	if err, ok := broken.(error); !ok || !strings.HasPrefix(err.Error(), "bug: ") || !strings.HasSuffix(err.Error(), "1 after 2") {
		t.Errorf("broke with %v", broken)
	}
	if v := caught(func() { Survive(broken) }); v != broken {
		t.Errorf("a broken invariant was survived: %v", v)
	}
	if v := caught(func() { Survive(errors.New("nil map")) }); v != nil {
		t.Errorf("another panic was not survived: %v", v)
	}
}

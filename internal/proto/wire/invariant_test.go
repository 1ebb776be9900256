package wire

import (
	"testing"

	"github.com/odradek/odradek/internal/base/invariant"
)

// A handler that breaks an invariant ends more than its connection.
func TestBrokenInvariantIsNotSurvived(t *testing.T) {
	defer func() {
		if _, ok := recover().(invariant.Broken); !ok {
			t.Error("the connection alone was ended")
		}
	}()
	c := &Conn{srv: &Server{}}
	_ = c.guarded(func() error { invariant.Break("x"); return nil })
}

package runtime

import (
	"context"
	"testing"
	"testing/synctest"

	"github.com/twmb/franz-go/pkg/kerr"
)

// A panic, which whoever answers requests survives, costs the machine and the commands that
// wait for it. The next ones find it loaded again.
func TestPanic(t *testing.T) {
	inBubble(t, func(b *bench) {
		b.want(b.ask(Alone, write("a")), "", nil)
		held, panicked := make(chan struct{}), make(chan any, 1)
		go func() {
			defer func() { panicked <- recover() }()
			_, _ = Do(context.Background(), b.Runtime, 0, Alone, func(j *journal, turn *Turn) (string, error) {
				<-held
				panic("bug: as written")
			})
		}()
		synctest.Wait()
		waits := b.ask(Alone, write("b"))
		b.wantNone(waits)
		close(held)
		synctest.Wait()
		if v := <-panicked; v != "bug: as written" {
			t.Errorf("panic %v", v)
		}
		b.want(waits, "", kerr.CoordinatorNotAvailable)
		b.want(b.ask(Alone, read), "a", nil)
	})
}

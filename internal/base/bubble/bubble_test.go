package bubble_test

import (
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/odradek/odradek/internal/base/bubble"
)

// Timers that are due when they are set, by many at once: under the race detector this ended the
// process nearly every time.
func TestTimersThatAreDue(t *testing.T) {
	before := runtime.GOMAXPROCS(0)
	for range 10 {
		bubble.Test(t, func(*testing.T) {
			var wg sync.WaitGroup
			for range 8 {
				wg.Go(func() {
					for range 500 {
						rung := make(chan struct{})
						time.AfterFunc(0, func() { close(rung) })
						<-rung
					}
				})
			}
			wg.Wait()
		})
	}
	if now := runtime.GOMAXPROCS(0); now != before {
		t.Errorf("%d processors after a bubble, %d before", now, before)
	}
}

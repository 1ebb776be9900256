package host

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"
)

// What one broker leads the others have too, soon, and only then it is acknowledged.
func TestReplicate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 3)
		c.topic("orders", 3, 1, 2, 3)
		began := time.Now()
		for i := range 30 {
			if err := c.put("orders", int32(i%3), fmt.Sprint(i)); err != nil {
				t.Fatal(i, err)
			}
		}
		if took := time.Since(began); took > 2*time.Second {
			t.Errorf("thirty records took %v", took)
		}
		for p := range int32(3) {
			if got := c.same("orders", p, 1, 2, 3); len(got) != 10 {
				t.Errorf("partition %d has %v", p, got)
			}
		}
		c.end()
	})
}

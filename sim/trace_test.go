//go:debug randautoseed=0

package sim

import (
	"bufio"
	"crypto/sha256"
	"flag"
	"fmt"
	"io"
	"os"
	"testing"
	"testing/cryptotest"

	"github.com/odradek/odradek/sim/history"
)

var traceTo = flag.String("trace", "", "a file for all that clients did and saw in a seed, to the nanosecond, as JSON lines; its digest is printed. - is the digest alone")

// repeatable gives a seed all the randomness that can be given to it from here: that of
// crypto/rand, and by the line at the top of this file that of math/rand's functions, of
// which franz-go and Raft draw. What is left is the Go runtime's own: see
// docs/DETERMINISM.md. It is called outside of the bubble.
func repeatable(t *testing.T, seed uint64) { cryptotest.SetGlobalRandom(t, seed) }

// trace writes down a seed's history, so that two lives of it can be compared.
func trace(t *testing.T, seed uint64, h *history.History) {
	if *traceTo == "" {
		return
	}
	sum := sha256.New()
	out := io.Writer(sum)
	if *traceTo != "-" {
		f, err := os.Create(*traceTo)
		if err != nil {
			t.Error(err)
			return
		}
		defer f.Close()
		out = io.MultiWriter(sum, f)
	}
	b := bufio.NewWriter(out)
	if err := history.WriteAll(b, h); err != nil {
		t.Error(err)
	}
	if err := b.Flush(); err != nil {
		t.Error(err)
	}
	fmt.Printf("trace of seed %d: %x\n", seed, sum.Sum(nil))
}

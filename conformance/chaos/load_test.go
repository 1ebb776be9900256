package chaos

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/odradek/odradek/conformance/chaos/clock"
	"github.com/odradek/odradek/sim/check"
	"github.com/odradek/odradek/sim/history"
)

// What pipes put out is each input once, up to what their group has committed.
func TestOnce(t *testing.T) {
	for _, c := range []struct {
		got  []int64
		to   int64
		want string
	}{
		{nil, 0, ""},
		{[]int64{2, 0, 1}, 3, ""},
		{[]int64{0, 1, 1, 2}, 3, "input 1 came out twice"},
		{[]int64{0, 3, 4}, 5, "inputs 1 to 3 did not come out"},
		{[]int64{0, 1}, 4, "inputs up to 2 came out, and up to 4 are committed"},
		{[]int64{0, 1, 2, 3}, 2, "inputs up to 4 came out, and up to 2 are committed"},
	} {
		if got := strings.Join(once(c.got, c.to, "out"), "; "); got != "" != (c.want != "") || !strings.Contains(got, c.want) {
			t.Errorf("%v, committed to %d: %q, want %q", c.got, c.to, got, c.want)
		}
	}
}

// The files of workers, of which one was killed in the middle of a line, and what this
// process has told are one history: a record that was acknowledged and that no drain shows
// is missed, and one that was on its way is not.
func TestLossIsSeen(t *testing.T) {
	dir := t.TempDir()
	for name, lines := range map[string]string{
		"1.sarama.send.jsonl": `{"kind":"send","process":1,"outcome":"ok","invoke":1,"return":2,"topic":"a","offset":0,"value":"1#0"}
{"kind":"send","process":1,"outcome":"ok","invoke":3,"return":4,"topic":"a","offset":1,"value":"1#1"}
`,
		"2.java.pipe.jsonl": `{"kind":"send","process":2,"id":1,"invoke":5,"topic":"a","value":"2#0"}
{"kind":"send","process":2,"id":2,"invo`,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(lines), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	l := &Load{dir: dir, own: history.NewRecorder(clock.Now)}
	o := history.Blank()
	o.Kind, o.Process, o.Topic, o.Start, o.High = history.Drain, 3, "a", 0, 2
	drain := l.own.Begin(o)
	o = history.Blank()
	o.Kind, o.Process, o.Topic, o.Records = history.Poll, 3, "a", history.Reads{{Offset: 0, Value: history.MakeValue(1, 0)}}
	l.own.Note(o)
	l.own.End(drain, history.OK)
	h, wrong, err := l.Check(check.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if sends, polled, rest := h.Count(); sends != 3 || polled != 1 || rest != 1 {
		t.Errorf("%d sends, %d polled, %d others; want 3, 1, 1", sends, polled, rest)
	}
	if len(wrong) != 1 || !strings.Contains(wrong[0], "1#1 was acknowledged at 1") {
		t.Errorf("found %q, want the loss of 1#1", wrong)
	}
}

// Flags are written as each worker's program reads them.
func TestPythonic(t *testing.T) {
	got := strings.Join(pythonic([]string{"python", "chaos.py", "-do=send", "-pace=5"}), " ")
	if want := "python chaos.py --do=send --pace=5"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// What a leader told that was replaced is not held against what others were told, and what
// one told that was not, is.
func TestDoubt(t *testing.T) {
	second := int64(time.Second)
	h := new(history.History)
	for _, o := range []struct {
		partition, epoch int32
		at, offset       int64
	}{{0, 1, second, 10}, {0, 2, 2 * second, 20}, {0, 1, 3 * second, 10}, {0, 2, 90 * second, 30}, {1, 1, second, 10}, {1, 2, 60 * second, 5}} {
		op := history.Blank()
		op.Kind, op.Outcome, op.Topic, op.Partition, op.Epoch, op.Offset = history.ListOffset, history.OK, "a", o.partition, o.epoch, o.offset
		op.Invoke, op.Return = o.at, o.at+1
		h.Add(op)
	}
	if taken := doubt(h); taken != 2 {
		t.Errorf("%d answers were taken back, want 2: those of epoch 1 beside epoch 2", taken)
	}
	if wrong := check.All(h, check.Options{LateFetches: true}); len(wrong) != 1 || wrong[0].Check != "C10" {
		t.Errorf("found %v, want that partition 1 went back", wrong)
	}
}

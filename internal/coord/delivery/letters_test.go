package delivery

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/odradek/odradek/internal/proto/model"
	"github.com/odradek/odradek/internal/proto/record"
	"github.com/twmb/franz-go/pkg/kerr"
)

// office is a cluster's dead letter queues: which topics there are, and what was written.
type office struct {
	mu      sync.Mutex
	topics  map[string]LetterTopic
	rules   LetterRules
	written []string
	times   []time.Time
	fails   error
	most    int  // records of one batch, 0 for any number
	once    bool // fails after the next
}

func (o *office) letters() Letters {
	return Letters{
		Topic: func(name string) LetterTopic { o.mu.Lock(); defer o.mu.Unlock(); return o.topics[name] },
		Rules: func() LetterRules { o.mu.Lock(); defer o.mu.Unlock(); return o.rules },
		Create: func(_ context.Context, name string) error {
			o.mu.Lock()
			defer o.mu.Unlock()
			o.topics[name] = LetterTopic{Partitions: 1, Enabled: true}
			return o.fails
		},
		Produce: o.produce,
	}
}

func (o *office) produce(_ context.Context, tp model.TopicPartition, records []record.Record) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.times = append(o.times, time.Now())
	if o.fails != nil {
		return o.fails
	}
	large := func(r record.Record) bool { return len(r.Value) > 50 }
	if o.most > 0 && len(records) > o.most || slices.ContainsFunc(records, large) {
		return kerr.MessageTooLarge
	}
	for i, r := range records {
		if r.Offset != int64(i) {
			return fmt.Errorf("letter %d has offset %d", i, r.Offset)
		}
		headers := make([]string, 0, 6)
		for _, h := range r.Headers {
			headers = append(headers, strings.TrimPrefix(h.Key, "__dlq.errors.")+"="+string(h.Value))
		}
		what := tp.String() + " " + strings.Join(headers, " ")
		if r.Value != nil || r.Key != nil {
			what += fmt.Sprintf(" %s", r.Value)
		}
		o.written = append(o.written, what)
	}
	if o.once {
		o.once, o.fails = false, errors.New("the line is cut")
	}
	return nil
}

// take returns what was written since.
func (o *office) take() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	list := strings.Join(o.written, "\n")
	o.written = nil
	return list
}

func (o *office) set(f func(*office)) {
	o.mu.Lock()
	defer o.mu.Unlock()
	f(o)
}

func withOffice(t *testing.T, test func(*broker, *office)) {
	inBubble(t, func(b *broker) {
		o := &office{topics: map[string]LetterTopic{"dlq.g": {Partitions: 3, Enabled: true}}, rules: LetterRules{Prefix: "dlq."}}
		b.end()
		b.letters = o.letters()
		b.set.DeadLetters = "dlq.g"
		b.start()
		test(b, o)
	})
}

const rejection = " message=Offset rejected by client."
const exhaustion = " message=Offset delivery count exceeded the threshold."

func letterOf(offset, deliveries int) string {
	return fmt.Sprintf("dlq.g-0 topic=t partition=0 offset=%d group=g delivery.count=%d", offset, deliveries)
}

// What is rejected, or was delivered as often as may be, stands in the dead letter queue
// before it is archived, with headers that tell where it comes from.
func TestLetters(t *testing.T) {
	withOffice(t, func(b *broker, o *office) {
		b.set.MaxDeliveries = 2
		b.append(t0, "a", "b", "c", "d")
		b.want(b.take("g", "m", 4), "0-3×1 of 0-3")
		b.want(b.ack("g", "m", 0, 0, Reject), "ok")
		b.want(b.ack("g", "m", 1, 1, Gap), "ok")
		b.want(b.ack("g", "m", 2, 3, Release), "ok")
		synctest.Wait()
		b.want(o.take(), letterOf(0, 1)+rejection)
		b.want(b.stateOf("g"), "2|4: 2-3 free×1")
		b.want(b.take("g", "m", 1), "2×2 of 0-3")
		b.want(b.take("g", "n", 1), "3×2 of 0-3")
		b.want(b.ack("g", "m", 2, 2, Release), "ok")
		time.Sleep(31 * time.Second)
		b.want(o.take(), letterOf(2, 2)+exhaustion+"\n"+letterOf(3, 2)+exhaustion)
		b.want(b.stateOf("g"), "4|4:")
	})
}

// Letters bear the record itself if the group wants it; one that is too large goes without,
// and too many at once go by parts.
func TestLettersBearRecords(t *testing.T) {
	withOffice(t, func(b *broker, o *office) {
		b.set.CopyRecords = true
		o.most = 2
		b.append(t0, "a", "b", strings.Repeat("x", 100))
		b.append(t0, "c")
		b.append(t0, "d")
		b.want(b.take("g", "m", 9), "0-4×1 of 0-2,3,4")
		b.want(b.ack("g", "m", 0, 3, Reject), "ok")
		synctest.Wait()
		b.want(o.take(), letterOf(0, 1)+rejection+" a\n"+letterOf(1, 1)+rejection+" b\n"+
			letterOf(2, 1)+rejection+"\n"+letterOf(3, 1)+rejection+" c")
	})
}

// A queue that fails is tried again, and holds the records back; when that was in vain too
// often they are given up. Meanwhile the group goes on.
func TestLettersFail(t *testing.T) {
	for name, fail := range map[string]func(*office){
		"no leader":   func(o *office) { o.fails = kerr.NotLeaderForPartition },
		"missing":     func(o *office) { delete(o.topics, "dlq.g") },
		"not enabled": func(o *office) { o.topics["dlq.g"] = LetterTopic{Partitions: 1} },
		"prefix":      func(o *office) { o.rules.Prefix = "other." },
		"internal":    func(o *office) { o.rules.Prefix = "__" },
		"not made":    func(o *office) { delete(o.topics, "dlq.g"); o.rules.Create, o.fails = true, errors.New("no") },
	} {
		t.Run(name, func(t *testing.T) {
			withOffice(t, func(b *broker, o *office) {
				b.append(t0, "a", "b", "c")
				b.want(b.take("g", "m", 2), "0-1×1 of 0-2")
				o.set(fail)
				b.want(b.ack("g", "m", 0, 0, Reject), "ok")
				b.want(b.ack("g", "m", 1, 1, Accept), "ok")
				time.Sleep(20 * time.Second)
				b.want(b.stateOf("g"), "0|3: 0 archiving×1, 1 acked×1, 2 free×0")
				b.want(b.take("g", "m", 1), "2×1 of 0-2")
				b.want(b.ack("g", "m", 2, 2, Accept), "ok")
				time.Sleep(100 * time.Second)
				b.want(b.stateOf("g"), "3|3:")
				b.want(o.take(), "")
			})
			// What goes away in time does no harm.
			withOffice(t, func(b *broker, o *office) {
				b.append(t0, "a")
				b.want(b.take("g", "m", 1), "0×1 of 0")
				o.set(fail)
				b.want(b.ack("g", "m", 0, 0, Reject), "ok")
				time.Sleep(20 * time.Second)
				o.set(func(o *office) {
					o.fails, o.topics["dlq.g"], o.rules = nil, LetterTopic{Partitions: 1, Enabled: true}, LetterRules{Prefix: "dlq."}
				})
				time.Sleep(30 * time.Second)
				b.want(o.take(), letterOf(0, 1)+rejection)
				b.want(b.stateOf("g"), "1|1:")
			})
		})
	}
}

// A topic that is missing is made if the cluster allows it.
func TestLetterTopicIsMade(t *testing.T) {
	withOffice(t, func(b *broker, o *office) {
		delete(o.topics, "dlq.g")
		o.rules.Create = true
		b.append(t0, "a")
		b.want(b.take("g", "m", 1), "0×1 of 0")
		b.want(b.ack("g", "m", 0, 0, Reject), "ok")
		synctest.Wait()
		b.want(o.take(), letterOf(0, 1)+rejection)
	})
}

// The leader that comes after one which died before it wrote a letter writes it.
func TestLettersSurviveTheLeader(t *testing.T) {
	withOffice(t, func(b *broker, o *office) {
		b.append(t0, "a", "b")
		b.want(b.take("g", "m", 2), "0-1×1 of 0-1")
		o.set(func(o *office) { o.fails = errors.New("the line is cut") })
		b.want(b.ack("g", "m", 0, 0, Reject), "ok")
		synctest.Wait()
		b.end()
		b.want(o.take(), "")
		o.set(func(o *office) { o.fails = nil })
		b.lead(b.parts[t0], 2)
		b.lead(b.parts[t0], 3)
		b.start()
		b.want(b.take("g", "m", 9), "1×1 of 0-1")
		b.want(o.take(), letterOf(0, 1)+rejection)
		b.want(b.stateOf("g"), "1|2: 1 m×1")
	})
}

// Of what the log has lost meanwhile a letter tells all the same; of what compaction took
// there is nothing to tell. What is there no longer needs no queue either, if the group has
// none by now.
func TestLettersOfWhatIsGone(t *testing.T) {
	withOffice(t, func(b *broker, o *office) {
		b.append(t0, "a", "b", "c")
		b.append(t0, "d")
		sh := b.open("g")
		if _, err := b.parts[t0].DeleteRecords(3); err != nil {
			t.Fatal(err)
		}
		l := letter{first: 1, last: 3, deliveries: 4, why: exceeded}
		records, next, err := sh.lettersOf(&l, 1, true)
		if err != nil || len(records) != 2 || next != 3 || records[0].Value != nil {
			t.Errorf("%d letters up to %d: %v", len(records), next, err)
		}
		records, next, err = sh.lettersOf(&l, next, true)
		if err != nil || len(records) != 1 || next != 4 || string(records[0].Value) != "d" {
			t.Errorf("%d letters up to %d: %v", len(records), next, err)
		}
		b.want(b.take("g", "m", 1), "3×1 of 3")
		o.set(func(o *office) { o.fails = errors.New("the line is cut") })
		b.want(b.ack("g", "m", 3, 3, Reject), "ok")
		time.Sleep(500 * time.Millisecond)
		b.change(func(s *Settings) { s.DeadLetters = "" })
		time.Sleep(time.Second)
		b.want(b.stateOf("g"), "4|4:")
	})
}

// Many letters go in several batches; records whose letters are not written yet are not
// archived.
func TestManyLetters(t *testing.T) {
	withOffice(t, func(b *broker, o *office) {
		for range 3 {
			b.append(t0, make([]string, letterRecords*3/5)...)
		}
		b.want(b.take("g", "m", 1000), "0-899×1 of 0-299,300-599,600-899")
		o.set(func(o *office) { o.once = true })
		b.want(b.ack("g", "m", 0, 899, Reject), "ok")
		time.Sleep(500 * time.Millisecond)
		b.want(b.stateOf("g"), "600|900: 600-899 archiving×1")
		o.set(func(o *office) { o.fails = nil })
		time.Sleep(time.Second)
		b.want(b.stateOf("g"), "900|900:")
		if n := strings.Count(o.take(), "offset="); n != 900 {
			t.Errorf("%d letters", n)
		}
	})
}

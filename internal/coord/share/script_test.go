package share

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/odradek/odradek/internal/base/bubble"
	"github.com/odradek/odradek/internal/coord/runtime/memlog"
	"github.com/odradek/odradek/internal/proto/model"
	"github.com/odradek/odradek/internal/proto/record"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// A script is a conversation with the coordinator of group g, a line an action:
//
//	init t/0 state=1 start=5 -> ok                 a request and its answer
//	write t/0 state=1 leader=2 start=6 done=2 7-8:2*1 -> ok
//	read t/0 leader=2 -> ok state=1 start=6 7-8:2*1
//	summary t/0 -> ok state=1 leader=2 start=6 done=2
//	delete t/0 -> ok
//	records -> snapshot#0 update#0                 what was written since the last look
//	after 5m                                       time passes
//	log reload | moves | prune | full              what happens to the log
//	topic t gone | missed                          it is deleted, and somebody is told
//
// A batch is first-last:state*deliveries. Topics t and u have 4 partitions.
type house struct {
	*testing.T
	ctx     context.Context
	service *Service // who coordinates
	other   *Service // who will
	log     *memlog.Log
	set     Settings
	gone    sync.Map // names of topics
	epoch   int32
	seen    int64 // records that a script has looked at
	pruned  int64
}

func inHouse(t *testing.T, set Settings, test func(*house)) {
	t.Helper()
	bubble.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		h := &house{T: t, ctx: ctx, log: &memlog.Log{}, set: set}
		var running sync.WaitGroup
		h.service, h.other = h.start(&running), h.start(&running)
		h.service.Lead(0, 0, h.log)
		synctest.Wait()
		test(h)
		cancel()
		running.Wait()
	})
}

func (h *house) start(running *sync.WaitGroup) *Service {
	s := New(Config{
		Partitions: func() int32 { return 1 },
		Settings:   func() Settings { return h.set },
		Topic: func(id model.ID) int32 {
			if _, gone := h.gone.Load(string(id[:1])); gone {
				return 0
			}
			return 4
		},
		Prune: func(_ int32, before int64) error {
			h.pruned = before
			return nil
		},
	})
	running.Go(func() {
		if err := s.Run(h.ctx); err != nil {
			h.Errorf("Run: %v", err)
		}
	})
	return s
}

// move gives the log to the other Service; what was not committed is lost unless keep.
func (h *house) move(keep bool) {
	h.epoch++
	h.service.Resign(0)
	h.log.Lead(h.epoch, keep)
	h.service, h.other = h.other, h.service
	h.service.Lead(0, h.epoch, h.log)
	synctest.Wait()
}

func play(t *testing.T, set Settings, script string) {
	t.Helper()
	inHouse(t, set, func(h *house) { h.play(script) })
}

func (h *house) play(script string) {
	h.Helper()
	for i, line := range strings.Split(script, "\n") {
		line, _, _ = strings.Cut(line, " # ")
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		action, want, _ := strings.Cut(line, "->")
		got := h.act(strings.Fields(action))
		if want = strings.TrimSpace(want); got != want {
			h.Fatalf("line %d: %s\ngot  %s", i+1, line, got)
		}
	}
}

func (h *house) act(words []string) string {
	switch words[0] {
	case "after":
		d, err := time.ParseDuration(words[1])
		if err != nil {
			return err.Error()
		}
		time.Sleep(d)
		synctest.Wait()
		return ""
	case "log":
		return h.logDoes(words[1])
	case "topic":
		h.gone.Store(words[1], true)
		if words[2] == "gone" {
			h.service.TopicDeleted([]model.ID{topicID(words[1])})
			synctest.Wait()
		}
		return ""
	case "records":
		return h.records()
	}
	topic, number, _ := strings.Cut(words[1], "/")
	p, _ := strconv.Atoi(number)
	return h.ask(words[0], Key{"g", topicID(topic), int32(p)}, parse(words[2:]))
}

func topicID(name string) (id model.ID) {
	copy(id[:], name)
	return id
}

func (h *house) logDoes(what string) string {
	switch what {
	case "reload":
		h.move(true)
	case "moves":
		h.move(false)
	case "holds":
		h.log.Hold()
	case "commits":
		h.log.Commit()
		synctest.Wait()
	case "full":
		h.log.FailAppend(kerr.NotEnoughReplicas)
	case "prune":
		return strconv.FormatInt(h.pruned, 10)
	}
	return ""
}

// arguments are those of a request.
type arguments struct {
	state, leader, done int32
	start               int64
	batches             []StateBatch
}

var batchWord = regexp.MustCompile(`^(-?\d+)-(-?\d+):(\d+)\*(-?\d+)$`)

func parse(words []string) arguments {
	f := arguments{state: -1, leader: -1, done: -1, start: -1}
	for _, w := range words {
		if m := batchWord.FindStringSubmatch(w); m != nil {
			n := func(i int) int64 { v, _ := strconv.ParseInt(m[i], 10, 64); return v }
			f.batches = append(f.batches, StateBatch{n(1), n(2), int8(n(3)), int16(n(4))})
			continue
		}
		name, value, _ := strings.Cut(w, "=")
		n, _ := strconv.ParseInt(value, 10, 64)
		switch name {
		case "state":
			f.state = int32(n)
		case "leader":
			f.leader = int32(n)
		case "done":
			f.done = int32(n)
		case "start":
			f.start = n
		}
	}
	return f
}

// ask sends a request about one key and words the answer.
func (h *house) ask(verb string, k Key, f arguments) string {
	kind := map[string]kmsg.Key{
		"init": kmsg.InitializeShareGroupState, "read": kmsg.ReadShareGroupState, "write": kmsg.WriteShareGroupState,
		"delete": kmsg.DeleteShareGroupState, "summary": kmsg.ReadShareGroupStateSummary,
	}[verb]
	q := &question{kind: kind, key: k, stateEpoch: f.state, leaderEpoch: f.leader, start: f.start, complete: f.done, batches: f.batches}
	settle([]*question{q}, serve(h.ctx, h.service, ask(lane{kind: kind, group: k.Group}, []*question{q})), nil)
	if q.err != nil {
		return name(q.err)
	}
	switch verb {
	case "read":
		return fmt.Sprintf("ok state=%d start=%d%s", q.state.StateEpoch, q.state.Start, words(q.state.Batches))
	case "summary":
		s := q.summary
		return fmt.Sprintf("ok state=%d leader=%d start=%d done=%d", s.StateEpoch, s.LeaderEpoch, s.Start, s.DeliveryCompleteCount)
	}
	return "ok"
}

// serve has the service answer, as the front desk does.
func serve(ctx context.Context, s *Service, req kmsg.Request) kmsg.Response {
	req.SetVersion(req.MaxVersion())
	switch req := req.(type) {
	case *kmsg.InitializeShareGroupStateRequest:
		return s.InitializeState(ctx, req)
	case *kmsg.ReadShareGroupStateRequest:
		return s.ReadState(ctx, req)
	case *kmsg.WriteShareGroupStateRequest:
		return s.WriteState(ctx, req)
	case *kmsg.DeleteShareGroupStateRequest:
		return s.DeleteState(ctx, req)
	case *kmsg.ReadShareGroupStateSummaryRequest:
		return s.ReadStateSummary(ctx, req)
	}
	panic("bug: the coordinator answers no such request")
}

func name(err error) string {
	if ke, ok := errors.AsType[*kerr.Error](err); ok {
		return ke.Message
	}
	return err.Error()
}

func words(batches []StateBatch) string {
	var b strings.Builder
	for _, s := range batches {
		fmt.Fprintf(&b, " %d-%d:%d*%d", s.First, s.Last, s.State, s.Deliveries)
	}
	return b.String()
}

// records words what was written since it was last asked.
func (h *house) records() string {
	var list []string
	h.each(h.seen, func(offset int64, key, value []byte) {
		kind, _, err := parseKey(key)
		switch {
		case err != nil:
			list = append(list, err.Error())
		case value == nil:
			list = append(list, "tombstone")
		case kind == keySnapshot:
			s, _ := parseSnapshot(value)
			list = append(list, fmt.Sprintf("snapshot#%d", s.epoch))
		default:
			u, _ := parseUpdate(value)
			list = append(list, fmt.Sprintf("update#%d", u.epoch))
		}
	})
	h.seen = h.log.End()
	return strings.Join(list, " ")
}

func (h *house) each(from int64, do func(offset int64, key, value []byte)) {
	bytes, _, err := h.log.ReadLog(from, 1<<30)
	for err == nil && len(bytes) > 0 {
		var b record.Batch
		if b, bytes, err = record.Split(bytes); err != nil {
			break
		}
		for r, rerr := range b.Records(record.Limits{}) {
			if rerr != nil {
				h.Fatal(rerr)
			}
			if r.Offset >= from {
				do(r.Offset, r.Key, r.Value)
			}
		}
	}
	if err != nil {
		h.Fatal(err)
	}
}

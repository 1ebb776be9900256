package group

import (
	"context"
	"encoding/binary"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/odradek/odradek/internal/base/bubble"
	"github.com/odradek/odradek/internal/base/vfs"
	"github.com/odradek/odradek/internal/cluster/metadata"
	"github.com/odradek/odradek/internal/coord/runtime/memlog"
	"github.com/odradek/odradek/internal/coord/share"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// A script is a conversation with the coordinator, a line an action:
//
//	join a -> MEMBER_ID_REQUIRED id=a-1     a request and its answer, or "waits"
//	after 3s                                time passes
//	a <- gen=1 leader=a-1 …                 the answer that a waited for
//	a waits                                 it has none yet
//	txncommit pid=7 offsets=t/0@1 -> ok     by a producer in its transaction
//	end commit pid=7 -> ok                  the transaction ends: commit or abort
//	log commits | holds | reload            what happens to the log
//	log moves | moves-late                  and who coordinates: another Service does
//
// The random part of member ids is a count: the first id that is drawn ends in -1.
type house struct {
	*testing.T
	service atomic.Pointer[Service] // who coordinates
	stale   atomic.Pointer[Service] // who did, or will
	log     *memlog.Log
	set     Settings
	drawn   atomic.Uint64
	epoch   int32
	parked  map[string]chan string
	stop    func()

	image  atomic.Pointer[metadata.Image] // the topics
	config map[string]GroupConfig         // of single groups
	read   int64                          // what recordTypes has seen
	shares *fakeShares
}

// withService runs a test in a bubble, with a Service that leads the only partition, and
// another to which it may move.
func withService(t *testing.T, set Settings, test func(*house)) {
	t.Helper()
	bubble.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		h := &house{T: t, log: &memlog.Log{}, set: set, parked: map[string]chan string{}, stop: cancel, config: map[string]GroupConfig{},
			shares: &fakeShares{states: map[share.Key]share.Summary{}}}
		h.image.Store(metadata.Empty())
		var running sync.WaitGroup
		h.service.Store(h.start(ctx, &running))
		h.stale.Store(h.start(ctx, &running))
		h.service.Load().Lead(0, 0, h.log)
		synctest.Wait()
		test(h)
		cancel()
		running.Wait()
	})
}

func (h *house) start(ctx context.Context, running *sync.WaitGroup) *Service {
	s := New(Config{
		Partitions:  func() int32 { return 1 },
		Settings:    func() Settings { return h.set },
		GroupConfig: func(id string) GroupConfig { return h.config[id] },
		Image:       h.image.Load,
		Shares:      h.shares,
		Ask:         scriptEnds,
		Rand: func(b []byte) {
			clear(b)
			binary.BigEndian.PutUint64(b[8:], h.drawn.Add(1))
		},
	})
	running.Go(func() {
		if err := s.Run(ctx); err != nil {
			h.Errorf("Run: %v", err)
		}
	})
	return s
}

// move gives the log to the other Service. What was not committed is lost unless keep is
// set. The two hear of it in either order, and clients after that.
func (h *house) move(keep, late bool) {
	from, to := h.service.Load(), h.stale.Load()
	h.epoch++
	if late { // the new one hears of it before its log does
		to.Lead(0, h.epoch, h.log)
		synctest.Wait()
	}
	h.log.Lead(h.epoch, keep)
	to.Lead(0, h.epoch, h.log)
	h.service.Store(to)
	h.stale.Store(from)
	if !late {
		from.Resign(0)
		return
	}
	time.Sleep(100 * time.Millisecond)
	from.Resign(0)
}

// play runs a script.
func play(t *testing.T, set Settings, script string) {
	t.Helper()
	withService(t, set, func(h *house) { h.play(script) })
}

func (h *house) play(script string) {
	h.Helper()
	for i, line := range strings.Split(script, "\n") {
		line, _, _ = strings.Cut(line, "#")
		line = strings.TrimSpace(line)
		if line == "" {
			continue
		}
		if err := h.line(line); err != nil {
			h.Fatalf("line %d: %s\n%v", i+1, line, err)
		}
	}
}

func (h *house) line(line string) error {
	action, want, asked := strings.Cut(line, "->")
	words := strings.Fields(action)
	switch words[0] {
	case "after":
		d, err := time.ParseDuration(words[1])
		if err != nil {
			return err
		}
		time.Sleep(d)
		synctest.Wait()
		return nil
	case "log":
		h.logDoes(words[1])
		return nil
	}
	if asked {
		return h.same(h.ask(words), want)
	}
	if name, want, ok := strings.Cut(line, "<-"); ok {
		return h.same(h.answered(strings.TrimSpace(name)), want)
	}
	if len(words) == 2 && words[1] == "waits" {
		return h.same(h.answered(words[0]), "waits")
	}
	return fmt.Errorf("what is that?")
}

func (h *house) same(got, want string) error {
	if want = strings.Join(strings.Fields(want), " "); got != want {
		return fmt.Errorf(" got: %s\nwant: %s", got, want)
	}
	return nil
}

func (h *house) logDoes(what string) {
	switch what {
	case "holds":
		h.log.Hold()
	case "commits":
		h.log.Commit()
	case "fails":
		h.log.FailAppend(kerr.KafkaStorageError)
	case "full":
		h.log.FailAppend(fmt.Errorf("%w: %w", kerr.KafkaStorageError, vfs.ErrNoSpace))
	case "breaks":
		h.log.FailAppend(kerr.UnknownServerError)
	case "resigns":
		h.service.Load().Resign(0)
	case "moves":
		h.move(true, false)
	case "moves-late":
		h.move(false, true)
	case "reload": // another leadership over the same records
		h.epoch++
		h.log.Lead(h.epoch, true)
		h.service.Load().Resign(0)
		h.service.Load().Lead(0, h.epoch, h.log)
	}
	synctest.Wait()
}

// ask sends a request and returns its answer, or "waits" and keeps it for later.
func (h *house) ask(words []string) string {
	args := map[string]string{}
	var plain []string
	for _, w := range words[1:] {
		if k, v, ok := strings.Cut(w, "="); ok {
			args[k] = v
		} else {
			plain = append(plain, w)
		}
	}
	ch := make(chan string, 1)
	go func() { ch <- h.call(words[0], plain, args) }()
	synctest.Wait()
	if len(plain) > 0 {
		h.parked[plain[0]] = ch
	}
	select {
	case got := <-ch:
		return got
	default:
		return "waits"
	}
}

func (h *house) answered(name string) string {
	select {
	case got := <-h.parked[name]:
		return got
	default:
		return "waits"
	}
}

var (
	uuid  = regexp.MustCompile(`00000000-0000-4000-8000-0000000000([0-9a-f]{2})`)
	short = regexp.MustCompile(`^([a-z0-9]+)-([0-9]+)$`)
)

// shorten and lengthen turn member ids into those of scripts and back.
func shorten(s string) string {
	return uuid.ReplaceAllStringFunc(s, func(id string) string {
		n, _ := strconv.ParseUint(id[len(id)-2:], 16, 8)
		return strconv.FormatUint(n, 10)
	})
}

func lengthen(s string) string {
	m := short.FindStringSubmatch(s)
	if m == nil {
		return s
	}
	n, _ := strconv.Atoi(m[2])
	return fmt.Sprintf("%s-00000000-0000-4000-8000-0000000000%02x", m[1], n)
}

func errorName(code int16) string {
	if code == 0 {
		return "ok"
	}
	return kerr.ErrorForCode(code).(*kerr.Error).Message
}

func (h *house) call(verb string, plain []string, args map[string]string) string {
	name := ""
	if len(plain) > 0 {
		name = plain[0]
	}
	group := get(args, "group", "g")
	caller := Caller{ClientID: name, ClientHost: "/10.0.0.1"}
	ctx := context.Background()
	switch verb {
	case "join":
		return shorten(showJoin(h.service.Load().JoinGroup(ctx, caller, joinRequest(group, args))))
	case "sync":
		return shorten(showSync(h.service.Load().SyncGroup(ctx, caller, syncRequest(group, args))))
	case "heartbeat":
		req := kmsg.NewPtrHeartbeatRequest()
		req.Version, req.Group, req.MemberID, req.Generation, req.InstanceID = 4, group, lengthen(args["id"]), num(args, "gen", 0), ptr(args, "inst")
		return errorName(h.service.Load().Heartbeat(ctx, caller, req).ErrorCode)
	case "leave":
		return shorten(showLeave(h.service.Load().LeaveGroup(ctx, caller, leaveRequest(group, args))))
	case "commit":
		return showCommit(h.service.Load().OffsetCommit(ctx, caller, commitRequest(group, args)))
	case "txncommit":
		req := txnCommitRequest(group, args)
		guard, _, err := h.log.BeginTxn(req.ProducerID, req.ProducerEpoch, req.Version >= 5)
		if err != nil {
			return errorName(code(err))
		}
		return showTxnCommit(h.service.Load().TxnOffsetCommit(ctx, caller, req, guard))
	case "end":
		return h.end(ctx, plain[0], args)
	case "fetch":
		return showFetch(h.service.Load().OffsetFetch(ctx, caller, fetchRequest(group, args)))
	case "offsetdelete":
		return showOffsetDelete(h.service.Load().OffsetDelete(ctx, caller, offsetDeleteRequest(group, args)))
	case "describe":
		req := kmsg.NewPtrDescribeGroupsRequest()
		req.Version, req.Groups = int16(num(args, "v", 6)), []string{group}
		return shorten(showDescribe(h.service.Load().DescribeGroups(ctx, caller, req)))
	case "list":
		req := kmsg.NewPtrListGroupsRequest()
		req.Version, req.StatesFilter, req.TypesFilter = 5, list(args, "states"), list(args, "types")
		return showList(h.service.Load().ListGroups(ctx, caller, req))
	case "delete":
		req := kmsg.NewPtrDeleteGroupsRequest()
		req.Version, req.Groups = 2, []string{group}
		return errorName(h.service.Load().DeleteGroups(ctx, caller, req).Groups[0].ErrorCode)
	case "topicdeleted":
		h.service.Load().TopicDeleted(plain)
		return "ok"
	}
	return h.consumerCall(ctx, verb, plain, args, group, caller)
}

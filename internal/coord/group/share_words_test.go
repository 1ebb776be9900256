package group

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/odradek/odradek/internal/coord/share"
	"github.com/odradek/odradek/internal/proto/model"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Words of scripts about share groups:
//
//	shb A epoch=0 topics=t -> epoch=1 -        a heartbeat, and what the member may read
//	sdescribe -> Stable epoch=2 target=2 A@2=t:0+1
//	soffsets t:0 -> t/0=5                      where the group is; of everything, if nothing is named
//	salter t:0+1 start=7 -> t/0 t/1            or what is wrong with each
//	sforget t+u -> t u:UNKNOWN_TOPIC_OR_PARTITION
//	states -> t/0@1=-1                         what the share coordinator keeps: epoch, start
//	coordinator fails CODE | holds | flows     how it answers from now on
//	coordinator has t/0@9                      somebody else began a state
//	coordinator takes | answers t/0@1          of what it holds, the first that begins that state in that
//	                                           epoch comes to pass, and is answered
//
// Where members are the words of consumer groups count.

func (h *house) shareCall(ctx context.Context, verb string, plain []string, args map[string]string, group string, caller Caller) string {
	s := h.service.Load()
	switch verb {
	case "shb":
		req := kmsg.NewPtrShareGroupHeartbeatRequest()
		req.Version, req.GroupID, req.MemberID, req.MemberEpoch, req.RackID = 1, group, plain[0], num(args, "epoch", 0), ptr(args, "rack")
		if topics, ok := args["topics"]; ok {
			req.SubscribedTopicNames = strings.Split(topics, "+")
		}
		return showShareHeartbeat(s.ShareGroupHeartbeat(ctx, caller, req))
	case "sdescribe":
		req := kmsg.NewPtrShareGroupDescribeRequest()
		req.Version, req.GroupIDs = 1, []string{group}
		return showShareDescribe(s.ShareGroupDescribe(ctx, caller, req))
	case "soffsets":
		return h.shareOffsets(s, ctx, group, plain, caller)
	case "salter":
		req := kmsg.NewPtrAlterShareGroupOffsetsRequest()
		req.GroupID = group
		for _, topic := range slices.Sorted(maps.Keys(scriptParts(plain[0]))) {
			t := kmsg.NewAlterShareGroupOffsetsRequestTopic()
			t.Topic = topic
			for _, p := range scriptParts(plain[0])[topic] {
				t.Partitions = append(t.Partitions, kmsg.AlterShareGroupOffsetsRequestTopicPartition{Partition: p, StartOffset: int64(num(args, "start", 0))})
			}
			req.Topics = append(req.Topics, t)
		}
		r := s.AlterShareGroupOffsets(ctx, caller, req)
		words := []string{}
		for _, t := range r.Topics {
			for _, p := range t.Partitions {
				words = append(words, withError(fmt.Sprintf("%s/%d", t.Topic, p.Partition), p.ErrorCode))
			}
		}
		return orError(r.ErrorCode, words)
	case "sforget":
		req := kmsg.NewPtrDeleteShareGroupOffsetsRequest()
		req.GroupID = group
		for _, topic := range strings.Split(plain[0], "+") {
			req.Topics = append(req.Topics, kmsg.DeleteShareGroupOffsetsRequestTopic{Topic: topic})
		}
		r := s.DeleteShareGroupOffsets(ctx, caller, req)
		words := []string{}
		for _, t := range r.Topics {
			words = append(words, withError(t.Topic, t.ErrorCode))
		}
		return orError(r.ErrorCode, words)
	case "states":
		return h.shares.show()
	case "coordinator":
		h.shares.does(plain)
		return "ok"
	}
	return "what is " + verb + "?"
}

func (h *house) shareOffsets(s *Service, ctx context.Context, group string, plain []string, caller Caller) string {
	req := kmsg.NewPtrDescribeShareGroupOffsetsRequest()
	req.Version = 1
	g := kmsg.NewDescribeShareGroupOffsetsRequestGroup()
	g.GroupID = group
	if len(plain) > 0 {
		g.Topics = []kmsg.DescribeShareGroupOffsetsRequestGroupTopic{}
		for _, topic := range slices.Sorted(maps.Keys(scriptParts(plain[0]))) {
			g.Topics = append(g.Topics, kmsg.DescribeShareGroupOffsetsRequestGroupTopic{Topic: topic, Partitions: scriptParts(plain[0])[topic]})
		}
	}
	req.Groups = append(req.Groups, g)
	r := s.DescribeShareGroupOffsets(ctx, caller, req)
	words := []string{}
	for _, t := range r.Groups[0].Topics {
		for _, p := range t.Partitions {
			one := fmt.Sprintf("%s/%d=%d", t.Topic, p.Partition, p.StartOffset)
			if p.Lag >= 0 {
				one += fmt.Sprintf("+%d", p.Lag)
			}
			words = append(words, withError(one, p.ErrorCode))
		}
	}
	return orError(r.Groups[0].ErrorCode, words)
}

func withError(word string, code int16) string {
	if code != 0 {
		word += ":" + errorName(code)
	}
	return word
}

func orError(code int16, words []string) string {
	if code != 0 {
		return errorName(code)
	}
	if len(words) == 0 {
		return "-"
	}
	return strings.Join(words, " ")
}

func showShareHeartbeat(r *kmsg.ShareGroupHeartbeatResponse) string {
	if r.ErrorCode != 0 {
		return errorName(r.ErrorCode)
	}
	s := fmt.Sprintf("epoch=%d", r.MemberEpoch)
	if r.HeartbeatIntervalMillis != 0 && r.HeartbeatIntervalMillis != 5000 {
		s += fmt.Sprintf(" every=%v", millis(r.HeartbeatIntervalMillis))
	}
	if r.Assignment != nil {
		all := map[string][]int32{}
		for _, t := range r.Assignment.TopicPartitions {
			name, _, _ := strings.Cut(string(t.TopicID[:]), "\x00")
			all[name] = t.Partitions
		}
		s += " " + showParts(all)
	}
	return s
}

func showShareDescribe(r *kmsg.ShareGroupDescribeResponse) string {
	g := r.Groups[0]
	if g.ErrorCode != 0 {
		return errorName(g.ErrorCode)
	}
	s := fmt.Sprintf("%s epoch=%d target=%d", g.GroupState, g.GroupEpoch, g.AssignmentEpoch)
	for _, m := range g.Members {
		all := map[string][]int32{}
		for _, t := range m.Assignment.TopicPartitions {
			all[t.Topic] = t.Partitions
		}
		s += fmt.Sprintf(" %s@%d=%s", m.MemberID, m.MemberEpoch, showParts(all))
	}
	return s
}

// fakeShares is a share coordinator that keeps states as the real one does.
type fakeShares struct {
	mu     sync.Mutex
	states map[share.Key]share.Summary
	fail   error         // of every request
	hold   chan struct{} // until which no request is answered, nil if they are
	// watch is told of states that begin, with those that were; it may be nil.
	watch func(k share.Key, was *share.Summary, is share.Summary)
	// pace is how long it takes until states begin, and then until that is told, or that
	// nobody knows, before they begin; nil is no time.
	pace func() (begins, told time.Duration, lost bool)
	held []*heldStarts
}

// heldStarts is a request to begin states that is held.
type heldStarts struct {
	first string        // t/0@1
	begin chan struct{} // closed when it may come to pass
	tell  chan struct{} // and when that may be told
	begun bool
}

func (f *fakeShares) has(k share.Key) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	_, ok := f.states[k]
	return ok
}

func (f *fakeShares) does(words []string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch words[0] {
	case "fails":
		f.fail = kerr.CoordinatorNotAvailable
	case "holds":
		if f.hold == nil {
			f.hold = make(chan struct{})
		}
	case "has":
		name, epoch, _ := strings.Cut(words[1], "@")
		topic, number, _ := strings.Cut(name, "/")
		p, _ := strconv.Atoi(number)
		e, _ := strconv.Atoi(epoch)
		f.states[share.Key{Group: "g", TopicID: scriptTopicID(topic), Partition: int32(p)}] = share.Summary{StateEpoch: int32(e), Start: 77}
	case "takes", "answers":
		i := slices.IndexFunc(f.held, func(r *heldStarts) bool { return r.first == words[1] && (words[0] == "answers" || !r.begun) })
		r := f.held[i]
		if !r.begun {
			close(r.begin)
			r.begun = true
		}
		if words[0] == "answers" {
			close(r.tell)
			f.held = slices.Delete(f.held, i, i+1)
		}
	case "flows":
		if f.hold != nil {
			close(f.hold)
		}
		f.held = nil
		f.fail, f.hold = nil, nil
	}
}

// begin waits for its turn, and returns why a request fails; mu is held if it does not.
func (f *fakeShares) begin(ctx context.Context) error {
	f.mu.Lock()
	hold := f.hold
	f.mu.Unlock()
	if hold != nil {
		select {
		case <-hold:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return f.enter()
}

func (f *fakeShares) enter() error {
	f.mu.Lock()
	if err := f.fail; err != nil {
		f.mu.Unlock()
		return err
	}
	return nil
}

func (f *fakeShares) InitializeStates(ctx context.Context, starts []share.Start) map[share.Key]error {
	if f.pace != nil {
		return f.slowly(ctx, starts)
	}
	f.mu.Lock()
	hold := f.hold
	if hold == nil {
		f.mu.Unlock()
		return f.initialize(f.enter(), starts)
	}
	r := &heldStarts{begin: make(chan struct{}), tell: make(chan struct{})}
	topic, _, _ := strings.Cut(string(starts[0].Key.TopicID[:]), "\x00")
	r.first = fmt.Sprintf("%s/%d@%d", topic, starts[0].Key.Partition, starts[0].StateEpoch)
	f.held = append(f.held, r)
	f.mu.Unlock()
	wait := func(until <-chan struct{}) error {
		select {
		case <-until:
		case <-hold:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		return nil
	}
	err := wait(r.begin)
	if err == nil {
		err = f.enter()
	}
	failed := f.initialize(err, starts)
	if err := wait(r.tell); err != nil {
		return f.initialize(err, starts)
	}
	return failed
}

// slowly takes its time, and may not tell what came of it.
func (f *fakeShares) slowly(ctx context.Context, starts []share.Start) map[share.Key]error {
	begins, told, lost := f.pace()
	if lost {
		go func() {
			time.Sleep(begins + told)
			f.initialize(f.begin(ctx), starts)
		}()
		time.Sleep(begins)
		return f.initialize(kerr.CoordinatorNotAvailable, starts)
	}
	time.Sleep(begins)
	failed := f.initialize(f.begin(ctx), starts)
	time.Sleep(told)
	return failed
}

// initialize begins states, unless it fails; mu is held if it does not, and given back.
func (f *fakeShares) initialize(err error, starts []share.Start) map[share.Key]error {
	failed := map[share.Key]error{}
	if err == nil {
		defer f.mu.Unlock()
	}
	for _, s := range starts {
		if err != nil {
			failed[s.Key] = err
			continue
		}
		have, ok := f.states[s.Key]
		switch {
		case ok && have.StateEpoch > s.StateEpoch:
			failed[s.Key] = kerr.FencedStateEpoch
		case !ok || have.StateEpoch < s.StateEpoch:
			f.states[s.Key] = share.Summary{StateEpoch: s.StateEpoch, Start: s.Offset, DeliveryCompleteCount: min(int32(s.Offset), 0)}
			if f.watch != nil && !ok {
				f.watch(s.Key, nil, f.states[s.Key])
			} else if f.watch != nil {
				f.watch(s.Key, &have, f.states[s.Key])
			}
		}
	}
	return failed
}

func (f *fakeShares) DeleteStates(ctx context.Context, keys []share.Key) map[share.Key]error {
	failed := map[share.Key]error{}
	err := f.begin(ctx)
	if err == nil {
		defer f.mu.Unlock()
	}
	for _, k := range keys {
		if err != nil {
			failed[k] = err
			continue
		}
		delete(f.states, k)
	}
	return failed
}

func (f *fakeShares) Summaries(ctx context.Context, keys []share.Key, _ int32) (map[share.Key]share.Summary, map[share.Key]error) {
	known, failed := map[share.Key]share.Summary{}, map[share.Key]error{}
	err := f.begin(ctx)
	if err == nil {
		defer f.mu.Unlock()
	}
	for _, k := range keys {
		have, ok := f.states[k]
		switch {
		case err != nil:
			failed[k] = err
		case ok:
			known[k] = have
		default:
			known[k] = share.Summary{Start: share.NoStart, DeliveryCompleteCount: -1}
		}
	}
	return known, failed
}

func (f *fakeShares) show() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var words []string
	for k, s := range f.states {
		topic, _, _ := strings.Cut(string(k.TopicID[:]), "\x00")
		words = append(words, fmt.Sprintf("%s/%d@%d=%d", topic, k.Partition, s.StateEpoch, s.Start))
	}
	slices.Sort(words)
	return orError(0, words)
}

// ends are those of topics t and u, 10 and 20 times the partition; other leaders are away.
func scriptEnds(_ context.Context, _ int32, req kmsg.Request) (kmsg.Response, error) {
	list, ok := req.(*kmsg.ListOffsetsRequest)
	if !ok {
		return nil, errors.New("only ends are known")
	}
	resp := kmsg.NewPtrListOffsetsResponse()
	for _, t := range list.Topics {
		rt := kmsg.NewListOffsetsResponseTopic()
		rt.Topic = t.Topic
		for _, p := range t.Partitions {
			rp := kmsg.NewListOffsetsResponseTopicPartition()
			rp.Partition, rp.Offset = p.Partition, 10*int64(p.Partition+1)
			if p.Timestamp != model.OffsetLatest {
				rp.ErrorCode = kerr.InvalidRequest.Code
			}
			rt.Partitions = append(rt.Partitions, rp)
		}
		resp.Topics = append(resp.Topics, rt)
	}
	return resp, nil
}

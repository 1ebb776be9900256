package fetcher

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/odradek/odradek/internal/proto/memnet"
	"github.com/odradek/odradek/internal/proto/model"
	"github.com/odradek/odradek/internal/proto/wire"
	"github.com/odradek/odradek/internal/replica/partition"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// leader plays a broker that leads: fetch sessions as Kafka's, and logs in which every
// byte is a record.
type leader struct {
	t *testing.T

	mu       sync.Mutex
	moved    chan struct{} // closed at every change
	logs     map[model.IDPartition]*leaderLog
	sessions map[int32]*fakeSession
	id       int32 // of the newest session
	requests []*kmsg.FetchRequest
	lists    int
}

type fakeSession struct {
	parts map[model.IDPartition]kmsg.FetchRequestTopicPartition
	epoch int32
}

// size is how many partitions are in sessions.
func (l *leader) size() (n int) {
	for _, s := range l.sessions {
		n += len(s.parts)
	}
	return n
}

type leaderLog struct {
	start, end int64
	epoch      int32
	err        *kerr.Error
	diverging  *partition.EpochEnd
	told       int64 // the follower's end
	asked      int   // how often it was asked with an error
	sent       int64 // the hw that was told last
	hw         int64 // 0: what the follower has
}

func newLeader(t *testing.T) *leader {
	return &leader{t: t, moved: make(chan struct{}), logs: make(map[model.IDPartition]*leaderLog), sessions: make(map[int32]*fakeSession)}
}

// change does what do does, and wakes those who wait.
func (l *leader) change(do func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	do()
	close(l.moved)
	l.moved = make(chan struct{})
}

// append adds n records to a log.
func (l *leader) append(id model.IDPartition, n int64) {
	l.change(func() { l.logs[id].end += n })
}

func (l *leader) told(id model.IDPartition) int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.logs[id].told
}

// Serve answers.
func (l *leader) Serve(_ *wire.Conn, r *wire.Request) wire.Pending {
	switch r.Key {
	case 18:
		resp := kmsg.NewPtrApiVersionsResponse()
		for _, key := range []int16{1, 2, 18} {
			s, _ := wire.Lookup(key)
			resp.ApiKeys = append(resp.ApiKeys, kmsg.ApiVersionsResponseApiKey{ApiKey: key, MinVersion: s.Min, MaxVersion: s.Max})
		}
		return r.Ready(wire.Message(resp))
	case 2:
		req := kmsg.NewPtrListOffsetsRequest()
		l.decode(r, req)
		return r.Ready(wire.Message(l.listOffsets(req)))
	}
	req := kmsg.NewPtrFetchRequest()
	l.decode(r, req)
	return func(ctx context.Context) (wire.Reply, error) {
		return l.fetch(ctx, r, req)
	}
}

func (l *leader) decode(r *wire.Request, req kmsg.Request) {
	req.SetVersion(r.Version)
	if err := req.ReadFrom(slices.Clone(r.Body)); err != nil {
		l.t.Error(err)
	}
}

func (l *leader) fetch(ctx context.Context, r *wire.Request, req *kmsg.FetchRequest) (wire.Reply, error) {
	resp := kmsg.NewPtrFetchResponse()
	id, session, err := l.open(req)
	if err != nil {
		resp.ErrorCode = err.Code
		return wire.Message(resp), nil
	}
	until := time.NewTimer(time.Duration(req.MaxWaitMillis) * time.Millisecond)
	defer until.Stop()
	for last := false; ; {
		l.mu.Lock()
		moved := l.moved
		records := l.answer(session, int(req.MaxBytes), resp)
		resp.SessionID = id
		l.mu.Unlock()
		if len(resp.Topics) > 0 || last || req.MaxWaitMillis == 0 {
			return wire.Fetch(r, resp, func(t, _ int) wire.Part { return wire.Part{Bytes: records[t]} }, nil), nil
		}
		select {
		case <-moved:
		case <-until.C:
			last = true
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// open finds or makes the session of a request.
func (l *leader) open(req *kmsg.FetchRequest) (int32, *fakeSession, *kerr.Error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.requests = append(l.requests, req)
	id := req.SessionID
	s := l.sessions[id]
	switch {
	case req.SessionEpoch == 0:
		delete(l.sessions, id)
		l.id++
		id, s = l.id, &fakeSession{parts: make(map[model.IDPartition]kmsg.FetchRequestTopicPartition)}
		l.sessions[id] = s
	case s == nil:
		return 0, nil, kerr.FetchSessionIDNotFound
	case req.SessionEpoch != s.epoch+1:
		return 0, nil, kerr.InvalidFetchSessionEpoch
	default:
		s.epoch++
	}
	for _, t := range req.Topics {
		for _, p := range t.Partitions {
			id := model.IDPartition{Topic: t.TopicID, Partition: p.Partition}
			s.parts[id] = p
			if log := l.logs[id]; log != nil && p.CurrentLeaderEpoch == log.epoch {
				log.told = p.FetchOffset
			}
		}
	}
	for _, t := range req.ForgottenTopics {
		for _, p := range t.Partitions {
			delete(s.parts, model.IDPartition{Topic: t.TopicID, Partition: p})
		}
	}
	return id, s, nil
}

// answer fills resp with the partitions that have something to tell.
func (l *leader) answer(s *fakeSession, left int, resp *kmsg.FetchResponse) (records [][]byte) {
	resp.Topics = nil
	for _, id := range slices.SortedFunc(maps.Keys(s.parts), compareIDs) {
		asked := s.parts[id]
		p := kmsg.NewFetchResponseTopicPartition()
		p.Partition = id.Partition
		log := l.logs[id]
		var b []byte
		switch {
		case log == nil:
			p.ErrorCode = kerr.UnknownTopicID.Code
		case log.err != nil && log.asked < 1000: // time stands still for who asks without a pause
			log.asked++
			p.ErrorCode = log.err.Code
		case asked.CurrentLeaderEpoch < log.epoch:
			p.ErrorCode = kerr.FencedLeaderEpoch.Code
		case asked.CurrentLeaderEpoch > log.epoch:
			p.ErrorCode = kerr.UnknownLeaderEpoch.Code
		case log.diverging != nil && asked.FetchOffset > log.diverging.End:
			p.DivergingEpoch.Epoch, p.DivergingEpoch.EndOffset = log.diverging.Epoch, log.diverging.End
			log.diverging = nil
		case asked.FetchOffset < log.start || asked.FetchOffset > log.end:
			p.ErrorCode = kerr.OffsetOutOfRange.Code
		default:
			p.HighWatermark, p.LogStartOffset = max(log.told, log.hw), log.start
			b = make([]byte, min(log.end-asked.FetchOffset, int64(asked.PartitionMaxBytes), int64(left)))
			left -= len(b)
			if len(b) == 0 && log.sent == log.told {
				continue
			}
			log.sent = log.told
		}
		t := kmsg.NewFetchResponseTopic()
		t.TopicID, t.Partitions = id.Topic, append(t.Partitions, p)
		resp.Topics, records = append(resp.Topics, t), append(records, b)
	}
	return records
}

func (l *leader) listOffsets(req *kmsg.ListOffsetsRequest) *kmsg.ListOffsetsResponse {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lists++
	resp := kmsg.NewPtrListOffsetsResponse()
	for _, t := range req.Topics {
		rt := kmsg.NewListOffsetsResponseTopic()
		rt.Topic = t.Topic
		for _, p := range t.Partitions {
			rp := kmsg.NewListOffsetsResponseTopicPartition()
			log := l.logs[model.IDPartition{Topic: model.ID{t.Topic[0]}, Partition: p.Partition}]
			if rp.Partition, rp.Offset = p.Partition, log.end; p.Timestamp == model.OffsetEarliest {
				rp.Offset = log.start
			}
			rt.Partitions = append(rt.Partitions, rp)
		}
		resp.Topics = append(resp.Topics, rt)
	}
	return resp
}

// replica plays a partition that follows: it takes a while to be durable.
type replica struct {
	t     *testing.T
	id    model.IDPartition
	delay time.Duration

	mu           sync.Mutex
	epoch        int32
	start        int64
	end, durable int64
	fails        error // of the next append
	did          []string
}

var errRole = kerr.NotLeaderForPartition

func (r *replica) ID() model.IDPartition { return r.id }
func (r *replica) TP() model.TopicPartition {
	return model.TopicPartition{Topic: string(rune(r.id.Topic[0])), Partition: r.id.Partition}
}

func (r *replica) FetchFrom() (int64, int32, int64, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.durable, r.epoch, r.start, nil
}

func (r *replica) AppendFetched(epoch int32, batches []byte, _ int64) (int64, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if epoch != r.epoch {
		return 0, errRole
	}
	if err := r.fails; err != nil {
		r.fails = nil
		return 0, err
	}
	r.end += int64(len(batches))
	return r.end, nil
}

func (r *replica) FollowStart(_ int32, leaderStart int64) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.start = max(r.start, leaderStart)
	return nil
}

func (r *replica) WaitDurable(ctx context.Context, end int64) error {
	select {
	case <-time.After(r.delay):
	case <-ctx.Done():
		return ctx.Err()
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if end > r.end {
		return errors.New("waits for more than there is")
	}
	r.durable = max(r.durable, end)
	return nil
}

func (r *replica) Truncate(epoch int32, d partition.EpochEnd) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.end = min(r.end, d.End)
	r.durable = r.end
	r.did = append(r.did, "truncate")
	return nil
}

func (r *replica) Restart(epoch int32, at int64) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.start, r.end, r.durable = at, at, at
	r.did = append(r.did, "restart")
	return nil
}

// lead has the replica take the role of another epoch.
func (r *replica) lead(epoch int32) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.epoch = epoch
}

// rig is a leader, node 1, and a follower, node 2.
type rig struct {
	t      *testing.T
	net    *memnet.Network
	leader *leader
	fleet  *Fleet
	port   string
	stop   func()
	down   func()
}

func id(topic byte, p int32) model.IDPartition {
	return model.IDPartition{Topic: model.ID{topic}, Partition: p}
}

func newRig(t *testing.T) *rig {
	r := &rig{t: t, net: memnet.New(1 << 20), leader: newLeader(t), port: "1"}
	r.up()
	r.fleet = NewFleet(Config{
		Self: 2, Dial: r.net.Host("follower").Dial,
		Address: func(broker int32) (string, bool) { return "leader:" + r.port, broker == 1 },
		Epoch:   func() int64 { return 9 }, Log: discard(),
		Fetchers: 1, Wait: 500 * time.Millisecond, MinBytes: 1, MaxBytes: 1 << 20, AnswerBytes: 10 << 20,
		Backoff: time.Second, Timeout: 30 * time.Second,
	})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- r.fleet.Run(ctx) }()
	r.stop = func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		r.down()
	}
	return r
}

// up has the leader listen.
func (r *rig) up() {
	ln, err := r.net.Listen("tcp", "leader:"+r.port)
	if err != nil {
		r.t.Fatal(err)
	}
	srv := &wire.Server{Handler: r.leader}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- srv.Serve(ctx, ln, "PLAINTEXT") }()
	r.down = func() {
		cancel()
		<-done
	}
}

// follow makes a log on the leader and a replica that follows it in epoch 5.
func (r *rig) follow(i model.IDPartition) *replica {
	r.leader.change(func() { r.leader.logs[i] = &leaderLog{epoch: 5, sent: -1} })
	return r.followOnly(i)
}

func (r *rig) followOnly(i model.IDPartition) *replica {
	p := &replica{t: r.t, id: i, epoch: 5, delay: time.Millisecond}
	r.fleet.Follow(p, 1, 5)
	return p
}

// caught waits until the leader was told an end, and returns how long that took.
func (r *rig) caught(i model.IDPartition, end int64) time.Duration {
	r.t.Helper()
	began := time.Now()
	for r.leader.told(i) != end {
		if time.Since(began) > time.Minute {
			r.t.Fatalf("%v: the leader is told %d, want %d", i, r.leader.told(i), end)
		}
		time.Sleep(time.Millisecond)
	}
	return time.Since(began)
}

// rest lets time pass, and everything that it brings happen.
func (r *rig) rest(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

package sharesession

import (
	"context"
	"fmt"
	"math"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/odradek/odradek/internal/base/bubble"
	"github.com/odradek/odradek/internal/proto/model"
	"github.com/twmb/franz-go/pkg/kerr"
)

// talk is a cache, and what a client hears of it as text.
type talk struct {
	*testing.T
	*Cache
	slots int
	mu    sync.Mutex
	ended []string
}

func newTalk(t *testing.T, slots int) *talk {
	k := &talk{T: t, slots: slots}
	k.Cache = NewCache(func() int { return k.slots }, func(e Ended) {
		k.mu.Lock()
		defer k.mu.Unlock()
		k.ended = append(k.ended, e.Group+"/"+e.Member+show(e.Parts)+map[bool]string{true: " last"}[e.Last])
	})
	return k
}

func parts(numbers ...int32) (list []model.IDPartition) {
	for _, n := range numbers {
		list = append(list, model.IDPartition{Topic: model.ID{1}, Partition: n})
	}
	return list
}

func show(list []model.IDPartition) string {
	var b strings.Builder
	for _, p := range list {
		fmt.Fprintf(&b, " %d", p.Partition)
	}
	return b.String()
}

func (k *talk) use(member string, epoch int32, add, forget []model.IDPartition) string {
	list, err := k.Use(Key{"g", member}, epoch, add, forget)
	return say(show(list), err)
}

func say(s string, err error) string {
	if err != nil {
		return err.(*kerr.Error).Message
	}
	return strings.TrimSpace(s)
}

func (k *talk) want(what, got, want string) {
	k.Helper()
	if got != want {
		k.Errorf("%s: %s, not %s", what, got, want)
	}
}

// A session remembers what was named and moves on by an epoch a request.
func TestSession(t *testing.T) {
	k := newTalk(t, 10)
	ctx := context.Background()
	k.want("no session", k.use("m", 1, nil, nil), "SHARE_SESSION_NOT_FOUND")
	k.want("no session to close", say("", k.Has(Key{"g", "m"})), "SHARE_SESSION_NOT_FOUND")
	k.want("open", say("", k.Open(ctx, Key{"g", "m"}, parts(1, 0, 1))), "")
	k.want("the first", k.use("m", 1, nil, nil), "1 0")
	k.want("again", k.use("m", 1, nil, nil), "INVALID_SHARE_SESSION_EPOCH")
	k.want("more", k.use("m", 2, parts(2, 1), parts(1, 7)), "0 2")
	k.want("acknowledge", say("", k.Touch(Key{"g", "m"}, 3)), "")
	k.want("acknowledge again", say("", k.Touch(Key{"g", "m"}, 3)), "INVALID_SHARE_SESSION_EPOCH")
	k.want("after that", k.use("m", 4, nil, nil), "0 2")
	k.want("open anew", say("", k.Open(ctx, Key{"g", "m"}, parts(5))), "")
	k.want("the other", k.use("m", 1, nil, nil), "5")
	k.sessions[Key{"g", "m"}].epoch = math.MaxInt32
	k.want("the last epoch", k.use("m", math.MaxInt32, nil, nil), "5")
	k.want("begins again", k.use("m", 1, nil, nil), "5")
	e, ok := k.Close(Key{"g", "m"})
	if !ok || !e.Last || show(e.Parts) != " 5" {
		t.Errorf("closed: %+v %v", e, ok)
	}
	if _, ok = k.Close(Key{"g", "m"}); ok || k.Len() != 0 || k.size != 0 || len(k.members) != 0 {
		t.Error("something is left")
	}
}

// There are so many sessions and no more, and so many partitions in all of them.
func TestLimits(t *testing.T) {
	k := newTalk(t, 2)
	ctx := context.Background()
	for _, m := range []string{"a", "b", "a"} {
		k.want(m, say("", k.Open(ctx, Key{"g", m}, parts(1))), "")
	}
	k.want("a third", say("", k.Open(ctx, Key{"g", "c"}, parts(1))), "SHARE_SESSION_LIMIT_REACHED")
	k.Close(Key{"g", "a"})
	k.want("there is room", say("", k.Open(ctx, Key{"g", "c"}, parts(1))), "")
	var many []model.IDPartition
	for n := range int32(2*partitionsPerSlot - 1) {
		many = append(many, parts(n)...)
	}
	k.want("too much", k.use("b", 1, many, nil), "SHARE_SESSION_NOT_FOUND")
	if k.Len() != 1 || k.size != 1 {
		t.Errorf("%d sessions of %d partitions", k.Len(), k.size)
	}
}

// A session ends with its connection, and the last of a group is told to be; one that was
// opened anew lives on.
func TestDisconnect(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		k := newTalk(t, 10)
		one, endOne := context.WithCancel(t.Context())
		two, endTwo := context.WithCancel(t.Context())
		k.Open(one, Key{"g", "a"}, parts(1, 2))
		k.Open(one, Key{"g", "b"}, parts(3))
		k.Open(one, Key{"h", "a"}, parts(4))
		k.Open(two, Key{"g", "b"}, parts(5))
		endOne()
		synctest.Wait()
		if len(k.ended) != 2 || k.Len() != 1 {
			t.Errorf("ended: %v", k.ended)
		}
		k.want("it lives on", k.use("b", 1, nil, nil), "5")
		endTwo()
		synctest.Wait()
		k.want("the last", k.ended[2], "g/b 5 last")
	})
}

// What a session forgets takes time by its length, not by the square: the sessions of all
// wait meanwhile.
func TestForgetMany(t *testing.T) {
	k := newTalk(t, 1000)
	many := make([]int32, 400_000)
	for i := range many {
		many[i] = int32(len(many) - i)
	}
	if err := k.Open(t.Context(), Key{"g", "m"}, parts(many...)); err != nil {
		t.Fatal(err)
	}
	if got := k.use("m", 1, nil, parts(many[:len(many)-2]...)); got != "2 1" {
		t.Fatalf("left: %.100s", got)
	}
	if got := k.use("m", 2, parts(7), parts(2, 2, 9)); got != "1 7" || k.size != 2 {
		t.Fatalf("left: %.100s, size %d", got, k.size)
	}
}

// A session that ends because there is no room for it is told of like one whose connection
// has ended: nobody else gives back what its member had.
func TestNoRoom(t *testing.T) {
	k := newTalk(t, 1)
	many := make([]int32, partitionsPerSlot+1)
	for i := range many {
		many[i] = int32(i)
	}
	if err := k.Open(t.Context(), Key{"g", "m"}, parts(7)); err != nil {
		t.Fatal(err)
	}
	if got := k.use("m", 1, parts(many...), nil); got != "SHARE_SESSION_NOT_FOUND" {
		t.Errorf("grown: %.100s", got)
	}
	if err := k.Open(t.Context(), Key{"g", "m"}, parts(8)); err != nil {
		t.Fatal(err)
	}
	if err := k.Open(t.Context(), Key{"g", "m"}, parts(many...)); err != kerr.ShareSessionLimitReached {
		t.Errorf("opened anew: %v", err)
	}
	if got := fmt.Sprint(k.ended); got != "[g/m 7 last g/m 8 last]" || k.size != 0 {
		t.Errorf("ended: %s, size %d", got, k.size)
	}
}

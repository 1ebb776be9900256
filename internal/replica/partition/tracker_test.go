package partition

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/odradek/odradek/internal/cluster/metadata"
)

// A story of a leader, node 1, and its followers, a line a step; after "=" stands what is
// to be seen: the high watermark, or the ISR that is proposed.
//
//	lead 4 isr 1,2,3 of 1,2,3   it leads; its log ends at 4, of which all is durable
//	append 10                   its log ends there, durable
//	2 at 7                      node 2 fetches from there
//	wait 2s
//	fenced 3 / alive 3          what the image says of a broker
//	propose
//	agreed 1,2 / refused / lost / overtaken
//	told 1,2                    the controller's word comes by the image
var stories = map[string]string{
	"the slowest member of the ISR decides": `
		lead 0 isr 1,2,3 of 1,2,3 = hw 0
		append 10 = hw 0
		2 at 10 = hw 0
		3 at 4 = hw 4
		3 at 10 = hw 10`,
	"who has not fetched in this epoch holds all": `
		lead 8 isr 1,2,3 of 1,2,3 = hw 0
		2 at 8 = hw 0
		append 9 = hw 0
		3 at 8 = hw 8`,
	"a leader alone in the ISR waits for nobody": `
		lead 3 isr 1 of 1,2 = hw 3
		append 9 = hw 9`,
	"a slow member leaves, and counts until the controller agrees": `
		lead 0 isr 1,2,3 of 1,2,3 = hw 0
		append 10 = hw 0
		2 at 10 = hw 0
		3 at 2 = hw 2
		wait 11s
		propose = isr 1,2
		2 at 10 = hw 2
		propose = isr -
		agreed 1,2 = hw 10`,
	"a member that keeps up with a stream stays": `
		lead 0 isr 1,2 of 1,2 = hw 0
		append 10 = hw 0
		2 at 0 = hw 0
		wait 6s
		append 20 = hw 0
		2 at 10 = hw 10
		wait 6s
		append 30 = hw 10
		2 at 20 = hw 20
		propose = isr -
		wait 11s
		propose = isr 1`,
	"a follower joins once it has what is committed, and counts from the proposal on": `
		lead 0 isr 1 of 1,2 = hw 0
		append 10 = hw 10
		2 at 6 = hw 10
		propose = isr -
		2 at 10 = hw 10
		propose = isr 1,2
		append 20 = hw 10
		2 at 15 = hw 15
		agreed 1,2 = hw 15
		2 at 20 = hw 20`,
	"none joins before it has reached the leader's epoch": `
		lead 10 isr 1,3 of 1,2,3 = hw 0
		3 at 4 = hw 4
		2 at 6 = hw 4
		propose = isr -
		2 at 10 = hw 4
		propose = isr 1,3,2`,
	"the high watermark waits for one about to join, but not for ever": `
		lead 0 isr 1 of 1,2 = hw 0
		append 10 = hw 10
		2 at 0 = hw 10
		2 at 10 = hw 10
		append 20 = hw 10
		wait 900ms
		append 30 = hw 10
		wait 200ms
		append 31 = hw 31`,
	"not for one that is fenced": `
		lead 0 isr 1 of 1,2 = hw 0
		2 at 0 = hw 0
		append 10 = hw 0
		fenced 2
		propose = isr -
		append 11 = hw 11
		2 at 11 = hw 11
		propose = isr -
		alive 2
		propose = isr 1,2`,
	"one proposal at a time; a lost answer leaves both possible": `
		lead 0 isr 1 of 1,2,3 = hw 0
		2 at 0 = hw 0
		propose = isr 1,2
		3 at 0 = hw 0
		propose = isr -
		lost = hw 0
		propose = isr 1,2,3
		append 5 = hw 0
		3 at 5 = hw 0
		refused = hw 0
		wait 2s
		append 6 = hw 0
		told 1,2 = hw 0
		2 at 6 = hw 6`,
	"what was certainly refused counts no more": `
		lead 0 isr 1 of 1,2 = hw 0
		2 at 0 = hw 0
		propose = isr 1,2
		refused = hw 0
		wait 2s
		append 5 = hw 5`,
	"the controller has gone on: wait for its word": `
		lead 0 isr 1 of 1,2 = hw 0
		2 at 0 = hw 0
		propose = isr 1,2
		overtaken = hw 0
		propose = isr -
		told 1 = hw 0
		propose = isr 1,2`,
	"a member that has less than what is committed leaves at once": `
		lead 0 isr 1,2,3 of 1,2,3 = hw 0
		append 10 = hw 0
		2 at 10 = hw 0
		3 at 10 = hw 10
		3 at 3 = hw 10
		propose = isr 1,2`,
	"whom the controller has put out is waited for no more": `
		lead 0 isr 1,2,3 of 1,2,3 = hw 0
		2 at 0 = hw 0
		3 at 0 = hw 0
		append 10 = hw 0
		2 at 10 = hw 0
		told 1,2 = hw 10`,
	"a replica that a reassignment brings is unknown at first": `
		lead 5 isr 1,2 of 1,2 = hw 0
		2 at 5 = hw 5
		replicas 1,2,4 = hw 5
		4 at 0 = hw 5
		propose = isr -
		4 at 5 = hw 5
		propose = isr 1,2,4`,
}

type story struct {
	t       *testing.T
	tr      *tracker
	role    Role
	now     time.Time
	hw, end int64
	fenced  map[int32]bool
}

func TestTracker(t *testing.T) {
	for name, text := range stories {
		t.Run(name, func(t *testing.T) {
			s := story{t: t, now: time.Unix(1000, 0), fenced: map[int32]bool{}}
			for _, line := range strings.Split(strings.TrimSpace(text), "\n") {
				line, want, _ := strings.Cut(strings.TrimSpace(line), " = ")
				if got := s.do(strings.Fields(line)); want != "" && got != want {
					t.Fatalf("%s: %s, want %s", line, got, want)
				}
			}
		})
	}
}

func (s *story) do(w []string) string {
	number := func(word string) (n int64) {
		if _, err := fmt.Sscan(word, &n); err != nil {
			s.t.Fatal(w, err)
		}
		return n
	}
	switch w[0] {
	case "lead":
		s.end = number(w[1])
		s.role = Role{Self: 1, Leading: true, Leader: 1, ISR: ids(w[3]), Replicas: ids(w[5])}
		s.tr = newTracker(s.role, s.now)
		s.tr.epochStart = s.end
	case "append":
		s.end = number(w[1])
	case "wait":
		d, err := time.ParseDuration(w[1])
		if err != nil {
			s.t.Fatal(err)
		}
		s.now = s.now.Add(d)
	case "fenced", "alive":
		s.fenced[int32(number(w[1]))] = w[0] == "fenced"
	case "propose":
		isr, ok := s.tr.propose(s.hw, s.end, s.now, 10*time.Second, func(id int32) (int64, bool, bool) { return 7, s.fenced[id], true })
		if !ok {
			return "isr -"
		}
		var list []string
		for _, b := range isr {
			list = append(list, fmt.Sprint(b.ID))
		}
		return "isr " + strings.Join(list, ",")
	case "agreed", "told":
		s.role.ISR, s.role.PartitionEpoch = ids(w[1]), s.role.PartitionEpoch+1
		if s.tr.inFlight = s.tr.inFlight && w[0] == "told"; w[0] == "told" {
			s.tr.update(s.role)
		} else {
			s.tr.agree(s.role.ISR, s.role.PartitionEpoch, metadata.Recovered)
		}
	case "replicas":
		s.role.Replicas, s.role.PartitionEpoch = ids(w[1]), s.role.PartitionEpoch+1
		s.tr.update(s.role)
	case "refused":
		s.tr.refused()
	case "lost":
		s.tr.forsaken()
	case "overtaken":
		s.tr.overtaken()
	default:
		if !s.tr.fetch(s.tr.follower(int32(number(w[0]))), number(w[2]), 0, 7, s.end, s.now) {
			return "refused"
		}
	}
	s.hw = max(s.hw, s.tr.committed(s.end, s.now))
	return fmt.Sprint("hw ", s.hw)
}

func ids(list string) (of []int32) {
	for _, word := range strings.Split(list, ",") {
		var id int32
		fmt.Sscan(word, &id)
		of = append(of, id)
	}
	return of
}

// A follower is what its newest registration says: an older one, whose records may be
// lost, is refused, and does not count as eligible (KIP-903).
func TestTrackerRegistrations(t *testing.T) {
	tr := newTracker(Role{Self: 1, ISR: []int32{1}, Replicas: []int32{1, 2}}, time.Unix(0, 0))
	tr.epochStart = 0
	f, now := tr.follower(2), time.Unix(1, 0)
	epochOf := func(epoch int64) func(int32) (int64, bool, bool) {
		return func(int32) (int64, bool, bool) { return epoch, false, true }
	}
	if !tr.fetch(f, 0, 0, 8, 0, now) || tr.fetch(f, 0, 0, 7, 0, now) {
		t.Error("a fetch of a registration that is over was taken")
	}
	if isr, ok := tr.propose(0, 0, now, time.Second, epochOf(9)); ok {
		t.Errorf("proposed in a registration that is not the image's: %+v", isr)
	}
	isr, ok := tr.propose(0, 0, now, time.Second, epochOf(8))
	if want := []BrokerEpoch{{1, 8}, {2, 8}}; !ok || !slices.Equal(isr, want) {
		t.Errorf("proposed %+v, want %+v", isr, want)
	}
}

// A leader that was elected unclean says so when it has begun, by proposing what is.
func TestTrackerRecovers(t *testing.T) {
	tr := newTracker(Role{Self: 1, ISR: []int32{1}, Replicas: []int32{1, 2}, Recovery: metadata.Recovering}, time.Unix(0, 0))
	isr, ok := tr.propose(0, 0, time.Unix(1, 0), time.Second, func(int32) (int64, bool, bool) { return 3, false, true })
	if !ok || !slices.Equal(isr, []BrokerEpoch{{1, 3}}) {
		t.Errorf("proposed %+v, %v", isr, ok)
	}
}

// Who has not deleted what the leader has is not in sync: it could bring it back.
func TestJoinsWithTheLogStart(t *testing.T) {
	now := time.Unix(1, 0)
	tr := newTracker(Role{Self: 1, Leading: true, Epoch: 1, ISR: []int32{1}, Replicas: []int32{1, 2}}, now)
	tr.epochStart, tr.start = 0, 7
	f := tr.follower(2)
	for _, c := range []struct {
		start int64
		ready bool
	}{{6, false}, {7, true}} {
		tr.fetch(f, 9, c.start, 4, 9, now)
		if got := tr.ready(f, 9); got != c.ready {
			t.Errorf("its log starts at %d, the leader's at 7: ready %v", c.start, got)
		}
	}
}

package partition

import (
	"testing"
	"time"

	"github.com/odradek/odradek/internal/proto/model"
	"github.com/twmb/franz-go/pkg/kerr"
)

// A leader whose log is short takes no records, answers nobody, and has those join the ISR
// who have all that it lacks, and nobody else. When one has, it says that it is lost; and
// what it had is remembered until it has healed.
func TestShortLeader(t *testing.T) {
	p, h := newPartition(t)
	h.had, h.lost = 10, 3
	p.Assign(shared(1, 1, 6, 1))
	fetch := func(node int32, from int64, last int32) error {
		_, err := p.ReadAsFollower(FollowerFetch{Node: node, BrokerEpoch: 1, ReadArgs: ReadArgs{
			From: from, MaxBytes: 1 << 20, CurrentEpoch: 6, LastFetchedEpoch: last}})
		return err
	}
	_, err := p.Append(batch(t, 1), AppendArgs{ProduceVersion: 12, Acks: 1})
	wantErr(t, "append", err, kerr.NotLeaderForPartition)
	_, err = p.Append(batch(t, 1), AppendArgs{ProduceVersion: 12, Acks: 1})
	wantErr(t, "append to a log that is open", err, kerr.NotLeaderForPartition)
	_, err = p.ListOffset(model.OffsetLatest, 6, false)
	wantErr(t, "offset", err, kerr.NotLeaderForPartition)
	_, err = p.Read(ReadArgs{From: 9, CurrentEpoch: 6, AllowFollower: true, MaxBytes: 100, LastFetchedEpoch: model.NoEpoch})
	wantErr(t, "read", err, kerr.NotLeaderForPartition)
	_, _, err = p.ReadLog(0, 100)
	wantErr(t, "a coordinator's read", err, kerr.NotLeaderForPartition)

	alive := func(int32) (int64, bool, bool) { return 1, false, true }
	propose := func() []BrokerEpoch {
		pr, _ := p.Propose(time.Now(), time.Minute, alive)
		return pr.ISR
	}
	for _, f := range []struct {
		from int64
		last int32
	}{{9, 5}, {10, 2}, {400, 2}, {0, model.NoEpoch}} {
		wantErr(t, "a follower's fetch", fetch(2, f.from, f.last), kerr.NotLeaderForPartition)
		if isr := propose(); isr != nil {
			t.Fatalf("who ends at %d in epoch %d is to join: %v", f.from, f.last, isr)
		}
	}
	standing := Standing{Role: p.Role()}
	if _, report := p.Report(standing); report {
		t.Error("it says that it is lost, and nobody else can lead")
	}
	unclean := settings()
	unclean.Unclean = true
	p.Configure(unclean)
	if lost, report := p.Report(standing); !lost || !report {
		t.Error("another may lead though it has less, and it does not say that it is lost")
	}
	p.Configure(settings())
	if err := p.Reported(false); err != nil || p.Missing() == 0 {
		t.Errorf("what it lacks is given up, %v", err)
	}
	gone := standing
	gone.Leader, gone.Leading, gone.Lost = model.NoLeader, false, true
	if lost, report := p.Report(gone); lost || !report {
		t.Error("nobody leads, and it does not lead by name")
	}
	gone.ISR = []int32{2}
	if lost, report := p.Report(gone); !lost && report {
		t.Error("another has all, and it says that it is not lost")
	}
	wantErr(t, "a follower's fetch", fetch(3, 12, 3), kerr.NotLeaderForPartition)
	if isr := propose(); len(isr) != 2 || isr[1].ID != 3 {
		t.Fatalf("the ISR is to be %v", isr)
	}
	standing.ISR = []int32{1, 3}
	if lost, report := p.Report(standing); !lost || !report {
		t.Error("it does not say that it is lost")
	}
	if _, had := p.Kept(0); had != 10 {
		t.Errorf("its home is to keep that it reached %d", had)
	}
	r := shared(1, 3, 7, 3)
	r.Lost, r.PartitionEpoch = true, 9
	p.Assign(r)
	if err := p.Reported(true); err != nil {
		t.Fatal(err)
	}
	if healed, err := p.Heal(); !healed || err != nil {
		t.Errorf("healed: %v, %v", healed, err)
	}
	if _, had := p.Kept(0); had != 0 || p.Rotten() {
		t.Errorf("it has healed, and its home is to keep %d", had)
	}
}

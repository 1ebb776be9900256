package broker

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/odradek/odradek/internal/base/bubble"
	"github.com/odradek/odradek/internal/base/vfs"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

func (n *node) end() {
	n.stop()
	if err := <-n.done; err != nil {
		n.t.Errorf("stop: %v", err)
	}
}

func (n *node) create(topic string, partitions int32) {
	n.t.Helper()
	c := n.client()
	defer c.Close()
	if _, err := kadm.NewClient(c).CreateTopic(n.t.Context(), partitions, 1, nil, topic); err != nil {
		n.t.Fatal(err)
	}
}

// produce produces one record to a partition, without trying again.
func (n *node) produce(topic string, partition int32, size int) error {
	n.t.Helper()
	c := n.client(kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.RecordRetries(0), kgo.DisableIdempotentWrite(), kgo.ProducerBatchCompression(kgo.NoCompression()))
	defer c.Close()
	return c.ProduceSync(n.t.Context(), &kgo.Record{Topic: topic, Partition: partition, Value: make([]byte, size)}).FirstErr()
}

// count reads how many records a partition has.
func (n *node) count(topic string, partition int32) (int64, error) {
	n.t.Helper()
	c := n.client()
	defer c.Close()
	adm := kadm.NewClient(c)
	starts, err := adm.ListStartOffsets(n.t.Context(), topic)
	if err != nil {
		return 0, err
	}
	ends, err := adm.ListEndOffsets(n.t.Context(), topic)
	if err != nil {
		return 0, err
	}
	s, _ := starts.Lookup(topic, partition)
	e, _ := ends.Lookup(topic, partition)
	return e.Offset - s.Offset, errors.Join(s.Err, e.Err)
}

// A restart, clean or not, registers the broker and unfences it, and changes no
// partition: nobody else could lead.
func TestRestartElectsNobody(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		n := newNode(t)
		n.start()
		n.create("orders", 20)
		if err := n.produce("orders", 3, 10); err != nil {
			t.Fatal(err)
		}
		for _, how := range []string{"clean", "power cut"} {
			before := n.broker.feed.Image()
			if how == "clean" {
				n.end()
			} else {
				n.cut()
			}
			n.start()
			after := n.broker.feed.Image()
			is, _ := after.Topic("orders")
			was, _ := before.Topic("orders")
			for i := range is.Partitions {
				if !is.Partitions[i].Equal(was.Partitions[i]) {
					t.Errorf("%s: partition %d was %+v, is %+v", how, i, was.Partitions[i], is.Partitions[i])
				}
			}
			me, _ := after.Broker(1)
			if was, _ := before.Broker(1); me.Fenced || me.Epoch <= was.Epoch {
				t.Errorf("%s: broker %+v", how, me)
			}
			if err := n.produce("orders", 3, 10); err != nil {
				t.Fatal(err)
			}
		}
		n.end()
	})
}

// A broker that may have lost what it acknowledged, because its topic left that to the
// operating system, leads in a new epoch after a power cut, and in the old one after a
// stop in order.
func TestRestartAfterLoss(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		n := newNode(t)
		n.start()
		c := n.client()
		if _, err := kadm.NewClient(c).CreateTopic(t.Context(), 1, 1, map[string]*string{"odradek.durability": kadm.StringPtr("os")}, "orders"); err != nil {
			t.Fatal(err)
		}
		c.Close()
		epoch := func() int32 {
			_, p, _ := n.broker.feed.Image().Partition("orders", 0)
			return p.LeaderEpoch
		}
		first := epoch()
		n.end()
		n.start()
		if got := epoch(); got != first {
			t.Errorf("epoch after a stop in order: %d, want %d", got, first)
		}
		if err := n.produce("orders", 0, 10); err != nil {
			t.Fatal(err)
		}
		n.cut()
		n.start()
		if got := epoch(); got <= first {
			t.Errorf("epoch after a power cut: %d, want more than %d", got, first)
		}
		n.end()
	})
}

// A full disk refuses records with an error that clients try again after. Reading,
// deleting records and deleting topics go on, and with room comes everything back, the
// group coordinator's log too.
func TestFullDisk(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		n := newNode(t)
		n.start()
		n.create("orders", 2)
		n.create("victim", 1)
		for range 3 {
			for p := range int32(2) {
				if err := errors.Join(n.produce("orders", p, 1000), n.produce("victim", 0, 1000)); err != nil {
					t.Fatal(err)
				}
			}
		}
		group := n.client(kgo.ConsumerGroup("readers"), kgo.ConsumeTopics("orders"), kgo.DisableAutoCommit(), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
		defer group.Close()
		group.PollRecords(t.Context(), 1)
		if err := group.CommitUncommittedOffsets(t.Context()); err != nil {
			t.Fatal(err)
		}

		n.disk.SetSize(0)
		err := n.produce("orders", 0, 1000)
		if !errors.Is(err, kerr.KafkaStorageError) || !kerr.IsRetriable(err) {
			t.Errorf("produce on a full disk: %v, want a storage error that may be tried again", err)
		}
		group.PollRecords(t.Context(), 1)
		if err := group.CommitUncommittedOffsets(t.Context()); err == nil {
			t.Error("an offset was committed on a full disk")
		}
		for range 40 { // all duties find it full
			time.Sleep(15 * time.Second)
		}
		if got, err := n.count("orders", 1); got != 3 || err != nil {
			t.Errorf("orders-1 has %d records on a full disk (%v), want 3", got, err)
		}
		if off := n.broker.host.OfflineDirs(); off != 0 {
			t.Fatalf("%d folders are offline", off)
		}

		n.disk.SetSize(1 << 40)
		time.Sleep(time.Minute)
		if err := n.produce("orders", 0, 1000); err != nil {
			t.Errorf("produce with room again: %v", err)
		}
		group.PollRecords(t.Context(), 1)
		if err := group.CommitUncommittedOffsets(t.Context()); err != nil {
			t.Errorf("commit with room again: %v", err)
		}
		if got, err := n.count("orders", 0); got != 4 || err != nil {
			t.Errorf("orders-0 has %d records (%v), want 4", got, err)
		}
		n.end()
	})
}

// Deleting makes room on a disk that is full.
func TestDeleteOnFullDisk(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		n := newNode(t)
		n.start()
		n.create("orders", 1)
		n.create("victim", 1)
		for range 3 {
			if err := errors.Join(n.produce("orders", 0, 900_000), n.produce("victim", 0, 900_000)); err != nil {
				t.Fatal(err)
			}
		}
		_, free, err := n.disk.Space("/data")
		if err != nil {
			t.Fatal(err)
		}
		used := int64(1<<63-1) - free
		n.disk.SetSize(used)
		if err := n.produce("orders", 0, 900_000); err == nil {
			t.Fatal("the disk is not full")
		}
		c := n.client()
		defer c.Close()
		adm := kadm.NewClient(c)
		cut := kadm.Offsets{}
		cut.Add(kadm.Offset{Topic: "orders", Partition: 0, At: 3})
		if deleted, err := adm.DeleteRecords(t.Context(), cut); err != nil || deleted.Error() != nil {
			t.Errorf("delete records: %v, %v", err, deleted.Error())
		}
		if deleted, err := adm.DeleteTopics(t.Context(), "victim"); err != nil || deleted.Error() != nil {
			t.Errorf("delete a topic: %v, %v", err, deleted.Error())
		}
		time.Sleep(3 * time.Minute)
		for i := range 2 {
			if err := n.produce("orders", 0, 900_000); err != nil {
				t.Errorf("record %d after records and a topic were deleted: %v", i, err)
			}
		}
		n.end()
	})
}

// failing answers with an error what happens below a folder, once it is told to.
type failing struct {
	disk *vfs.Faulty
}

func (f *failing) wrap(disk *vfs.Mem) vfs.FS {
	f.disk = vfs.NewFaulty(disk, nil)
	return f.disk
}

// below lets operations fail whose name begins with a prefix.
func below(prefix string, fault error, ops ...vfs.Op) vfs.Rule {
	return func(op vfs.Op, name string) error {
		for _, o := range ops {
			if o == op && strings.HasPrefix(name, prefix) {
				return fault
			}
		}
		return nil
	}
}

// whereIs tells which folder has a partition.
func (n *node) whereIs(topic string, partition int32) string {
	for _, d := range n.broker.host.Describe() {
		for _, r := range d.Replicas {
			if r.TP.Topic == topic && r.TP.Partition == partition {
				return d.Path
			}
		}
	}
	return ""
}

// A sync that fails takes its folder offline for good, though the next one would
// succeed. The other folder goes on; when it fails too the node ends.
func TestSyncFails(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		var faults failing
		n := newNode(t)
		n.dirs, n.wrap = []string{"/a", "/b"}, faults.wrap
		n.start()
		n.create("orders", 2)
		bad := int32(0)
		if n.whereIs("orders", 0) == "/a" {
			bad = 1
		}
		for range 2 {
			if err := errors.Join(n.produce("orders", bad, 100), n.produce("orders", 1-bad, 100)); err != nil {
				t.Fatal(err)
			}
		}
		faults.disk.SetRule(below("/b", vfs.LostSync{}, vfs.OpSync))
		if err := n.produce("orders", bad, 100); !errors.Is(err, kerr.KafkaStorageError) {
			t.Errorf("produce: %v", err)
		}
		faults.disk.SetRule(nil)
		if err := n.produce("orders", bad, 100); !errors.Is(err, kerr.KafkaStorageError) {
			t.Errorf("produce after the sync that failed: %v", err)
		}
		if _, err := n.count("orders", bad); !errors.Is(err, kerr.KafkaStorageError) {
			t.Errorf("read after the sync that failed: %v", err)
		}
		if err := n.produce("orders", 1-bad, 100); err != nil {
			t.Errorf("produce to the other folder: %v", err)
		}
		faults.disk.SetRule(below("/a/orders", vfs.ErrIO, vfs.OpWrite))
		if err := n.produce("orders", 1-bad, 100); err == nil {
			t.Error("produced to a dead disk")
		}
		if err := <-n.done; err == nil || !strings.Contains(err.Error(), "metadata folder") {
			t.Errorf("the node ended with %v", err)
		}
	})
}

// A folder that cannot be used at the start is left out. Its partitions are offline, not
// begun anew, and are back when the folder is.
func TestFolderFailsAtStart(t *testing.T) {
	for name, rule := range map[string]vfs.Rule{
		"lock":     below("/b/.lock", vfs.ErrLocked, vfs.OpLock),
		"identity": below("/b/meta.properties", vfs.ErrIO, vfs.OpOpen),
		"journal":  below("/b/journal", vfs.ErrIO, vfs.OpReadDir, vfs.OpOpen),
		"all":      below("/b", vfs.ErrIO, vfs.OpOpen, vfs.OpCreate, vfs.OpReadDir, vfs.OpStat, vfs.OpLock, vfs.OpMkdir),
	} {
		t.Run(name, func(t *testing.T) {
			bubble.Test(t, func(t *testing.T) {
				var faults failing
				n := newNode(t)
				n.dirs, n.wrap = []string{"/a", "/b"}, faults.wrap
				n.start()
				n.create("orders", 2)
				bad := int32(0)
				if n.whereIs("orders", 0) == "/a" {
					bad = 1
				}
				if err := errors.Join(n.produce("orders", 0, 100), n.produce("orders", 1, 100)); err != nil {
					t.Fatal(err)
				}
				n.end()
				n.wrap = func(disk *vfs.Mem) vfs.FS { return vfs.NewFaulty(disk, rule) }
				n.start()
				if err := n.produce("orders", bad, 100); !errors.Is(err, kerr.KafkaStorageError) {
					t.Errorf("produce to the folder that failed: %v", err)
				}
				if err := n.produce("orders", 1-bad, 100); err != nil {
					t.Errorf("produce to the other folder: %v", err)
				}
				n.create("more", 4)
				for p := range int32(4) {
					if err := n.produce("more", p, 100); err != nil {
						t.Errorf("produce to a new topic: %v", err)
					}
				}
				n.end()
				n.wrap = nil
				n.start()
				for p, want := range map[int32]int64{bad: 1, 1 - bad: 2} {
					if got, err := n.count("orders", p); got != want || err != nil {
						t.Errorf("orders-%d has %d records (%v), want %d", p, got, err, want)
					}
				}
				n.end()
			})
		})
	}
}

// Without the metadata folder, or any folder, the node does not start.
func TestNoFolderNoNode(t *testing.T) {
	for i, rule := range []vfs.Rule{
		below("/a/journal", vfs.ErrIO, vfs.OpOpen, vfs.OpReadDir),
		below("/a/meta.properties", vfs.ErrIO, vfs.OpOpen),
		below("/", vfs.ErrIO, vfs.OpReadDir),
	} {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			bubble.Test(t, func(t *testing.T) {
				n := newNode(t)
				n.dirs = []string{"/a", "/b"}
				n.start()
				n.end()
				n.wrap = func(disk *vfs.Mem) vfs.FS { return vfs.NewFaulty(disk, rule) }
				if err := n.try(); !errors.Is(err, vfs.ErrIO) {
					t.Errorf("start: %v", err)
				}
			})
		})
	}
}

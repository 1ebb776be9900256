package broker

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"github.com/odradek/odradek/internal/proto/record"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// The load comes from a process of its own, so that the processor time, the allocations and
// the profile of a benchmark are the broker's alone:
//
//	go test ./internal/broker -run '^$' -bench Load -benchmem -cpuprofile cpu.out
//
// What it sends is prepared and what it gets is not looked at.

// load is what the other process does: N requests over one connection, Window of them on
// their way, Records of 1 KiB a batch. Partitions in all, Each of them in a request.
type load struct {
	Addr       string
	Fetch      bool
	Records    int
	Partitions int
	Each       int
	Window     int
	N          int
}

const loadEnv = "ODRADEK_BENCH_LOAD"

func TestMain(m *testing.M) {
	if spec := os.Getenv(loadEnv); spec != "" {
		if err := runLoad(spec); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// start runs the load up to its first request; the func it returns does the rest.
func (l load) start(b *testing.B) (run func()) {
	spec, err := json.Marshal(l)
	if err != nil {
		b.Fatal(err)
	}
	c := exec.Command("/proc/self/exe")
	c.Env = append(os.Environ(), loadEnv+"="+string(spec))
	c.Stderr = os.Stderr
	in, err1 := c.StdinPipe()
	out, err2 := c.StdoutPipe()
	if err1 != nil || err2 != nil || c.Start() != nil {
		b.Fatal(err1, err2)
	}
	told := bufio.NewReader(out)
	hear := func() {
		if _, err := told.ReadString('\n'); err != nil {
			b.Fatal("the load has failed: ", err)
		}
	}
	hear()
	return func() {
		in.Write([]byte("go\n"))
		hear()
		in.Close()
		if err := c.Wait(); err != nil {
			b.Fatal(err)
		}
	}
}

// runLoad is the other process.
func runLoad(spec string) error {
	var l load
	if err := json.Unmarshal([]byte(spec), &l); err != nil {
		return err
	}
	c, err := net.Dial("tcp", l.Addr)
	if err != nil {
		return err
	}
	frames := l.frames()
	fmt.Println("ready")
	if _, err := bufio.NewReader(os.Stdin).ReadString('\n'); err != nil {
		return err
	}
	slots := make(chan struct{}, l.Window)
	sent := make(chan error, 1)
	go func() {
		for i := range l.N {
			slots <- struct{}{}
			if _, err := c.Write(frames[i%len(frames)]); err != nil {
				sent <- err
				return
			}
		}
		sent <- nil
	}()
	in := bufio.NewReaderSize(c, 256<<10)
	for range l.N {
		head, err := in.Peek(4)
		if err != nil {
			return err
		}
		if _, err := in.Discard(4 + int(binary.BigEndian.Uint32(head))); err != nil {
			return err
		}
		<-slots
	}
	fmt.Println("done")
	return <-sent
}

func (l load) frames() (frames [][]byte) {
	if l.Fetch {
		for i := range int64(fetchedBatches) {
			frames = append(frames, fetchFrame(i*int64(l.Records), l.Records))
		}
		return frames
	}
	batch := batchOf(l.Records)
	for at := 0; at < l.Partitions; at += l.Each {
		t := kmsg.NewProduceRequestTopic()
		t.Topic = "bench"
		for p := at; p < at+l.Each; p++ {
			t.Partitions = append(t.Partitions, kmsg.ProduceRequestTopicPartition{Partition: int32(p), Records: batch})
		}
		req := kmsg.NewPtrProduceRequest()
		req.Acks, req.TimeoutMillis = -1, 30_000
		req.Topics = append(req.Topics, t)
		frames = append(frames, frameOf(req, 9))
	}
	return frames
}

// fetchedBatches is how many batches there are to fetch, in turn.
const fetchedBatches = 64

func fetchFrame(from int64, records int) []byte {
	req := kmsg.NewPtrFetchRequest()
	req.MinBytes, req.MaxBytes, req.MaxWaitMillis, req.SessionEpoch = 1, 64<<20, 500, -1
	p := kmsg.NewFetchRequestTopicPartition()
	p.FetchOffset, p.PartitionMaxBytes = from, int32(len(batchOf(records)))
	t := kmsg.NewFetchRequestTopic()
	t.Topic = "bench"
	t.Partitions = append(t.Partitions, p)
	req.Topics = append(req.Topics, t)
	return frameOf(req, 12)
}

func batchOf(records int) []byte {
	builder := record.NewBuilder(record.BuilderConfig{})
	value := make([]byte, 1024)
	for range records {
		builder.Append(record.Record{Value: value, Timestamp: time.Now().UnixMilli()})
	}
	batch, err := builder.Build()
	if err != nil {
		panic(err)
	}
	return batch
}

// measure runs a load and reports what it cost the broker.
func (l load) measure(b *testing.B, addr string) {
	l.Addr, l.N = addr, b.N
	run := l.start(b)
	size := l.Each * len(batchOf(l.Records))
	b.SetBytes(int64(size))
	b.ReportAllocs()
	b.ResetTimer()
	began := cpuTime()
	run()
	used := cpuTime() - began
	b.StopTimer()
	b.ReportMetric(used/float64(b.N)*1e6, "cpu-µs/op")
	b.ReportMetric(used/float64(b.N)/float64(size)*1e9, "cpu-s/GB")
}

// cpuTime is what this process has used, in seconds.
func cpuTime() float64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return float64(u.Utime.Nano()+u.Stime.Nano()) / 1e9
}

// BenchmarkLoadProduce is one connection with some requests on their way, acks=all, each
// acknowledged when it is on disk.
func BenchmarkLoadProduce(b *testing.B) {
	for _, l := range []load{
		{Records: 1, Partitions: 1, Each: 1, Window: 1},
		{Records: 1, Partitions: 1, Each: 1, Window: 64},
		{Records: 16, Partitions: 1, Each: 1, Window: 16},
		{Records: 64, Partitions: 1, Each: 1, Window: 8},
		{Records: 1000, Partitions: 1, Each: 1, Window: 4},
		{Records: 1, Partitions: 10, Each: 10, Window: 16},
		{Records: 1, Partitions: 10_000, Each: 10, Window: 16},
	} {
		b.Run(fmt.Sprintf("batch=%dKiB/partitions=%d/window=%d", l.Records, l.Partitions, l.Window), func(b *testing.B) {
			c := benchNode(b)
			benchTopicOf(b, c, l.Partitions)
			warm(b, c, l)
			l.measure(b, c.RemoteAddr().String())
		})
	}
}

// warm opens the partitions, and has the journal sync them once.
func warm(b *testing.B, c net.Conn, l load) {
	buf := make([]byte, 1<<16)
	for range 2 {
		for _, f := range l.frames() {
			ask(b, c, f, buf)
		}
	}
}

// BenchmarkLoadFetch reads batch by batch, each answer one.
func BenchmarkLoadFetch(b *testing.B) {
	for _, l := range []load{
		{Fetch: true, Records: 1, Each: 1, Window: 1},
		{Fetch: true, Records: 1, Each: 1, Window: 64},
		{Fetch: true, Records: 16, Each: 1, Window: 8},
		{Fetch: true, Records: 64, Each: 1, Window: 4},
		{Fetch: true, Records: 1000, Each: 1, Window: 2},
	} {
		b.Run(fmt.Sprintf("batch=%dKiB/window=%d", l.Records, l.Window), func(b *testing.B) {
			c := benchNode(b)
			benchTopicOf(b, c, 1)
			buf, frame := make([]byte, 1<<16), load{Records: l.Records, Partitions: 1, Each: 1}.frames()[0]
			for range fetchedBatches {
				ask(b, c, frame, buf)
			}
			l.measure(b, c.RemoteAddr().String())
		})
	}
}

func benchTopicOf(b *testing.B, c net.Conn, partitions int) {
	req := kmsg.NewPtrCreateTopicsRequest()
	t := kmsg.NewCreateTopicsRequestTopic()
	t.Topic, t.NumPartitions, t.ReplicationFactor = "bench", int32(partitions), 1
	req.Topics = append(req.Topics, t)
	ask(b, c, frameOf(req, 5), make([]byte, 1<<16))
}

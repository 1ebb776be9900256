package load

import (
	"context"
	"fmt"
	"math"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// javaLoad is Kafka's own load: what kafka-producer-perf-test and kafka-consumer-perf-test
// start. Its time to start is not in the result's seconds, but in its processor time.
type javaLoad struct{ foreign }

func (l *javaLoad) run(ctx context.Context, r *Result) error {
	if l.spec.Kind == JavaConsume {
		return l.consume(ctx, r)
	}
	return l.produce(ctx, r)
}

// java runs a class of Kafka's jars, with the heap that Kafka's script gives it.
func (l *javaLoad) java(ctx context.Context, r *Result, class string, args ...string) (string, error) {
	return child(ctx, r, "java", append([]string{"-Xmx512M", "-Duser.language=en", "-cp", filepath.Join(l.spec.Jars, "*"), class}, args...)...)
}

// total is the line at the end of ProducerPerformance; latencies are in milliseconds.
var total = regexp.MustCompile(`(?m)^(\d+) records sent, ([\d.]+) records/sec .*, ([\d.]+) ms avg latency, ([\d.]+) ms max latency, (\d+) ms 50th, (\d+) ms 95th, (\d+) ms 99th, (\d+) ms 99\.9th\.$`)

func (l *javaLoad) produce(ctx context.Context, r *Result) error {
	s := l.spec
	rate := -1.0
	if s.Rate > 0 {
		rate = s.Rate
	}
	records := s.limit().records
	out, err := l.java(ctx, r, "org.apache.kafka.tools.ProducerPerformance", "--topic", l.cluster.topic,
		"--num-records", fmt.Sprint(records), "--record-size", fmt.Sprint(s.Size), "--throughput", fmt.Sprint(rate),
		"--command-property", "bootstrap.servers="+s.Bootstrap, "acks="+s.Acks, fmt.Sprint("linger.ms=", int(s.Linger)),
		fmt.Sprint("batch.size=", s.Batch), "compression.type="+s.Compression, fmt.Sprint("enable.idempotence=", s.Idempotent))
	if err != nil {
		return err
	}
	if err := readProduced(out, r); err != nil {
		return err
	}
	r.Bytes = r.Records * int64(s.Size)
	if r.Records != records {
		return fmt.Errorf("%d records were acknowledged of %d", r.Records, records)
	}
	return nil
}

// readProduced reads what ProducerPerformance said at last.
func readProduced(out string, r *Result) error {
	list := total.FindAllStringSubmatch(out, -1)
	if len(list) == 0 {
		return fmt.Errorf("there is no total in %q", out[max(0, len(out)-1000):])
	}
	f := make([]float64, 9)
	for i, text := range list[len(list)-1][1:] {
		f[i+1], _ = strconv.ParseFloat(text, 64) // the expression leaves no other
	}
	us := func(ms float64) int64 { return int64(ms * 1000) }
	r.Records = int64(f[1])
	r.Seconds = f[1] / f[2]
	r.Latency = Latency{Count: r.Records, Mean: us(f[3]), Max: us(f[4]), P50: us(f[5]), P95: us(f[6]), P99: us(f[7]), P999: us(f[8])}
	return nil
}

func (l *javaLoad) consume(ctx context.Context, r *Result) error {
	out, err := l.java(ctx, r, "org.apache.kafka.tools.ConsumerPerformance", "--bootstrap-server", l.spec.Bootstrap,
		"--topic", l.cluster.topic, "--num-records", fmt.Sprint(l.ours), "--timeout", fmt.Sprint(fetchWait.Milliseconds()),
		"--hide-header", "--group", l.cluster.topic)
	if err != nil {
		return err
	}
	return readConsumed(out, r)
}

// readConsumed reads what ConsumerPerformance says:
//
//	start.time, end.time, data.consumed.in.MB, MB.sec, data.consumed.in.nMsg, nMsg.sec, rebalance.time.ms, fetch.time.ms, fetch.MB.sec, fetch.nMsg.sec
//
// An MB is 2^20 bytes, of which it has four digits: enough to tell bytes of whole records.
func readConsumed(out string, r *Result) error {
	lines := strings.Split(strings.TrimSpace(out), "\n")
	fields := strings.Split(lines[len(lines)-1], ", ")
	if len(fields) != 10 {
		return fmt.Errorf("there is no total in %q", out[max(0, len(out)-1000):])
	}
	mb, err1 := strconv.ParseFloat(fields[2], 64)
	records, err2 := strconv.ParseInt(fields[4], 10, 64)
	rebalance, err3 := strconv.ParseInt(fields[6], 10, 64)
	fetch, err4 := strconv.ParseInt(fields[7], 10, 64)
	for _, err := range []error{err1, err2, err3, err4} {
		if err != nil {
			return fmt.Errorf("the total %q: %w", fields, err)
		}
	}
	r.Records = records
	if records > 0 {
		each := math.Round(mb * mib / float64(records))
		r.Bytes = records * int64(each)
	}
	r.Seconds = (time.Duration(fetch) * time.Millisecond).Seconds()
	r.figure("rebalance_seconds", float64(rebalance)/1000)
	return nil
}

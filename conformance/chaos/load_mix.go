package chaos

import (
	"fmt"
	"time"
)

// pipe is what takes from a topic and writes to another one, exactly once: what it is written
// with, from where to where, and its group.
type pipe struct{ client, in, out, group, protocol string }

var (
	franzPipe = pipe{"franz-go", "in.franz", "out.franz", "pipe.franz", "classic"}
	javaPipe  = pipe{"java", "in.java", "out.java", "pipe.java", "consumer"}
)

// Mix is a load of many clients at once.
type Mix struct {
	Topics []Topic
	Works  []Work
	Pipes  []pipe
	Share  []string // share groups, which begin at the start of their topics
}

func textOf(s string) *string { return &s }

// send is a producer's work: bursts of at most so many records for each partition.
func send(client, topics, codec string, most int, pace time.Duration, more ...string) Work {
	return Work{client, "send", topics, append([]string{"-codec=" + codec, fmt.Sprint("-most=", most), "-pace=" + millis(client, pace)}, more...), false}
}

func read(client, topics, isolation string) Work {
	w := Work{client, "read", topics, []string{"-isolation=" + isolation}, false}
	if client != "sarama" {
		w.Args = append(w.Args, "-pace="+millis(client, 50*time.Millisecond))
	}
	return w
}

func member(client, topics, group, protocol string, stay time.Duration) Work {
	args := []string{"-group=" + group, "-stay=" + millis(client, stay), "-pace=" + millis(client, 200*time.Millisecond), "-isolation=read_committed"}
	if client != "python" { // which knows the classic one alone
		args = append(args, "-protocol="+protocol)
	}
	return Work{client, "member", topics, args, false}
}

func sharing(client, topics, group string) Work {
	return Work{client, "share", topics, []string{"-group=" + group, "-pace=" + millis(client, 100*time.Millisecond)}, false}
}

func (p pipe) works(workers int, id string) (all []Work) {
	for i := range workers {
		all = append(all, Work{p.client, "pipe", p.out + ":3", []string{"-in=" + p.in, "-group=" + p.group, fmt.Sprintf("-id=%s.%d", id, i),
			"-protocol=" + p.protocol, "-most=100"}, true})
	}
	return all
}

// Small is a load of one library that leaves most of a machine to what hurts it.
func Small() Mix {
	p := franzPipe
	m := Mix{
		Topics: []Topic{{"a", 6, nil}, {p.in, 3, nil}, {p.out, 3, nil}},
		Pipes:  []pipe{p},
		Works: []Work{
			send("franz-go", "a:6", "zstd", 50, 100*time.Millisecond),
			send("franz-go", p.in+":3", "none", 20, 200*time.Millisecond, "-patient"),
			read("franz-go", "a:6,out.franz:3", "read_committed"),
			read("franz-go", "a:6,out.franz:3", "read_uncommitted"),
			member("franz-go", "a:6", "g.classic", "classic", time.Hour),
			member("franz-go", "a:6", "g.consumer", "consumer", 20*time.Second),
			{"franz-go", "watch", "a:6,out.franz:3", []string{"-pace=100ms"}, false},
			{"franz-go", "offsets", "a:2", []string{"-group=g.offsets", "-pace=50ms"}, false},
			{"franz-go", "offsets", "a:2", []string{"-group=g.offsets", "-pace=50ms"}, false},
		},
	}
	m.Works = append(m.Works, p.works(2, p.group)...)
	return m
}

// Full is a load of four libraries, which each do what they can.
func Full() Mix {
	everywhere := "a:6,b:6,out.franz:3,out.java:3"
	m := Mix{
		Topics: []Topic{{"a", 6, nil}, {"b", 6, map[string]*string{"segment.bytes": textOf("1048576")}},
			{"in.franz", 3, nil}, {"out.franz", 3, nil}, {"in.java", 3, nil}, {"out.java", 3, nil}},
		Pipes: []pipe{franzPipe, javaPipe},
		Share: []string{"g.share"},
		Works: []Work{
			send("franz-go", "a:6,b:6", "zstd", 150, 400*time.Millisecond),
			send("sarama", "a:6", "snappy", 150, 400*time.Millisecond),
			send("java", "b:6", "lz4", 150, 400*time.Millisecond, "-patient"),
			// When a record of librdkafka's times out, it begins a new epoch and sends what was on
			// its way once more, which may be there already: so it has to be patient.
			send("python", "a:6,b:6", "gzip", 150, 400*time.Millisecond, "-patient"),
			send("franz-go", "in.franz:3,in.java:3", "none", 20, 200*time.Millisecond, "-patient"),
			read("franz-go", everywhere, "read_committed"),
			read("franz-go", everywhere, "read_uncommitted"),
			read("python", everywhere, "read_committed"),
			read("sarama", everywhere, "read_uncommitted"),
			member("franz-go", "a:6", "g.classic", "classic", time.Minute),
			member("python", "a:6", "g.classic", "classic", 2*time.Minute),
			member("franz-go", "b:6", "g.consumer", "consumer", 30*time.Second),
			member("java", "b:6", "g.consumer", "consumer", time.Minute),
			sharing("franz-go", "b:6", "g.share"),
			sharing("java", "b:6", "g.share"),
			{"franz-go", "watch", everywhere, []string{"-pace=100ms"}, false},
			{"franz-go", "offsets", "a:2", []string{"-group=g.offsets", "-pace=50ms"}, false},
			{"franz-go", "offsets", "a:2", []string{"-group=g.offsets", "-pace=50ms"}, false},
		},
	}
	m.Works = append(m.Works, franzPipe.works(2, franzPipe.group)...)
	m.Works = append(m.Works, javaPipe.works(1, javaPipe.group)...)
	return m
}

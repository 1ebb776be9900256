package cluster

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

var (
	tools     = flag.Bool("tools", false, "run Kafka's own command line tools against a cluster")
	answersIn = flag.String("answers", "", "folder for what the tools printed on Apache Kafka; what is there is not asked again")
)

// step is a call of one of Kafka's tools. In its words, {b} stands for the addresses of
// the brokers, {c} for those of the controllers, {1} to {3} for node ids by their place,
// {f} for a file with the text of file.
type step struct {
	name  string // what the table calls it
	class string
	words string
	file  string
	again bool         // until it ends well: what it asks about takes a moment
	keep  string       // a regular expression: only what it matches is compared
	first func(r *rig) // what must be so before
	until string       // a text that its words must have; then it has ended well
}

const (
	orgTools = "org.apache.kafka.tools."
	moved    = `{"version":1,"partitions":[{"topic":"moved","partition":0,"replicas":[3,1,2]},{"topic":"moved","partition":1,"replicas":[1,2]},{"topic":"moved","partition":2,"replicas":[2,3,1]}]}`
	back     = `{"version":1,"partitions":[{"topic":"moved","partition":0,"replicas":[1,2,3]},{"topic":"moved","partition":1,"replicas":[1,2,3]},{"topic":"moved","partition":2,"replicas":[2,3,1]}]}`
	elected  = `{"partitions":[{"topic":"moved","partition":0},{"topic":"moved","partition":1}]}`
	topicsIn = `{"topics":[{"topic":"moved"}],"version":1}`
)

var steps = []step{
	{name: "topics: create", class: orgTools + "TopicCommand", words: "--bootstrap-server {b} --create --topic moved --replica-assignment 1:2:3,2:3:1,3:1:2"},
	{name: "topics: create with defaults", class: orgTools + "TopicCommand", words: "--bootstrap-server {b} --create --topic plain"},
	{name: "topics: describe", class: orgTools + "TopicCommand", words: "--bootstrap-server {b} --describe --topic moved", again: true},
	{name: "topics: list", class: orgTools + "TopicCommand", words: "--bootstrap-server {b} --list"},
	{name: "topics: too many copies", class: orgTools + "TopicCommand", words: "--bootstrap-server {b} --create --topic four --replication-factor 4 --partitions 1"},
	{name: "topics: under-replicated", class: orgTools + "TopicCommand", words: "--bootstrap-server {b} --describe --under-replicated-partitions"},
	{name: "topics: at-min-isr", class: orgTools + "TopicCommand", words: "--bootstrap-server {b} --describe --at-min-isr-partitions"},
	{name: "topics: unavailable", class: orgTools + "TopicCommand", words: "--bootstrap-server {b} --describe --unavailable-partitions"},
	{name: "topics: add partitions", class: orgTools + "TopicCommand", words: "--bootstrap-server {b} --alter --topic plain --partitions 4"},
	{name: "reassign: generate", class: orgTools + "reassign.ReassignPartitionsCommand", words: "--bootstrap-server {b} --generate --broker-list 1,2,3 --topics-to-move-json-file {f}", file: topicsIn},
	{name: "reassign: execute", class: orgTools + "reassign.ReassignPartitionsCommand", words: "--bootstrap-server {b} --execute --reassignment-json-file {f} --throttle 10000000", file: moved},
	{name: "reassign: verify", class: orgTools + "reassign.ReassignPartitionsCommand", words: "--bootstrap-server {b} --verify --reassignment-json-file {f}", file: moved, again: true},
	{name: "reassign: list", class: orgTools + "reassign.ReassignPartitionsCommand", words: "--bootstrap-server {b} --list"},
	{name: "reassign: cancel", class: orgTools + "reassign.ReassignPartitionsCommand", words: "--bootstrap-server {b} --cancel --reassignment-json-file {f}", file: back},
	{name: "reassign: back", class: orgTools + "reassign.ReassignPartitionsCommand", words: "--bootstrap-server {b} --execute --reassignment-json-file {f}", file: back},
	{name: "reassign: through a controller", class: orgTools + "reassign.ReassignPartitionsCommand", words: "--bootstrap-controller {c} --list", again: true},
	{name: "leader-election: preferred", class: orgTools + "LeaderElectionCommand", words: "--bootstrap-server {b} --election-type preferred --path-to-json-file {f}", file: elected, again: true},
	{name: "leader-election: all", class: orgTools + "LeaderElectionCommand", words: "--bootstrap-server {b} --election-type preferred --all-topic-partitions"},
	{name: "leader-election: unclean, not needed", class: orgTools + "LeaderElectionCommand", words: "--bootstrap-server {b} --election-type unclean --topic moved --partition 0"},
	{name: "metadata-quorum: status", class: orgTools + "MetadataQuorumCommand", words: "--bootstrap-server {b} describe --status"},
	{name: "metadata-quorum: replication", class: orgTools + "MetadataQuorumCommand", words: "--bootstrap-server {b} describe --replication --human-readable"},
	{name: "metadata-quorum: status, from a controller", class: orgTools + "MetadataQuorumCommand", words: "--bootstrap-controller {c} describe --status"},
	{name: "metadata-quorum: replication, from a controller", class: orgTools + "MetadataQuorumCommand", words: "--bootstrap-controller {c} describe --replication"},
	{name: "metadata-quorum: remove a controller that is none", class: orgTools + "MetadataQuorumCommand", words: "--bootstrap-server {b} remove-controller --controller-id 9 --controller-directory-id T2RyYWRlay1kaXItMDAwOQ"},
	{name: "configs: broker", class: "kafka.admin.ConfigCommand", words: "--bootstrap-server {b} --alter --entity-type brokers --entity-name 2 --add-config log.cleaner.threads=2"},
	{name: "configs: describe broker", class: "kafka.admin.ConfigCommand", words: "--bootstrap-server {b} --describe --entity-type brokers --entity-name 2", again: true},
	{name: "configs: all brokers", class: "kafka.admin.ConfigCommand", words: "--bootstrap-server {b} --alter --entity-type brokers --entity-default --add-config log.retention.ms=600000000"},
	{name: "configs: describe all brokers", class: "kafka.admin.ConfigCommand", words: "--bootstrap-server {b} --describe --entity-type brokers --entity-default"},
	{name: "configs: topic", class: "kafka.admin.ConfigCommand", words: "--bootstrap-server {b} --alter --entity-type topics --entity-name moved --add-config min.insync.replicas=1"},
	{name: "configs: describe topic", class: "kafka.admin.ConfigCommand", words: "--bootstrap-server {b} --describe --entity-type topics --entity-name moved"},
	{name: "configs: through a controller", class: "kafka.admin.ConfigCommand", words: "--bootstrap-controller {c} --describe --entity-type brokers --entity-name 2"},
	{name: "log-dirs", class: orgTools + "LogDirsCommand", words: "--bootstrap-server {b} --describe --topic-list moved"},
	{name: "log-dirs: of two brokers", class: orgTools + "LogDirsCommand", words: "--bootstrap-server {b} --describe --broker-list 1,3 --topic-list plain"},
	{name: "cluster: id", class: orgTools + "ClusterTool", words: "cluster-id --bootstrap-server {b}"},
	{name: "cluster: id, from a controller", class: orgTools + "ClusterTool", words: "cluster-id --bootstrap-controller {c}"},
	{name: "cluster: endpoints", class: orgTools + "ClusterTool", words: "list-endpoints --bootstrap-server {b}"},
	{name: "cluster: endpoints of controllers", class: orgTools + "ClusterTool", words: "list-endpoints --bootstrap-controller {c}"},
	{name: "cluster: unregister an unknown broker", class: orgTools + "ClusterTool", words: "unregister --bootstrap-server {b} --id 9"},
	{name: "features: describe", class: orgTools + "FeatureCommand", words: "--bootstrap-server {b} describe"},
	{name: "features: describe, from a controller", class: orgTools + "FeatureCommand", words: "--bootstrap-controller {c} describe"},
	{name: "features: upgrade to what it is", class: orgTools + "FeatureCommand", words: "--bootstrap-server {b} upgrade --feature eligible.leader.replicas.version=1"},
	{name: "features: downgrade, dry", class: orgTools + "FeatureCommand", words: "--bootstrap-server {b} downgrade --feature eligible.leader.replicas.version=0 --dry-run"},
	{name: "broker-api-versions", class: orgTools + "BrokerApiVersionsCommand", words: "--bootstrap-server {b}"},
	{name: "get-offsets", class: orgTools + "GetOffsetShell", words: "--bootstrap-server {b} --topic moved"},
	{name: "consumer-groups: list", class: orgTools + "consumer.group.ConsumerGroupCommand", words: "--bootstrap-server {b} --list"},
}

// ran is what a tool said.
type ran struct {
	status int
	text   string
	shape  string
}

// Kafka's own tools are run against a cluster of each program, with the same words, and
// the shape of what they print is compared: the same lines, but for what differs from run
// to run (ids, ports, times, sizes). The table of it is generated; a tool that cannot
// talk to the cluster fails the test, and so does a shape that is not Kafka's unless
// toolDifferences explains it.
func TestTools(t *testing.T) {
	if !*tools {
		t.Skip("asked for with -tools; needs Java and Apache Kafka's jars")
	}
	libs, err := KafkaJars(filepath.Join("..", ".."))
	if err != nil {
		t.Skipf("SKIPPED: %v", err)
	}
	if libs, err = filepath.Abs(libs); err != nil {
		t.Fatal(err)
	}
	compareTools(t, libs, steps)
}

// compareTools calls the tools on a cluster of each program, and compares what they print.
func compareTools(t *testing.T, libs string, steps []step) {
	all := make(map[string][]ran)
	for _, name := range []string{"kafka", "odradek"} {
		t.Run(name, func(t *testing.T) {
			if name == "kafka" && recall(t, steps, all) {
				return
			}
			all[name] = runTools(t, name, libs, steps)
			remember(t, name, steps, all[name])
		})
	}
	if t.Failed() || len(all["kafka"]) == 0 || len(all["odradek"]) == 0 {
		return
	}
	for i, s := range steps {
		k, o := all["kafka"][i], all["odradek"][i]
		f := figure{Kind: "tool", Program: "odradek", Name: s.name, Text: o.text, Numbers: map[string]float64{"status": float64(o.status), "same": 0}}
		switch {
		case k.status == o.status && k.shape == o.shape:
			f.Numbers["same"] = 1
		case toolDifferences[s.name] == "":
			t.Errorf("%s\n-- Apache Kafka: %d\n%s\n-- Odradek: %d\n%s\n-- in the shape\n%s", s.name, k.status, k.text, o.status, o.text, firstDifference(k.shape, o.shape))
		}
		record(t, f)
	}
}

// answer is what a tool printed on Apache Kafka, as it is kept.
type answer struct {
	Name   string
	Status int
	Text   string
}

// recall takes what was kept, if it is all there.
func recall(t *testing.T, steps []step, all map[string][]ran) bool {
	data, err := os.ReadFile(filepath.Join(*answersIn, t.Name()+".json"))
	var kept []answer
	if *answersIn == "" || err != nil || json.Unmarshal(data, &kept) != nil {
		return false
	}
	var rs []ran
	for _, s := range steps {
		i := slices.IndexFunc(kept, func(a answer) bool { return a.Name == s.name })
		if i < 0 {
			return false
		}
		rs = append(rs, ran{kept[i].Status, kept[i].Text, s.shape(kept[i].Text)})
	}
	all["kafka"] = rs
	return true
}

func remember(t *testing.T, name string, steps []step, rs []ran) {
	if *answersIn == "" || name != "kafka" {
		return
	}
	var list []answer
	for i, s := range steps {
		list = append(list, answer{s.name, rs[i].status, rs[i].text})
	}
	data, err := json.MarshalIndent(list, "", " ")
	file := filepath.Join(*answersIn, t.Name()+".json")
	if err = errors.Join(err, os.MkdirAll(filepath.Dir(file), 0o755), os.WriteFile(file, data, 0o644)); err != nil {
		t.Error(err)
	}
}

// shape is what is compared of a tool's words.
func (s step) shape(text string) string { return shapeOf(kept(text, s.keep)) }

// toolDifferences are the calls whose answers need not look like Kafka's, and why.
var toolDifferences = map[string]string{
	"reassign: generate": "The tool itself draws the proposal at random.",
	"metadata-quorum: remove a controller that is none": "The error is the same, its text is Odradek's.",
	"configs: describe all brokers":                     minISR,
	"configs: describe topic":                           minISR,
	"features: describe":                                features,
	"features: describe, from a controller":             features,
	"broker-api-versions":                               "Requests of ACLs, tokens and of groups of Kafka Streams are not served yet.",
	"configs: a group's wrong value":                    "The error is the same, its text is Odradek's.",
	"share-groups: describe":                            "Odradek stores where a share group begins when it first looks, Kafka with the first acknowledgement.",
}

const (
	minISR   = "Kafka turns a static min.insync.replicas into a dynamic default of the cluster (KIP-966); Odradek leaves it where it was set."
	features = "Odradek tells of the features that it serves; that of groups of Kafka Streams is not among them yet."
)

func runTools(t *testing.T, name, libs string, steps []step) (all []ran) {
	r := startRig(t, Config{Program: programOf(t, name), Dynamic: name == "kafka"})
	var controllers []string
	for _, n := range r.cluster.All {
		controllers = append(controllers, n.Controller)
	}
	file := filepath.Join(t.TempDir(), "input.json")
	for _, s := range steps {
		r.try(os.WriteFile(file, []byte(s.file), 0o644))
		words := strings.NewReplacer("{b}", strings.Join(r.cluster.Addrs(), ","), "{c}", strings.Join(controllers, ","), "{f}", file).Replace(s.words)
		if s.first != nil {
			s.first(r)
		}
		one := tool(t, libs, s.class, strings.Fields(words)...)
		for range 20 {
			if !s.again || one.status == 0 && !strings.Contains(one.text, "still in progress") && strings.Contains(one.text, s.until) {
				break
			}
			time.Sleep(200 * time.Millisecond)
			one = tool(t, libs, s.class, strings.Fields(words)...)
		}
		one.text = strings.NewReplacer(r.cluster.Dir, "DIR", file, "FILE").Replace(one.text)
		one.shape = s.shape(one.text)
		all = append(all, one)
	}
	return all
}

// kept is what a pattern matches of a text, each once; no pattern keeps all.
func kept(text, pattern string) string {
	if pattern == "" {
		return text
	}
	all := regexp.MustCompile(pattern).FindAllString(text, -1)
	slices.Sort(all)
	return strings.Join(slices.Compact(all), "\n")
}

// tool runs one of Kafka's tools, as its script would.
func tool(t *testing.T, libs, class string, args ...string) ran {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	words := append([]string{"-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Dorg.slf4j.simpleLogger.defaultLogLevel=error", "-cp", filepath.Join(libs, "*"), class}, args...)
	cmd := exec.CommandContext(ctx, "java", words...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatalf("%s: %v", class, err)
	}
	return ran{status: cmd.ProcessState.ExitCode(), text: strings.TrimRight(out.String(), "\n")}
}

// What differs from run to run, in the order in which it is taken out.
var unstable = []struct {
	pattern *regexp.Regexp
	with    string
}{
	{regexp.MustCompile(`(?m)^\s+at .*$\n?`), ""}, // of a stack trace
	{regexp.MustCompile(`kgo-[0-9a-f]{8}-[0-9a-f-]{27}|[A-Za-z0-9_-]{22}==|(verifiable|live)[a-z-]*-[0-9a-f]{8}-[0-9a-f-]{27}`), "MEMBER"},
	{regexp.MustCompile(`127\.0\.0\.1:\d+\s+\(\d\)`), "HOST:PORT (N)"},
	{regexp.MustCompile(`127\.0\.0\.1:\d+`), "HOST:PORT"},
	{regexp.MustCompile(`127\.0\.0\.1\s+\d+`), "HOST PORT"},
	{regexp.MustCompile(`"logDir":"[^"]*"`), `"logDir":"DIR"`},
	{regexp.MustCompile(`(TopicId: |topic id |Cluster ID: |ClusterId:\s+)\S+`), "${1}ID"},
	{regexp.MustCompile(`\b[A-Za-z0-9_-]{22}\b`), "ID"},
	{regexp.MustCompile(`-?\d+ ms ago`), "N ms ago"},
	{regexp.MustCompile(`\b\d{4}-\d\d-\d\d \d\d:\d\d:\d\d[,.]\d+`), "TIME"},
	{regexp.MustCompile(`\b\d{13}\b`), "TIME"},
	{regexp.MustCompile(`("size":|LeaderEpoch:\s+|HighWatermark:\s+|MaxFollowerLag:\s+|MaxFollowerLagTimeMs:\s+|LeaderId:\s+|Epoch: )-?\d+`), "${1}N"},
	{regexp.MustCompile(`(?m)^\d+\s+ID\s+\d+\s+\d+\s+.*(Leader|Follower|Observer)`), "NODE ID END LAG TIMES $1"},
	{regexp.MustCompile(`\(id: (\d) rack`), "(id: $1 rack"},
	{regexp.MustCompile(`Leader: \d`), "Leader: N"},
	{regexp.MustCompile(`Isr: [\d,]+`), "Isr: N"},
	// Of transactions: who coordinates one, its producer's id, and how long it has run.
	{regexp.MustCompile(`(?m)^(flows-(?:open|done))\s+\d\s+\d+\b`), "$1 NODE ID"},
	{regexp.MustCompile(`(?m)^\d\s+(flows-(?:open|done))\s+\d+\b`), "NODE $1 ID"},
	{regexp.MustCompile(`(600000\s+TIME\s+)\d+`), "${1}AGE"},
	{regexp.MustCompile(`(?m)^\d+(\s+\d+\s+-?\d+\s+-?\d+\s+TIME\s)`), "ID$1"},
	{regexp.MustCompile(`[ \t]+`), " "},
}

// shapeOf is what a tool printed without what differs from run to run; lines that come in
// no order are sorted.
func shapeOf(text string) string {
	for _, u := range unstable {
		text = u.pattern.ReplaceAllString(text, u.with)
	}
	lines := strings.Split(text, "\n")
	for i := range lines {
		lines[i] = strings.TrimSpace(lines[i])
	}
	slices.Sort(lines)
	return strings.Join(slices.DeleteFunc(lines, func(l string) bool { return l == "" }), "\n")
}

func firstDifference(a, b string) string {
	as, bs := strings.Split(a, "\n"), strings.Split(b, "\n")
	var out []string
	for _, l := range as {
		if !slices.Contains(bs, l) {
			out = append(out, "kafka   "+l)
		}
	}
	for _, l := range bs {
		if !slices.Contains(as, l) {
			out = append(out, "odradek "+l)
		}
	}
	if len(out) > 20 {
		out = append(out[:20], fmt.Sprintf("and %d lines more", len(out)-20))
	}
	return strings.Join(out, "\n")
}

func TestShape(t *testing.T) {
	a := "Topic: x\tTopicId: C-Iz3DSlQ2yN6q2pVJm0Ag\tPartitionCount: 1\n\tTopic: x\tLeader: 2\tIsr: 2,3,1\nbroker 127.0.0.1:23001\n"
	b := "broker 127.0.0.1:29009\nTopic: x  TopicId: 6sKnTKE0RwSX-M9NMfEDrg PartitionCount: 1\n Topic: x Leader: 1 Isr: 1,2,3"
	if shapeOf(a) != shapeOf(b) {
		t.Errorf("not the same shape:\n%s\n--\n%s", shapeOf(a), shapeOf(b))
	}
	if c := strings.Replace(b, "PartitionCount: 1", "PartitionCount: 2", 1); shapeOf(a) == shapeOf(c) {
		t.Error("another number of partitions has the same shape")
	}
}

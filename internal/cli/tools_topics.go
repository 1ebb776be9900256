package cli

//lint:file-ignore ST1005 these are the words of Kafka's own tools

import (
	"context"
	"errors"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/odradek/odradek/internal/cluster/config"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

var topicsToolOptions = []toolOption{
	{"alter", noArg, "Alter the number of partitions and replica assignment."},
	{"at-min-isr-partitions", noArg, "When describing, show only partitions whose ISR is exactly min.insync.replicas."},
	{"bootstrap-server", needsArg, "REQUIRED: the server to connect to."},
	{"command-config", needsArg, "File of properties for the client."},
	{"config", needsArg, "NAME=VALUE: a setting of the topic to create; may be repeated."},
	{"create", noArg, "Create a new topic."},
	{"delete", noArg, "Delete a topic."},
	{"delete-config", needsArg, "No longer supported: use kafka-configs."},
	{"describe", noArg, "List details of the given topics."},
	{"exclude-internal", noArg, "Leave out internal topics when listing or describing."},
	{"if-exists", noArg, "When altering, deleting or describing, act only if the topic exists."},
	{"if-not-exists", noArg, "When creating, do not fail if the topic exists."},
	{"list", noArg, "List all available topics."},
	{"partition-size-limit-per-response", needsArg, "Most partitions in one answer when describing."},
	{"partitions", needsArg, "Number of partitions of the topic to create or alter."},
	{"replica-assignment", needsArg, "Brokers of each partition: 1:2,2:3,..."},
	{"replication-factor", needsArg, "Replicas of each partition of the topic to create."},
	{"topic", needsArg, "The topic; a regular expression, except with --create."},
	{"topic-id", needsArg, "The id of the topic to describe."},
	{"topics-with-overrides", noArg, "When describing, show only topics whose settings were changed."},
	{"unavailable-partitions", noArg, "When describing, show only partitions without a live leader."},
	{"under-min-isr-partitions", noArg, "When describing, show only partitions whose ISR is below min.insync.replicas."},
	{"under-replicated-partitions", noArg, "When describing, show only partitions with replicas out of sync."},
	{"zookeeper", needsArg, "Gone since Kafka 3: use --bootstrap-server."},
}

// topicsTool is kafka-topics.sh.
func topicsTool(ctx context.Context, a *App, args []string) error {
	o, err := parseTool(topicsToolOptions, args)
	if err != nil {
		return a.finish(err)
	}
	if len(args) == 0 {
		return a.finish(o.usage("Create, delete, describe, or change a topic."))
	}
	if done, err := o.begin(a, args, "This tool helps to create, delete, describe, or change a topic."); done {
		return a.finish(err)
	}
	if err := checkTopicsTool(a, o); err != nil {
		return a.finish(err)
	}
	if err := a.connectTool(o, 60_000); err != nil {
		return a.finish(err)
	}
	t := &topicsToolRun{a: a, o: o}
	return a.finish(t.run(ctx))
}

func checkTopicsTool(a *App, o *toolOptions) error {
	actions := 0
	for _, action := range []string{"create", "list", "alter", "describe", "delete"} {
		if o.has(action) {
			actions++
		}
	}
	if actions != 1 {
		return o.usage("Command must include exactly one action: --list, --describe, --create, --alter or --delete")
	}
	if o.has("delete-config") {
		a.warn("delete-config option is no longer supported and deprecated since version 4.0. The config will be fully removed in future releases.")
	}
	if !o.has("bootstrap-server") {
		return toolFailure{errors.New("--bootstrap-server must be specified")}
	}
	if o.has("describe") && o.has("if-exists") && !o.has("topic") && !o.has("topic-id") {
		return o.usage("--topic or --topic-id is required to describe a topic")
	}
	if !o.has("list") && !o.has("describe") {
		if err := o.requires("topic"); err != nil {
			return err
		}
	}
	if o.has("alter") {
		if o.has("config") {
			return o.usage("Option combination \"[bootstrap-server],[config]\" can't be used with option \"[alter]\" (To alter topic configurations, the kafka-configs tool can be used.)")
		}
		if err := o.requires("partitions"); err != nil {
			return err
		}
	}
	reports := []string{"under-replicated-partitions", "under-min-isr-partitions", "at-min-isr-partitions", "unavailable-partitions"}
	type rule struct {
		used   string
		others []string
	}
	rules := []rule{
		{"config", []string{"describe", "list", "delete"}},
		{"partitions", []string{"describe", "list", "delete"}},
		{"replication-factor", []string{"alter", "describe", "list", "delete"}},
		{"replica-assignment", []string{"describe", "list", "delete"}},
		{"topics-with-overrides", append([]string{"alter", "create", "list", "delete"}, reports...)},
		{"if-exists", []string{"create", "list"}},
		{"if-not-exists", []string{"alter", "describe", "list", "delete"}},
		{"exclude-internal", []string{"alter", "create", "delete"}},
	}
	if o.has("create") {
		rules = append(rules, rule{"replica-assignment", []string{"partitions", "replication-factor"}})
	}
	for _, r := range reports {
		rules = append(rules, rule{r, []string{"alter", "create", "list", "delete", "topics-with-overrides"}})
	}
	for _, r := range rules {
		if err := o.excludes(r.used, r.others...); err != nil {
			return err
		}
	}
	return nil
}

type topicsToolRun struct {
	a   *App
	o   *toolOptions
	cl  *kgo.Client
	adm *kadm.Client
}

func (t *topicsToolRun) run(ctx context.Context) error {
	cl, err := t.a.client(kgo.RequestRetries(5))
	if err != nil {
		return err
	}
	defer cl.Close()
	t.cl, t.adm = cl, kadm.NewClient(cl)
	ctx, cancel := context.WithTimeout(ctx, t.a.conn.timeout)
	defer cancel()
	switch {
	case t.o.has("create"):
		err = t.create(ctx)
	case t.o.has("alter"):
		err = t.alter(ctx)
	case t.o.has("list"):
		err = t.list(ctx)
	case t.o.has("describe"):
		err = t.describe(ctx)
	default:
		err = t.delete(ctx)
	}
	if err != nil {
		fmt.Fprintf(t.a.Stdout, "Error while executing topic command : %s\n", messageOf(err))
		return &codedError{errSilent, exitFailed}
	}
	return nil
}

func (t *topicsToolRun) create(ctx context.Context) error {
	name, err := t.o.value("topic")
	if err != nil {
		return err
	}
	if strings.ContainsAny(name, "._") {
		fmt.Fprintln(t.a.Stdout, "WARNING: Due to limitations in metric names, topics with a period ('.') or underscore ('_') could collide. To avoid issues it is best to use either, but not both.")
	}
	topic := kmsg.NewCreateTopicsRequestTopic()
	topic.Topic = name
	if err := t.fillTopic(&topic); err != nil {
		return err
	}
	req := kmsg.NewPtrCreateTopicsRequest()
	req.TimeoutMillis = int32(t.a.conn.timeout.Milliseconds())
	req.Topics = append(req.Topics, topic)
	resp, err := req.RequestWith(ctx, t.cl)
	if err != nil {
		return err
	}
	if len(resp.Topics) != 1 {
		return fmt.Errorf("the broker answered for %d topics instead of one", len(resp.Topics))
	}
	answer := resp.Topics[0]
	if err := kerr.ErrorForCode(answer.ErrorCode); err != nil {
		if errors.Is(err, kerr.TopicAlreadyExists) && t.o.has("if-not-exists") {
			return nil
		}
		return bareMessage(err, answer.ErrorMessage)
	}
	fmt.Fprintf(t.a.Stdout, "Created topic %s.\n", name)
	return nil
}

// bareMessage is the broker's own words about an error, or Kafka's.
func bareMessage(err error, message *string) error {
	if message == nil || *message == "" {
		return err
	}
	return errors.New(*message)
}

func (t *topicsToolRun) fillTopic(topic *kmsg.CreateTopicsRequestTopic) error {
	partitions, err := t.o.number("partitions", 32, -1)
	if err != nil {
		return err
	}
	factor, err := t.o.number("replication-factor", 32, -1)
	if err != nil {
		return err
	}
	if t.o.has("replication-factor") && (factor < 1 || factor > math.MaxInt16) {
		return fmt.Errorf("The replication factor must be between 1 and %d inclusive", math.MaxInt16)
	}
	if t.o.has("partitions") && partitions < 1 {
		return errors.New("The partitions must be greater than 0")
	}
	topic.NumPartitions, topic.ReplicationFactor = int32(partitions), int16(factor)
	assignment, err := t.assignment()
	if err != nil {
		return err
	}
	for p, replicas := range assignment {
		ra := kmsg.NewCreateTopicsRequestTopicReplicaAssignment()
		ra.Partition, ra.Replicas = int32(p), replicas
		topic.ReplicaAssignment = append(topic.ReplicaAssignment, ra)
	}
	for _, kv := range t.o.all("config") {
		k, v, ok := strings.Cut(kv, "=")
		k, v = strings.TrimSpace(k), strings.TrimSpace(v)
		if !ok || v == "" || strings.Contains(v, "=") {
			return errors.New("requirement failed: Invalid topic config: all configs to be added must be in the format \"key=val\".")
		}
		if _, known := config.Find(config.Topic, k); !known {
			return fmt.Errorf("Unknown topic config name: %s", k)
		}
		rc := kmsg.NewCreateTopicsRequestTopicConfig()
		rc.Name, rc.Value = k, &v
		topic.Configs = append(topic.Configs, rc)
	}
	return nil
}

// assignment reads --replica-assignment 1:2,2:3.
func (t *topicsToolRun) assignment() ([][]int32, error) {
	text, err := t.o.value("replica-assignment")
	if err != nil || text == "" {
		return nil, err
	}
	var out [][]int32
	for i, part := range strings.Split(text, ",") {
		var replicas []int32
		for _, b := range strings.Split(part, ":") {
			id, err := strconv.ParseInt(strings.TrimSpace(b), 10, 32)
			if err != nil {
				return nil, fmt.Errorf("For input string: %q", strings.TrimSpace(b))
			}
			if slices.Contains(replicas, int32(id)) {
				return nil, fmt.Errorf("Partition replica lists may not contain duplicate entries: %d", id)
			}
			replicas = append(replicas, int32(id))
		}
		if i > 0 && len(replicas) != len(out[0]) {
			return nil, fmt.Errorf("Partition %d has different replication factor: %s", i, strings.ReplaceAll("["+ids(replicas)+"]", ",", ", "))
		}
		out = append(out, replicas)
	}
	return out, nil
}

func (t *topicsToolRun) list(ctx context.Context) error {
	topics, err := t.match(ctx)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(t.a.Stdout, strings.Join(namesOf(topics), "\n"))
	return err
}

func (t *topicsToolRun) alter(ctx context.Context) error {
	total, err := t.o.number("partitions", 32, -1)
	if err != nil {
		return err
	}
	assignment, err := t.assignment()
	if err != nil {
		return err
	}
	topics, err := t.existing(ctx)
	if err != nil || len(topics) == 0 {
		return err
	}
	req := kmsg.NewPtrCreatePartitionsRequest()
	req.TimeoutMillis = int32(t.a.conn.timeout.Milliseconds())
	for _, d := range topics {
		rt := kmsg.NewCreatePartitionsRequestTopic()
		rt.Topic, rt.Count = d.Topic, int32(total)
		for p := len(d.Partitions); p < len(assignment); p++ {
			ra := kmsg.NewCreatePartitionsRequestTopicAssignment()
			ra.Replicas = assignment[p]
			rt.Assignment = append(rt.Assignment, ra)
		}
		req.Topics = append(req.Topics, rt)
	}
	resp, err := req.RequestWith(ctx, t.cl)
	if err != nil {
		return err
	}
	for _, r := range resp.Topics {
		if err := kerr.ErrorForCode(r.ErrorCode); err != nil {
			return bareMessage(err, r.ErrorMessage)
		}
	}
	return nil
}

func (t *topicsToolRun) delete(ctx context.Context) error {
	topics, err := t.existing(ctx)
	if err != nil || len(topics) == 0 {
		return err
	}
	answers, err := t.adm.DeleteTopics(ctx, namesOf(topics)...)
	if err != nil {
		return err
	}
	for _, r := range answers.Sorted() {
		if r.Err != nil {
			return bareMessage(r.Err, &r.ErrMessage)
		}
	}
	return nil
}

// existing are the topics that --topic matches; that none does is an error unless
// --if-exists says otherwise.
func (t *topicsToolRun) existing(ctx context.Context) ([]kadm.TopicDetail, error) {
	topics, err := t.match(ctx)
	if err != nil {
		return nil, err
	}
	name, _ := t.o.value("topic")
	if len(topics) == 0 && name != "" && !t.o.has("if-exists") {
		return nil, fmt.Errorf("Topic '%s' does not exist as expected", name)
	}
	return topics, nil
}

// match returns the topics that --topic matches, all without it, by name.
func (t *topicsToolRun) match(ctx context.Context) ([]kadm.TopicDetail, error) {
	var pattern *regexp.Regexp
	if t.o.has("topic") {
		raw, err := t.o.value("topic")
		if err != nil {
			return nil, err
		}
		if pattern, err = topicPattern(raw); err != nil {
			return nil, err
		}
	}
	details, err := t.adm.ListTopicsWithInternal(ctx)
	if err != nil {
		return nil, err
	}
	var out []kadm.TopicDetail
	for _, d := range details.Sorted() {
		if (pattern == nil || pattern.MatchString(d.Topic)) && (!t.o.has("exclude-internal") || !d.IsInternal) {
			out = append(out, d)
		}
	}
	return out, nil
}

// topicPattern reads a list of patterns as Kafka's tools do: commas part them, blanks and
// quotes around are nothing.
func topicPattern(raw string) (*regexp.Regexp, error) {
	text := strings.ReplaceAll(strings.ReplaceAll(strings.TrimSpace(raw), ",", "|"), " ", "")
	text = strings.Trim(text, `"'`)
	re, err := regexp.Compile("^(?:" + text + ")$")
	if err != nil {
		return nil, fmt.Errorf("%s is an invalid regex.", text)
	}
	return re, nil
}

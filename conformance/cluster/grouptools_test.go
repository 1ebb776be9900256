package cluster

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

const (
	groupTool   = orgTools + "consumer.group.ConsumerGroupCommand"
	shareTool   = orgTools + "consumer.group.ShareGroupCommand"
	groupsTool  = orgTools + "GroupsCommand"
	txnTool     = orgTools + "TransactionsCommand"
	configsTool = "kafka.admin.ConfigCommand"
	events      = `"name":"[a-z_]+"` // of a verifiable client: how many there are depends on batches
	resetBack   = "\"flows\",0,3\n\"flows\",1,4\n"
)

// groupSteps call the tools of groups and of transactions. flows has 30 records in each of
// its three partitions; made is what the verifiable producer makes.
var groupSteps = []step{
	{name: "verifiable-producer", class: orgTools + "VerifiableProducer", words: "--bootstrap-server {b} --topic made --max-messages 100 --acks -1", first: (*rig).makeFlows, keep: events + `|"sent":\d+|"acked":\d+`},
	{name: "verifiable-producer: values with a prefix", class: orgTools + "VerifiableProducer", words: "--bootstrap-server {b} --topic made --max-messages 10 --value-prefix 7", keep: events + `|"value":"7\.\d+"`},
	{name: "verifiable-consumer: classic", class: orgTools + "VerifiableConsumer", words: "--bootstrap-server {b} --topic made --group-id made-classic --max-messages 110 --reset-policy earliest --session-timeout 6000", keep: events},
	{name: "verifiable-consumer: consumer protocol", class: orgTools + "VerifiableConsumer", words: "--bootstrap-server {b} --topic made --group-id made-modern --max-messages 110 --reset-policy earliest --group-protocol consumer --group-remote-assignor range", keep: events},
	{name: "configs: a share group", class: configsTool, words: "--bootstrap-server {b} --alter --entity-type groups --entity-name flows-queue --add-config share.auto.offset.reset=earliest"},
	{name: "configs: describe a share group", class: configsTool, words: "--bootstrap-server {b} --describe --entity-type groups --entity-name flows-queue", again: true, until: "earliest"},
	{name: "configs: a group's wrong value", class: configsTool, words: "--bootstrap-server {b} --alter --entity-type groups --entity-name flows-queue --add-config share.record.lock.duration.ms=1"},
	{name: "verifiable-share-consumer", class: orgTools + "VerifiableShareConsumer", words: "--bootstrap-server {b} --topic made --group-id made-share --max-messages 110 --acknowledgement-mode sync --offset-reset-strategy earliest", keep: events},
	{name: "console-share-consumer", class: orgTools + "consumer.ConsoleShareConsumer", words: "--bootstrap-server {b} --topic flows --group flows-queue --max-messages 90 --timeout-ms 20000"},
	{name: "console-share-consumer: nothing is left", class: orgTools + "consumer.ConsoleShareConsumer", words: "--bootstrap-server {b} --topic flows --group flows-queue --max-messages 1 --timeout-ms 3000"},

	{name: "consumer-groups: list with types and states", class: groupTool, words: "--bootstrap-server {b} --list --type --state", first: (*rig).joinFlows},
	{name: "consumer-groups: list of one type", class: groupTool, words: "--bootstrap-server {b} --list --type consumer"},
	{name: "consumer-groups: list of one state", class: groupTool, words: "--bootstrap-server {b} --list --state stable"},
	{name: "consumer-groups: describe a classic group", class: groupTool, words: "--bootstrap-server {b} --describe --group live-classic"},
	{name: "consumer-groups: members of a classic group", class: groupTool, words: "--bootstrap-server {b} --describe --group live-classic --members --verbose"},
	{name: "consumer-groups: state of a classic group", class: groupTool, words: "--bootstrap-server {b} --describe --group live-classic --state --verbose"},
	{name: "consumer-groups: describe a consumer group", class: groupTool, words: "--bootstrap-server {b} --describe --group live-modern --verbose"},
	{name: "consumer-groups: members of a consumer group", class: groupTool, words: "--bootstrap-server {b} --describe --group live-modern --members --verbose"},
	{name: "consumer-groups: state of a consumer group", class: groupTool, words: "--bootstrap-server {b} --describe --group live-modern --state --verbose"},
	{name: "consumer-groups: reset a group that runs", class: groupTool, words: "--bootstrap-server {b} --reset-offsets --group live-modern --topic flows --to-earliest --execute"},
	{name: "consumer-groups: delete a group that runs", class: groupTool, words: "--bootstrap-server {b} --delete --group live-classic --group live-modern"},
	{name: "consumer-groups: delete offsets of a group that runs", class: groupTool, words: "--bootstrap-server {b} --delete-offsets --group live-modern --topic flows"},
	{name: "consumer-groups: validate a regular expression", class: groupTool, words: "--bootstrap-server {b} --validate-regex ^a(b)?$"},
	{name: "consumer-groups: validate a wrong one", class: groupTool, words: "--bootstrap-server {b} --validate-regex (?<!x)y"},
	{name: "share-groups: list with states", class: shareTool, words: "--bootstrap-server {b} --list --state"},
	{name: "share-groups: members", class: shareTool, words: "--bootstrap-server {b} --describe --group live-share --members --verbose"},
	{name: "share-groups: state", class: shareTool, words: "--bootstrap-server {b} --describe --group live-share --state --verbose"},
	{name: "share-groups: reset a group that runs", class: shareTool, words: "--bootstrap-server {b} --reset-offsets --group live-share --topic flows --to-earliest --execute"},
	{name: "share-groups: delete a group that runs", class: shareTool, words: "--bootstrap-server {b} --delete --group live-share"},
	{name: "groups: list", class: groupsTool, words: "--bootstrap-server {b} --list"},
	{name: "groups: list of consumers", class: groupsTool, words: "--bootstrap-server {b} --list --consumer"},
	{name: "groups: list of shares", class: groupsTool, words: "--bootstrap-server {b} --list --share"},
	{name: "groups: list by type and protocol", class: groupsTool, words: "--bootstrap-server {b} --list --group-type classic --protocol consumer"},

	{name: "consumer-groups: describe all without members", class: groupTool, words: "--bootstrap-server {b} --describe --all-groups --state", first: (*rig).leaveFlows},
	{name: "consumer-groups: reset, dry", class: groupTool, words: "--bootstrap-server {b} --reset-offsets --group live-classic --topic flows --to-earliest --dry-run"},
	{name: "consumer-groups: reset by a shift", class: groupTool, words: "--bootstrap-server {b} --reset-offsets --group live-classic --topic flows:0,1 --shift-by -10 --execute"},
	{name: "consumer-groups: reset to an offset of all topics", class: groupTool, words: "--bootstrap-server {b} --reset-offsets --group live-modern --all-topics --to-offset 7 --execute"},
	{name: "consumer-groups: reset by duration", class: groupTool, words: "--bootstrap-server {b} --reset-offsets --group live-modern --topic flows --by-duration PT24H --execute"},
	{name: "consumer-groups: reset to the latest of a new group", class: groupTool, words: "--bootstrap-server {b} --reset-offsets --group born-here --topic flows --to-latest --execute"},
	{name: "consumer-groups: export", class: groupTool, words: "--bootstrap-server {b} --reset-offsets --group live-classic --topic flows --to-current --dry-run --export"},
	{name: "consumer-groups: reset from a file", class: groupTool, words: "--bootstrap-server {b} --reset-offsets --group live-classic --from-file {f} --execute", file: resetBack},
	{name: "consumer-groups: describe after resets", class: groupTool, words: "--bootstrap-server {b} --describe --group live-classic --group live-modern --group born-here"},
	{name: "consumer-groups: delete offsets", class: groupTool, words: "--bootstrap-server {b} --delete-offsets --group live-classic --topic flows:0"},
	{name: "consumer-groups: delete offsets of a stranger", class: groupTool, words: "--bootstrap-server {b} --delete-offsets --group live-classic --topic made"},
	{name: "consumer-groups: delete", class: groupTool, words: "--bootstrap-server {b} --delete --group live-classic --group live-modern --group born-here"},
	{name: "consumer-groups: describe a stranger", class: groupTool, words: "--bootstrap-server {b} --describe --group nobody"},
	{name: "consumer-groups: a share group is none", class: groupTool, words: "--bootstrap-server {b} --describe --group flows-queue"},
	{name: "share-groups: describe", class: shareTool, words: "--bootstrap-server {b} --describe --group live-share --verbose"},
	{name: "share-groups: reset, dry", class: shareTool, words: "--bootstrap-server {b} --reset-offsets --group live-share --topic flows --to-latest --dry-run"},
	{name: "share-groups: reset", class: shareTool, words: "--bootstrap-server {b} --reset-offsets --group live-share --topic flows --to-earliest --execute"},
	{name: "share-groups: describe after the reset", class: shareTool, words: "--bootstrap-server {b} --describe --group live-share"},
	{name: "share-groups: delete offsets", class: shareTool, words: "--bootstrap-server {b} --delete-offsets --group live-share --topic flows"},
	{name: "share-groups: delete", class: shareTool, words: "--bootstrap-server {b} --delete --group live-share --group flows-queue"},
	{name: "share-groups: describe a stranger", class: shareTool, words: "--bootstrap-server {b} --describe --group nobody"},
	{name: "share-groups: a consumer group is none", class: shareTool, words: "--bootstrap-server {b} --describe --group made-classic"},

	{name: "transactions: list", class: txnTool, words: "--bootstrap-server {b} list", first: (*rig).openTransactions},
	{name: "transactions: list by time", class: txnTool, words: "--bootstrap-server {b} list --duration-filter 3600000"},
	{name: "transactions: list by pattern", class: txnTool, words: "--bootstrap-server {b} list --transactional-id-pattern flows-o.*"},
	{name: "transactions: describe an open one", class: txnTool, words: "--bootstrap-server {b} describe --transactional-id flows-open"},
	{name: "transactions: describe one that is done", class: txnTool, words: "--bootstrap-server {b} describe --transactional-id flows-done"},
	{name: "transactions: describe a stranger", class: txnTool, words: "--bootstrap-server {b} describe --transactional-id nobody"},
	{name: "transactions: producers", class: txnTool, words: "--bootstrap-server {b} describe-producers --topic flows --partition 0"},
	{name: "transactions: find hanging ones", class: txnTool, words: "--bootstrap-server {b} find-hanging --broker-id 1"},
	{name: "transactions: find hanging ones of a topic, soon", class: txnTool, words: "--bootstrap-server {b} find-hanging --topic flows --max-transaction-timeout 0"},
	{name: "transactions: abort", class: txnTool, words: "--bootstrap-server {b} abort --topic flows --partition 1 --start-offset 30"},
	{name: "transactions: producers after the abort", class: txnTool, words: "--bootstrap-server {b} describe-producers --topic flows --partition 1"},
	{name: "transactions: abort where none begins", class: txnTool, words: "--bootstrap-server {b} abort --topic flows --partition 0 --start-offset 3"},
	{name: "transactions: terminate", class: txnTool, words: "--bootstrap-server {b} forceTerminateTransaction --transactionalId flows-open"},
	{name: "transactions: describe after the end", class: txnTool, words: "--bootstrap-server {b} describe --transactional-id flows-open", again: true, until: "CompleteAbort"},
}

// Kafka's tools of groups and of transactions are compared as TestTools does it.
func TestGroupTools(t *testing.T) {
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
	compareTools(t, libs, groupSteps)
}

func (r *rig) client(opts ...kgo.Opt) *kgo.Client {
	r.t.Helper()
	c, err := kgo.NewClient(append([]kgo.Opt{kgo.SeedBrokers(r.cluster.Addrs()...)}, opts...)...)
	r.try(err)
	r.t.Cleanup(c.CloseAllowingRebalance)
	return c
}

// makeFlows makes the topics, one of them with its records.
func (r *rig) makeFlows() {
	ctx, cancel := r.context()
	defer cancel()
	c := r.client(kgo.RecordPartitioner(kgo.ManualPartitioner()))
	rs, err := kadm.NewClient(c).CreateTopics(ctx, 3, 3, nil, "flows", "made")
	r.try(errors.Join(err, rs.Error()))
	r.try(r.cluster.Until(ctx, "in sync", WholeISR, "flows", "made"))
	for p := range int32(3) {
		for i := range 30 {
			r.try(c.ProduceSync(ctx, &kgo.Record{Topic: "flows", Partition: p, Value: fmt.Appendf(nil, "%d/%d", p, i)}).FirstErr())
		}
	}
}

// joinFlows puts members into three groups of flows and lets the first two commit.
func (r *rig) joinFlows() {
	ctx, cancel := r.context()
	defer cancel()
	member := func(group string, opts ...kgo.Opt) {
		c := r.client(append(opts, kgo.ClientID("live"), kgo.ConsumeTopics("flows"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
			kgo.AutoCommitInterval(100*time.Millisecond), kgo.Balancers(kgo.RangeBalancer()))...)
		r.live = append(r.live, c)
		go func() {
			for !c.PollFetches(context.Background()).IsClientClosed() {
			}
		}()
	}
	a := kadm.NewClient(r.client())
	for range 2 {
		member("live-classic", kgo.ConsumerGroup("live-classic"))
		member("live-modern", kgo.ConsumerGroup("live-modern"), kgo.ServerSideBalancer())
	}
	member("live-share", kgo.ShareGroup("live-share"))
	for {
		lags, err := a.Lag(ctx, "live-classic", "live-modern")
		classic, modern := lags["live-classic"], lags["live-modern"]
		shares, shareErr := a.DescribeShareGroups(ctx, "live-share")
		g := shares["live-share"]
		if err == nil && shareErr == nil && classic.State == "Stable" && len(classic.Members) == 2 && classic.Lag.Total() == 0 &&
			len(classic.Lag) > 0 && r.modernSettled(ctx, a) && modern.Lag.Total() == 0 && g.GroupState == "Stable" && len(g.Members) == 1 {
			return
		}
		if !sleep(ctx, 100*time.Millisecond) {
			r.t.Fatalf("the groups do not settle: %v %v; %+v; %+v; %+v", err, shareErr, classic, modern, g)
		}
	}
}

func (r *rig) modernSettled(ctx context.Context, a *kadm.Client) bool {
	gs, err := a.DescribeConsumerGroups(ctx, "live-modern")
	g := gs["live-modern"]
	committed, offsetsErr := a.FetchOffsets(ctx, "live-modern")
	at, ok := committed.Lookup("flows", 0)
	return err == nil && offsetsErr == nil && g.State == "Stable" && len(g.Members) == 2 && ok && at.At == 30
}

// leaveFlows ends those members.
func (r *rig) leaveFlows() {
	for _, c := range r.live {
		c.CloseAllowingRebalance()
	}
	r.live = nil
}

// openTransactions leaves one transaction done and one open, in two partitions of flows.
func (r *rig) openTransactions() {
	ctx, cancel := r.context()
	defer cancel()
	done := r.client(kgo.TransactionalID("flows-done"), kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.TransactionTimeout(10*time.Minute))
	r.try(done.BeginTransaction())
	r.try(done.ProduceSync(ctx, &kgo.Record{Topic: "flows", Partition: 0, Value: []byte("done")}).FirstErr())
	r.try(done.EndTransaction(ctx, kgo.TryCommit))
	open := r.client(kgo.TransactionalID("flows-open"), kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.TransactionTimeout(10*time.Minute))
	r.try(open.BeginTransaction())
	for p := range int32(2) {
		r.try(open.ProduceSync(ctx, &kgo.Record{Topic: "flows", Partition: p, Value: []byte("open")}).FirstErr())
	}
}

package cli

//lint:file-ignore ST1005 these are the words of Kafka's own tools

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

func init() { tools["kafka-transactions"] = transactionsTool }

var transactionsArgs = &argTool{
	name:    "kafka-transactions.sh",
	purpose: "This tool is used to analyze the transactional state of producers in the cluster. It can be used to detect and recover from hanging transactions.",
	options: []argOption{
		{names: []string{"-v", "--version"}, help: "show the version of this Kafka distribution and exit"},
		{names: []string{"--command-config"}, metavar: "FILE", help: "property file containing configs to be passed to admin client"},
		{names: []string{"--bootstrap-server"}, metavar: "host:port", required: true, help: "where to connect to; several with commas"},
	},
	commands: []argCommand{
		{"list", "list transactions", []argOption{
			{names: []string{"--duration-filter"}, metavar: "DURATION_FILTER", kind: bigNumber, help: "only transactions that run for longer, in ms; negative: all"},
			{names: []string{"--transactional-id-pattern"}, metavar: "TRANSACTIONAL_ID_PATTERN", help: "only transactional ids that match"},
		}},
		{"describe", "describe the state of an active transactional-id", []argOption{
			{names: []string{"--transactional-id"}, metavar: "TRANSACTIONAL_ID", required: true, help: "transactional id"},
		}},
		{"describe-producers", "describe the states of active producers for a topic partition", []argOption{
			{names: []string{"--broker-id"}, metavar: "BROKER_ID", kind: smallNumber, help: "the replica to ask; the leader if it is not given"},
			{names: []string{"--topic"}, metavar: "TOPIC", required: true, help: "topic name"},
			{names: []string{"--partition"}, metavar: "PARTITION", required: true, kind: smallNumber, help: "partition number"},
		}},
		{"abort", "abort a hanging transaction (requires administrative privileges)", []argOption{
			{names: []string{"--topic"}, metavar: "TOPIC", required: true, help: "topic name"},
			{names: []string{"--partition"}, metavar: "PARTITION", required: true, kind: smallNumber, help: "partition number"},
			{names: []string{"--start-offset"}, metavar: "START_OFFSET", kind: bigNumber, help: "start offset of the transaction to abort"},
			{names: []string{"--producer-id"}, metavar: "PRODUCER_ID", kind: bigNumber, help: "producer id"},
			{names: []string{"--producer-epoch"}, metavar: "PRODUCER_EPOCH", kind: smallNumber, help: "producer epoch"},
			{names: []string{"--coordinator-epoch"}, metavar: "COORDINATOR_EPOCH", kind: smallNumber, help: "coordinator epoch"},
		}},
		{"find-hanging", "find hanging transactions", []argOption{
			{names: []string{"--broker-id"}, metavar: "BROKER_ID", kind: smallNumber, help: "broker id to search for hanging transactions"},
			{names: []string{"--max-transaction-timeout"}, metavar: "MAX_TRANSACTION_TIMEOUT", kind: smallNumber, def: "15", help: "minutes that no transaction may take (15 by default)"},
			{names: []string{"--topic"}, metavar: "TOPIC", help: "topic name to limit search to (required if --partition is specified)"},
			{names: []string{"--partition"}, metavar: "PARTITION", kind: smallNumber, help: "partition number"},
		}},
		{"forceTerminateTransaction", "Force abort an ongoing transaction on transactionalId (requires administrative privileges)", []argOption{
			{names: []string{"--transactionalId"}, metavar: "TRANSACTIONALID", required: true, help: "transactional id"},
		}},
	},
}

// transactionsTool is kafka-transactions.sh.
func transactionsTool(ctx context.Context, a *App, args []string) error {
	return transactionsArgs.run(a, args, func(v *argValues) error {
		a.conn.brokers, a.conn.file, a.conn.timeout = v.text("bootstrap-server"), v.text("command-config"), 30*time.Second
		cl, err := a.client(kgo.RequestRetries(5), fresh)
		if err != nil {
			return toolFailure{err}
		}
		defer cl.Close()
		ctx, cancel := context.WithTimeout(ctx, a.conn.timeout)
		defer cancel()
		t := &txnToolRun{a: a, v: v, cl: cl, adm: kadm.NewClient(cl)}
		if err := meetBrokers(ctx, cl); err != nil {
			return toolFailure{err}
		}
		switch v.command {
		case "list":
			return t.list(ctx)
		case "describe":
			return t.describe(ctx)
		case "describe-producers":
			return t.producers(ctx)
		case "abort":
			return t.abort(ctx)
		case "find-hanging":
			return t.findHanging(ctx)
		}
		return t.terminate(ctx)
	})
}

type txnToolRun struct {
	a   *App
	v   *argValues
	cl  *kgo.Client
	adm *kadm.Client
}

// toolFailed is how the tool fails: what it tried, and the message of what came of it.
func toolFailed(tried string, err error) error {
	return toolFailure{fmt.Errorf("%s: %s. Enable debug logging for additional detail.", tried, strings.TrimSuffix(messageOf(err), "."))}
}

// pretty prints a table as Kafka's tools do: each cell is padded and ends with a tab.
func (t *txnToolRun) pretty(headers []string, rows [][]string) {
	widths := make([]int, len(headers))
	all := append([][]string{headers}, rows...)
	for _, row := range all {
		for i, cell := range row {
			widths[i] = max(widths[i], len(cell))
		}
	}
	for _, row := range all {
		for i, cell := range row {
			fmt.Fprintf(t.a.Stdout, "%-*s\t", widths[i], cell)
		}
		fmt.Fprintln(t.a.Stdout)
	}
}

func (t *txnToolRun) list(ctx context.Context) error {
	filter := txnFilter{longer: -1, pattern: t.v.text("transactional-id-pattern")}
	if t.v.has("duration-filter") {
		filter.longer = millisDuration(t.v.number("duration-filter", -1))
	}
	txns, err := t.listed(ctx, filter)
	if err != nil {
		return toolFailed("Failed to list transactions", err)
	}
	var rows [][]string
	for _, x := range txns {
		rows = append(rows, []string{x.ID, strconv.Itoa(int(x.Coordinator)), strconv.FormatInt(x.Producer, 10), x.State})
	}
	t.pretty([]string{"TransactionalId", "Coordinator", "ProducerId", "TransactionState"}, rows)
	return nil
}

// listed asks every broker; one that does not answer fails all.
func (t *txnToolRun) listed(ctx context.Context, f txnFilter) ([]txnItem, error) {
	l := &listing{}
	txns, err := listTxns(ctx, t.cl, f, l)
	if err == nil && len(l.errs) > 0 {
		err = l.errs[0].err
	}
	return txns, err
}

func (t *txnToolRun) describe(ctx context.Context) error {
	id := t.v.text("transactional-id")
	tried := fmt.Sprintf("Failed to describe transaction state of transactional-id `%s`", id)
	if err := awaitFound(ctx, func() error { return t.adm.FindTxnCoordinators(ctx, id).Error() }); err != nil {
		return toolFailed(tried, err)
	}
	txns, err := describedTxns(ctx, t.cl, []string{id})
	d, ok := txns[id]
	switch {
	case err != nil:
		return toolFailed(tried, err)
	case errors.Is(d.Err, kerr.TransactionalIDNotFound):
		return toolFailed(tried, fmt.Errorf("DescribeTransactions request for transactionalId `%s` failed because the ID could not be found", id))
	case d.Err != nil || !ok:
		return toolFailed(tried, orUnknown(d.Err))
	}
	started, took := "None", "None"
	if d.StartTimestamp >= 0 {
		started = strconv.FormatInt(d.StartTimestamp, 10)
		took = strconv.FormatInt(time.Now().UnixMilli()-d.StartTimestamp, 10)
	}
	var parts []string
	for _, topic := range d.Topics.Sorted() {
		for _, p := range topic.Partitions {
			parts = append(parts, fmt.Sprintf("%s-%d", topic.Topic, p))
		}
	}
	t.pretty([]string{"CoordinatorId", "TransactionalId", "ProducerId", "ProducerEpoch", "TransactionState", "TransactionTimeoutMs",
		"CurrentTransactionStartTimeMs", "TransactionDurationMs", "TopicPartitions"},
		[][]string{{strconv.Itoa(int(d.Coordinator)), id, strconv.FormatInt(d.ProducerID, 10), strconv.Itoa(int(d.ProducerEpoch)), d.State,
			strconv.Itoa(int(d.TimeoutMillis)), started, took, strings.Join(parts, ",")}})
	return nil
}

// partition is the one that --topic and --partition name.
func (t *txnToolRun) partition() topicPartition {
	return topicPartition{t.v.text("topic"), int32(t.v.number("partition", -1))}
}

// dashedName is a partition as Java prints it: TOPIC-N.
func dashedName(p topicPartition) string { return fmt.Sprintf("%s-%d", p.topic, p.partition) }

// broker is the one that --broker-id names, nil for none.
func (t *txnToolRun) broker() *int32 {
	if !t.v.has("broker-id") {
		return nil
	}
	id := int32(t.v.number("broker-id", -1))
	return &id
}

func (t *txnToolRun) producers(ctx context.Context) error {
	tp, broker := t.partition(), t.broker()
	whom := "leader"
	if broker != nil {
		whom = fmt.Sprintf("broker %d", *broker)
	}
	tried := fmt.Sprintf("Failed to describe producers for partition %s on %s", dashedName(tp), whom)
	answers, err := describeProducers(ctx, t.cl, []topicPartition{tp}, broker)
	p, ok := answers[tp]
	if err != nil {
		return toolFailed(tried, err)
	}
	if err := kerr.ErrorForCode(p.ErrorCode); err != nil || !ok {
		return toolFailed(tried, errors.New(messageOr(orUnknown(err), p.ErrorMessage)))
	}
	var rows [][]string
	for _, r := range p.ActiveProducers {
		start := "None"
		if r.CurrentTxnStartOffset >= 0 {
			start = strconv.FormatInt(r.CurrentTxnStartOffset, 10)
		}
		rows = append(rows, []string{strconv.FormatInt(r.ProducerID, 10), strconv.Itoa(int(r.ProducerEpoch)), strconv.Itoa(int(r.CoordinatorEpoch)),
			strconv.Itoa(int(r.LastSequence)), strconv.FormatInt(r.LastTimestamp, 10), start})
	}
	t.pretty([]string{"ProducerId", "ProducerEpoch", "LatestCoordinatorEpoch", "LastSequence", "LastTimestamp", "CurrentTransactionStartOffset"}, rows)
	return nil
}

func (t *txnToolRun) abort(ctx context.Context) error {
	tp := t.partition()
	x := openTxn{Topic: tp.topic, Partition: tp.partition, Producer: t.v.number("producer-id", -1),
		Epoch: int16(t.v.number("producer-epoch", -1)), CoordinatorEpoch: int32(t.v.number("coordinator-epoch", -1))}
	switch {
	case !t.v.has("start-offset") && !t.v.has("producer-id"):
		return toolFailure{errors.New("The transaction to abort must be identified either with --start-offset (for brokers on 3.0 or above) or with --producer-id, --producer-epoch, and --coordinator-epoch (for older brokers)")}
	case !t.v.has("start-offset") && !t.v.has("producer-epoch"):
		return toolFailure{errors.New("Missing required argument --producer-epoch")}
	case !t.v.has("start-offset") && !t.v.has("coordinator-epoch"):
		return toolFailure{errors.New("Missing required argument --coordinator-epoch")}
	case t.v.has("start-offset"):
		l := &listing{}
		open, err := openTxns(ctx, t.cl, []topicPartition{tp}, nil, l)
		if err == nil && len(l.errs) > 0 {
			err = l.errs[0].err
		}
		if err != nil {
			return toolFailed("Failed to validate producer state for partition "+dashedName(tp), err)
		}
		start := t.v.number("start-offset", -1)
		var ok bool
		if x, ok = startingAt(open, start); !ok {
			return toolFailure{fmt.Errorf("Could not find any open transactions starting at offset %d on partition %s", start, dashedName(tp))}
		}
	}
	if err := writeAbort(ctx, t.cl, x); err != nil {
		return toolFailed(fmt.Sprintf("Failed to abort transaction AbortTransactionSpec(topicPartition=%s, producerId=%d, producerEpoch=%d, coordinatorEpoch=%d)",
			dashedName(tp), x.Producer, x.Epoch, max(x.CoordinatorEpoch, 0)), err)
	}
	return nil
}

func (t *txnToolRun) terminate(ctx context.Context) error {
	id := t.v.text("transactionalId")
	err := awaitFound(ctx, func() error { return t.adm.FindTxnCoordinators(ctx, id).Error() })
	if err == nil {
		err = forceAbort(ctx, t.cl, id, int32(t.a.conn.timeout.Milliseconds()))
	}
	if err != nil {
		return toolFailed(fmt.Sprintf("Failed to force terminate transactionalId `%s`", id), err)
	}
	return nil
}

func (t *txnToolRun) findHanging(ctx context.Context) error {
	broker := t.broker()
	switch {
	case !t.v.has("topic") && broker == nil:
		return toolFailure{errors.New("The `find-hanging` command requires either --topic or --broker-id to limit the scope of the search")}
	case t.v.has("partition") && !t.v.has("topic"):
		return toolFailure{errors.New("The --partition argument requires --topic to be provided")}
	}
	parts, err := t.searched(ctx, broker)
	if err != nil {
		return err
	}
	l := &listing{}
	open, err := openTxns(ctx, t.cl, parts, broker, l)
	if err == nil && len(l.errs) > 0 {
		err = l.errs[0].err
	}
	if err != nil {
		whom := "Optional.empty"
		if broker != nil {
			whom = fmt.Sprintf("Optional[%d]", *broker)
		}
		return toolFailed(fmt.Sprintf("Failed to describe producers for %d partitions on broker %s", len(parts), whom), err)
	}
	now := time.Now()
	found, err := hanging(ctx, t.cl, open, time.Duration(t.v.number("max-transaction-timeout", 15))*time.Minute, now, l)
	if err != nil {
		return toolFailed(fmt.Sprintf("Failed to list transactions for %d producers", len(open)), err)
	}
	var rows [][]string
	for _, x := range found {
		rows = append(rows, []string{x.Topic, strconv.Itoa(int(x.Partition)), strconv.FormatInt(x.Producer, 10), strconv.Itoa(int(x.Epoch)),
			strconv.Itoa(int(x.CoordinatorEpoch)), strconv.FormatInt(x.Start, 10), strconv.FormatInt(x.LastMillis, 10),
			strconv.FormatInt((now.UnixMilli()-x.LastMillis)/time.Minute.Milliseconds(), 10)})
	}
	t.pretty([]string{"Topic", "Partition", "ProducerId", "ProducerEpoch", "CoordinatorEpoch", "StartOffset", "LastTimestamp", "Duration(min)"}, rows)
	return nil
}

// searched are the partitions in which find-hanging looks.
func (t *txnToolRun) searched(ctx context.Context, broker *int32) ([]topicPartition, error) {
	if t.v.has("partition") {
		return []topicPartition{t.partition()}, nil
	}
	var topics []string
	if t.v.has("topic") {
		topics = []string{t.v.text("topic")}
	}
	details, err := t.adm.ListTopicsWithInternal(ctx, topics...)
	if err != nil {
		return nil, toolFailed("Failed to list topics", err)
	}
	if len(topics) > 0 && !details.Has(topics[0]) {
		return nil, toolFailed("Failed to describe 1 topics", kerr.UnknownTopicOrPartition)
	}
	var out []topicPartition
	details.EachPartition(func(p kadm.PartitionDetail) {
		if broker == nil || slices.Contains(p.Replicas, *broker) {
			out = append(out, topicPartition{p.Topic, p.Partition})
		}
	})
	return out, nil
}

package txn

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/odradek/odradek/internal/proto/model"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

func num(args map[string]string, name string, otherwise int64) int64 {
	s, ok := args[name]
	if !ok {
		return otherwise
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		panic(err)
	}
	return n
}

func list(args map[string]string, name string) []string {
	if args[name] == "" {
		return nil
	}
	return strings.Split(args[name], ",")
}

// as is who a request says that it is.
func as(args map[string]string) identity {
	s, ok := args["as"]
	if !ok {
		return nobody
	}
	var who identity
	if _, err := fmt.Sscanf(s, "%d/%d", &who.id, &who.epoch); err != nil {
		panic(err)
	}
	return who
}

func errorName(code int16) string {
	if code == 0 {
		return "ok"
	}
	return kerr.ErrorForCode(code).(*kerr.Error).Message
}

// call sends a request to the coordinator and words its answer.
func (h *house) call(verb string, plain []string, args map[string]string) string {
	s, ctx := h.service.Load(), h.ctx
	if args["to"] == "stale" {
		s = h.stale.Load()
	}
	id := ""
	if len(plain) > 0 {
		id = plain[0]
	}
	if args["id"] == "none" {
		id = ""
	}
	switch verb {
	case "init":
		return showInit(s.InitProducerID(ctx, initRequest(id, args)))
	case "add", "verify":
		return showAdd(s.AddPartitionsToTxn(ctx, addRequest(verb == "verify", id, plain[1:], args)))
	case "offsets":
		req := kmsg.NewPtrAddOffsetsToTxnRequest()
		req.Version, req.TransactionalID, req.Group = int16(num(args, "v", 4)), id, "g"
		req.ProducerID, req.ProducerEpoch = as(args).id, as(args).epoch
		return errorName(s.AddOffsetsToTxn(ctx, req).ErrorCode)
	case "commit", "abort":
		return showEnd(s.EndTxn(ctx, endRequest(verb == "commit", id, args)))
	case "describe":
		req := kmsg.NewPtrDescribeTransactionsRequest()
		req.TransactionalIDs = []string{id}
		return showDescribe(s.DescribeTransactions(ctx, req).TransactionStates[0])
	case "list":
		return showList(s.ListTransactions(ctx, listRequest(args)))
	}
	return "what is " + verb + "?"
}

func initRequest(id string, args map[string]string) *kmsg.InitProducerIDRequest {
	req := kmsg.NewPtrInitProducerIDRequest()
	req.Version, req.TransactionalID = int16(num(args, "v", 5)), &id
	req.TransactionTimeoutMillis = int32(num(args, "timeout", 60_000))
	req.ProducerID, req.ProducerEpoch = as(args).id, as(args).epoch
	return req
}

func showInit(resp *kmsg.InitProducerIDResponse) string {
	if resp.ErrorCode != 0 {
		if resp.ProducerID != -1 || resp.ProducerEpoch != -1 {
			return "an error with a producer id"
		}
		return errorName(resp.ErrorCode)
	}
	return fmt.Sprintf("%d/%d", resp.ProducerID, resp.ProducerEpoch)
}

func addRequest(verify bool, id string, partitions []string, args map[string]string) *kmsg.AddPartitionsToTxnRequest {
	req := kmsg.NewPtrAddPartitionsToTxnRequest()
	req.Version = int16(num(args, "v", 5))
	byTopic := map[string][]int32{}
	var topics []string
	for _, tp := range partitionsNamed(partitions) {
		if byTopic[tp.Topic] == nil {
			topics = append(topics, tp.Topic)
		}
		byTopic[tp.Topic] = append(byTopic[tp.Topic], tp.Partition)
	}
	if req.Version < 4 {
		req.TransactionalID, req.ProducerID, req.ProducerEpoch = id, as(args).id, as(args).epoch
		for _, t := range topics {
			req.Topics = append(req.Topics, kmsg.AddPartitionsToTxnRequestTopic{Topic: t, Partitions: byTopic[t]})
		}
		return req
	}
	x := kmsg.AddPartitionsToTxnRequestTransaction{TransactionalID: id, ProducerID: as(args).id, ProducerEpoch: as(args).epoch, VerifyOnly: verify}
	for _, t := range topics {
		x.Topics = append(x.Topics, kmsg.AddPartitionsToTxnRequestTransactionTopic{Topic: t, Partitions: byTopic[t]})
	}
	req.Transactions = []kmsg.AddPartitionsToTxnRequestTransaction{x}
	return req
}

// showAdd is the error of all partitions, or of each.
func showAdd(resp *kmsg.AddPartitionsToTxnResponse) string {
	if resp.ErrorCode != 0 {
		return errorName(resp.ErrorCode)
	}
	each := map[string]string{}
	for _, t := range resp.Topics {
		for _, p := range t.Partitions {
			each[fmt.Sprintf("%s/%d", t.Topic, p.Partition)] = errorName(p.ErrorCode)
		}
	}
	for _, x := range resp.Transactions {
		for _, t := range x.Topics {
			for _, p := range t.Partitions {
				each[fmt.Sprintf("%s/%d", t.Topic, p.Partition)] = errorName(p.ErrorCode)
			}
		}
	}
	var words []string
	alike := true
	for tp, e := range each {
		words = append(words, tp+"="+e)
		alike = alike && strings.HasSuffix(words[0], "="+e)
	}
	slices.Sort(words)
	if alike && len(words) > 0 {
		_, e, _ := strings.Cut(words[0], "=")
		return e
	}
	return strings.Join(words, " ")
}

func endRequest(commit bool, id string, args map[string]string) *kmsg.EndTxnRequest {
	req := kmsg.NewPtrEndTxnRequest()
	req.Version, req.TransactionalID, req.Commit = int16(num(args, "v", 5)), id, commit
	req.ProducerID, req.ProducerEpoch = as(args).id, as(args).epoch
	return req
}

func showEnd(resp *kmsg.EndTxnResponse) string {
	if resp.ErrorCode != 0 || resp.Version < 5 {
		if resp.ProducerID != -1 || resp.ProducerEpoch != -1 {
			return "a producer id that nobody reads"
		}
		return errorName(resp.ErrorCode)
	}
	return fmt.Sprintf("%d/%d", resp.ProducerID, resp.ProducerEpoch)
}

func showDescribe(d kmsg.DescribeTransactionsResponseTransactionState) string {
	if d.ErrorCode != 0 {
		return errorName(d.ErrorCode)
	}
	text := fmt.Sprintf("%s %d/%d", d.State, d.ProducerID, d.ProducerEpoch)
	var open []model.TopicPartition
	for _, t := range d.Topics {
		for _, p := range t.Partitions {
			open = append(open, model.TopicPartition{Topic: t.Topic, Partition: p})
		}
	}
	if len(open) > 0 {
		text += " open=" + showPartitions(open)
	}
	return text
}

func listRequest(args map[string]string) *kmsg.ListTransactionsRequest {
	req := kmsg.NewPtrListTransactionsRequest()
	req.Version, req.StateFilters, req.DurationFilterMillis = int16(num(args, "v", 2)), list(args, "states"), num(args, "longer", -1)
	for _, p := range list(args, "producers") {
		n, _ := strconv.ParseInt(p, 10, 64)
		req.ProducerIDFilters = append(req.ProducerIDFilters, n)
	}
	if p, ok := args["pattern"]; ok {
		req.TransactionalIDPattern = &p
	}
	return req
}

func showList(resp *kmsg.ListTransactionsResponse) string {
	if resp.ErrorCode != 0 {
		return errorName(resp.ErrorCode)
	}
	var words []string
	for _, x := range resp.TransactionStates {
		words = append(words, fmt.Sprintf("%s:%s:%d", x.TransactionalID, x.TransactionState, x.ProducerID))
	}
	for _, u := range resp.UnknownStateFilters {
		words = append(words, "unknown:"+u)
	}
	if len(words) == 0 {
		return "none"
	}
	return strings.Join(words, " ")
}

package load

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/odradek/odradek/sim/history"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// administer makes and deletes few topics, changes a setting and asks brokers what they know
// of it. Several do so at once.
func (a *actor) administer() {
	c := a.client(kgo.RequestRetries(0))
	defer c.Close()
	for !a.over() {
		name := fmt.Sprint("key-", a.rng.IntN(2))
		switch a.rng.IntN(6) {
		case 0:
			a.create(c, name)
		case 1:
			a.remove(c, name)
		case 2, 3:
			a.set(c)
		default:
			a.get(c)
		}
		a.pause(6 * a.Mix.Pace)
	}
}

// once does something that may not be asked twice: the second would be answered as another.
func (a *actor) once(op history.Op, do func(ctx context.Context, op *history.Op) (code int16, err error)) error {
	began := a.rec.Begin(op)
	ctx, cancel := context.WithTimeout(a.ctx, 5*time.Second)
	defer cancel()
	code, err := do(ctx, began)
	if err != nil {
		err = unsure{err}
	} else if err = kerr.ErrorForCode(code); err != nil && !isAny(err, proving) {
		err = unsure{err}
	}
	switch {
	case errors.Is(err, kerr.TopicAlreadyExists):
		began.Err = "exists"
		a.rec.End(began, history.Fail)
	case errors.Is(err, kerr.UnknownTopicOrPartition):
		began.Err = "absent"
		a.rec.End(began, history.Fail)
	default:
		a.end(began, err)
	}
	return err
}

// proving are errors that prove what there was, and that nothing was changed.
var proving = []error{kerr.TopicAlreadyExists, kerr.UnknownTopicOrPartition}

func (a *actor) create(c *kgo.Client, name string) {
	op := a.blank(history.Create, history.Place{})
	op.Key, op.Text = "topic/"+name, fmt.Sprintf("%d-%d", a.process, a.rec.Now())
	_ = a.once(op, func(ctx context.Context, _ *history.Op) (int16, error) {
		req := kmsg.NewPtrCreateTopicsRequest()
		req.TimeoutMillis = 3000
		t := kmsg.NewCreateTopicsRequestTopic()
		t.Topic, t.NumPartitions, t.ReplicationFactor = name, 1, 3
		req.Topics = append(req.Topics, t)
		resp, err := req.RequestWith(ctx, c)
		if err != nil {
			return 0, err
		}
		for _, t := range resp.Topics {
			return t.ErrorCode, nil
		}
		return 0, errEmpty
	})
}

func (a *actor) remove(c *kgo.Client, name string) {
	op := a.blank(history.Remove, history.Place{})
	op.Key = "topic/" + name
	_ = a.once(op, func(ctx context.Context, _ *history.Op) (int16, error) {
		req := kmsg.NewPtrDeleteTopicsRequest()
		req.TimeoutMillis, req.TopicNames = 3000, []string{name}
		t := kmsg.NewDeleteTopicsRequestTopic()
		t.Topic = &name
		req.Topics = append(req.Topics, t)
		resp, err := req.RequestWith(ctx, c)
		if err != nil {
			return 0, err
		}
		for _, t := range resp.Topics {
			return t.ErrorCode, nil
		}
		return 0, errEmpty
	})
}

const setting = "retention.ms"

func (a *actor) set(c *kgo.Client) {
	op := a.blank(history.Put, history.Place{})
	op.Key, op.Text = "config/topic/"+Orders+"/"+setting, strconv.FormatInt(1e12+a.rng.Int64N(1e12), 10)
	_ = a.once(op, func(ctx context.Context, _ *history.Op) (int16, error) {
		req := kmsg.NewPtrIncrementalAlterConfigsRequest()
		r := kmsg.NewIncrementalAlterConfigsRequestResource()
		r.ResourceType, r.ResourceName = kmsg.ConfigResourceTypeTopic, Orders
		v := kmsg.NewIncrementalAlterConfigsRequestResourceConfig()
		v.Name, v.Value = setting, &op.Text
		r.Configs = append(r.Configs, v)
		req.Resources = append(req.Resources, r)
		resp, err := req.RequestWith(ctx, c)
		if err != nil {
			return 0, err
		}
		for _, r := range resp.Resources {
			return r.ErrorCode, nil
		}
		return 0, errEmpty
	})
}

// get asks a broker for the setting, which it knows from its own copy of the cluster.
func (a *actor) get(c *kgo.Client) {
	nodes := a.w.Nodes()
	n := nodes[a.rng.IntN(len(nodes))]
	if !n.Serves() {
		return
	}
	op := a.blank(history.GetStale, history.Place{})
	op.Key, op.Broker = "config/topic/"+Orders+"/"+setting, n.ID
	_ = a.once(op, func(ctx context.Context, op *history.Op) (int16, error) {
		req := kmsg.NewPtrDescribeConfigsRequest()
		r := kmsg.NewDescribeConfigsRequestResource()
		r.ResourceType, r.ResourceName, r.ConfigNames = kmsg.ConfigResourceTypeTopic, Orders, []string{setting}
		req.Resources = append(req.Resources, r)
		resp, err := req.RequestWith(ctx, c.Broker(int(n.ID)))
		if err != nil {
			return 0, err
		}
		if len(resp.Resources) == 0 {
			return 0, errEmpty
		}
		for _, v := range resp.Resources[0].Configs {
			if op.Absent = v.IsDefault || v.Source != kmsg.ConfigSourceDynamicTopicConfig; !op.Absent && v.Value != nil {
				op.Text = *v.Value
			}
		}
		return resp.Resources[0].ErrorCode, nil
	})
}

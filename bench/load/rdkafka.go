package load

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
)

// rdkafkaLoad is librdkafka, by confluent-kafka: what Python costs is the client's.
type rdkafkaLoad struct{ foreign }

//go:embed rdkafka.py
var rdkafka string

func (l *rdkafkaLoad) run(ctx context.Context, r *Result) error {
	limit := l.spec.limit()
	words, err := json.Marshal(map[string]any{"spec": l.spec, "topic": l.cluster.topic, "records": max(limit.records, l.ours),
		"seconds": limit.seconds, "wait": fetchWait.Seconds()})
	if err != nil {
		return err
	}
	out, err := child(ctx, r, l.spec.Python, "-c", rdkafka, string(words))
	if err != nil {
		return err
	}
	var said struct {
		Records int64
		Bytes   int64
		Seconds float64
		Latency Latency
		Errors  []string
	}
	if err := json.Unmarshal([]byte(out), &said); err != nil {
		return fmt.Errorf("it said %q: %w", out, err)
	}
	r.Records, r.Bytes, r.Seconds, r.Latency = said.Records, said.Bytes, said.Seconds, said.Latency
	var errs []error
	for _, e := range said.Errors {
		errs = append(errs, errors.New(e))
	}
	return errors.Join(errs...)
}

package load

import "github.com/odradek/odradek/bench/load/hist"

// Result is what a load saw between Hooks.Ready and Hooks.Ran.
type Result struct {
	Load string `json:"load"`
	Spec Spec   `json:"spec"` // with its defaults

	Records  int64   `json:"records"`  // acknowledged or read; by all consumers together
	Requests int64   `json:"requests"` // answered, where the load counts them
	Bytes    int64   `json:"bytes"`    // of values; of whole batches if the kind is raw
	Sent     int64   `json:"sent"`     // bytes to the cluster, where the load counts them
	Received int64   `json:"received"` // bytes from it
	Seconds  float64 `json:"seconds"`
	CPU      float64 `json:"cpu_client"` // seconds, user and system, of the load's process (or its child's)

	// Latency of a record: from when it was handed to the producer, or was due, to its
	// acknowledgement (produce, txn, catchup) or to when it was read (tail, endtoend).
	// Of a request, if the kind is raw.
	Latency Latency            `json:"latency_us"`
	More    map[string]Latency `json:"more_us,omitempty"` // commit (txn); alone, beside (catchup); late (by how much the schedule was missed)
	Figures map[string]float64 `json:"figures,omitempty"` // what a kind knows beside, such as transactions

	Errors []string `json:"errors"` // of a result that holds: none
}

// Latency is a distribution, in microseconds.
type Latency struct {
	Count int64 `json:"count"`
	Mean  int64 `json:"mean"`
	P50   int64 `json:"p50"`
	P95   int64 `json:"p95"`
	P99   int64 `json:"p99"`
	P999  int64 `json:"p999"`
	Max   int64 `json:"max"`
}

func latencyOf(h *hist.Hist) Latency {
	us := func(q float64) int64 { return h.Quantile(q).Microseconds() }
	return Latency{Count: h.Count(), Mean: h.Mean().Microseconds(), P50: us(0.5), P95: us(0.95), P99: us(0.99), P999: us(0.999), Max: h.Max().Microseconds()}
}

// Hooks are called where somebody measures the cluster from outside. Each may block.
type Hooks struct {
	Ready func() // the topic is there and filled, clients are connected and warm
	Ran   func() // the load is over, nothing was checked or deleted yet
}

package load

import "slices"

// Named is a load of the comparison.
type Named struct {
	Name  string
	Nodes int // of the cluster
	Spec  Spec
}

const (
	kib = 1 << 10
	mib = 1 << 20
	gib = 1 << 30
)

// Loads lists the loads of the comparison by name. Bootstrap is for the caller to set,
// and Rate of the loads at a fixed rate, where what stands here is only a beginning;
// what ends a load may be made smaller.
func Loads() []Named {
	base := Spec{Kind: Produce, Size: 1000, Batch: mib, Linger: 5, Partitions: 6, Acks: "all", Idempotent: true,
		Seconds: 10, Bytes: 4 * gib, Warmup: 5}
	with := func(change func(s *Spec)) Spec {
		s := base
		change(&s)
		return s
	}
	raw := func(kind string, batch, inFlight int) Spec {
		s := Spec{Kind: kind, Size: 1000, Batch: batch, InFlight: inFlight, Seconds: 10, Bytes: 4 * gib, Warmup: 3}
		if kind == RawFetch {
			s.Bytes = gib // of which the topic is filled first
		}
		return s
	}
	small := func(kind string, inFlight, burst int) Spec {
		return Spec{Kind: kind, Size: 100, InFlight: inFlight, Burst: burst, Seconds: 10, Warmup: 3}
	}
	spread := func(partitions int) Spec {
		return with(func(s *Spec) { s.Size, s.Batch, s.Partitions, s.Spread, s.Bytes = 100, kib, partitions, true, gib })
	}
	rawSpread := func(partitions int) Spec {
		s := raw(RawProduce, kib, 5)
		s.Size, s.Partitions, s.Spots = 100, partitions, 10
		return s
	}
	consume := func(consumers int) Spec {
		return with(func(s *Spec) {
			s.Kind, s.Consumers, s.Group, s.Bytes, s.Seconds, s.Warmup = Consume, consumers, true, gib, 0, 2
		})
	}
	tail := func(consumers int) Spec {
		return with(func(s *Spec) { s.Kind, s.Consumers, s.Rate = Tail, consumers, 50_000 })
	}
	// A producer that lingers adds its own pause to every system's latency.
	endToEnd := func(rate, linger float64) Spec {
		return with(func(s *Spec) { s.Kind, s.Rate, s.Linger, s.Bytes, s.Seconds = EndToEnd, rate, linger, 0, 20 })
	}
	replicated := func(s Spec) Spec {
		s.Replication = 3
		return s
	}
	list := []Named{
		{Name: "produce-1k", Spec: base},
		{Name: "txn-100ms", Spec: with(func(s *Spec) { s.Kind, s.Commit = Txn, 100 })},
		{Name: "produce-100b", Spec: with(func(s *Spec) { s.Size, s.Bytes = 100, gib })},
		{Name: "produce-10k", Spec: with(func(s *Spec) { s.Size = 10_000 })},
		{Name: "produce-64-producers", Spec: with(func(s *Spec) { s.Producers = 64 })},
		{Name: "produce-one-partition", Spec: with(func(s *Spec) { s.Partitions = 1 })},
		{Name: "produce-not-idempotent", Spec: with(func(s *Spec) { s.Idempotent = false })},
		{Name: "produce-lz4", Spec: with(func(s *Spec) { s.Compression = "lz4" })},
		{Name: "produce-zstd", Spec: with(func(s *Spec) { s.Compression = "zstd" })},
		{Name: "produce-beside-5000-idle", Spec: with(func(s *Spec) { s.Idle = 5000 })},
		{Name: "idle-5000", Spec: Spec{Kind: Idle, Idle: 5000, Seconds: 10}},
		{Name: "partitions-10", Spec: spread(10)},
		{Name: "partitions-1000", Spec: spread(1000)},
		{Name: "partitions-10000", Spec: spread(10_000)},
		{Name: "raw-partitions-10", Spec: rawSpread(10)},
		{Name: "raw-partitions-1000", Spec: rawSpread(1000)},
		{Name: "raw-partitions-10000", Spec: rawSpread(10_000)},
		{Name: "consume-1k", Spec: with(func(s *Spec) { s.Kind, s.Passes, s.Bytes, s.Seconds, s.Warmup = Consume, 4, gib, 0, 2 })},
		{Name: "fan-out-2", Spec: consume(2)},
		{Name: "fan-out-5", Spec: consume(5)},
		{Name: "fan-out-10", Spec: consume(10)},
		{Name: "tail-1", Spec: tail(1)},
		{Name: "tail-10", Spec: tail(10)},
		{Name: "endtoend", Spec: endToEnd(20_000, 0)},
		{Name: "endtoend-quarter", Spec: endToEnd(10_000, 0)},
		{Name: "endtoend-linger-5", Spec: endToEnd(20_000, 5)},
		{Name: "catchup", Spec: with(func(s *Spec) { s.Kind, s.Rate, s.Linger, s.Bytes, s.Seconds = CatchUp, 20_000, 0, 2*gib, 15 })},
		{Name: "raw-produce-16k", Spec: raw(RawProduce, 16*kib, 8)},
		{Name: "raw-produce-64k", Spec: raw(RawProduce, 64*kib, 8)},
		{Name: "raw-produce-1m", Spec: raw(RawProduce, mib, 4)},
		{Name: "raw-fetch-16k", Spec: raw(RawFetch, 16*kib, 8)},
		{Name: "raw-fetch-64k", Spec: raw(RawFetch, 64*kib, 8)},
		{Name: "raw-fetch-1m", Spec: raw(RawFetch, mib, 4)},
		{Name: "ping", Spec: small(RawPing, 1, 1)},
		{Name: "ping-pipelined", Spec: small(RawPing, 128, 64)},
		{Name: "small-produce", Spec: small(RawProduce, 1, 1)},
		{Name: "small-produce-pipelined", Spec: small(RawProduce, 128, 64)},
		{Name: "java-produce-1k", Spec: with(func(s *Spec) { s.Kind, s.Records, s.Seconds, s.Bytes, s.Warmup = JavaProduce, 3_000_000, 0, 0, 0 })},
		{Name: "java-consume-1k", Spec: with(func(s *Spec) { s.Kind, s.Bytes, s.Seconds, s.Warmup = JavaConsume, 2*gib, 0, 0 })},
		{Name: "rdkafka-produce-1k", Spec: with(func(s *Spec) { s.Kind, s.Warmup = RdkafkaProduce, 0 })},
		{Name: "rdkafka-consume-1k", Spec: with(func(s *Spec) { s.Kind, s.Bytes, s.Seconds, s.Warmup = RdkafkaConsume, gib, 0, 0 })},
		{Name: "replicated-1k", Nodes: 3, Spec: replicated(base)},
		{Name: "replicated-endtoend", Nodes: 3, Spec: replicated(endToEnd(10_000, 0))},
	}
	for i := range list {
		list[i].Nodes = max(list[i].Nodes, 1)
		list[i].Spec.Load = list[i].Name
	}
	return list
}

// ByName finds a load of the comparison.
func ByName(name string) (Named, bool) {
	list := Loads()
	i := slices.IndexFunc(list, func(n Named) bool { return n.Name == name })
	if i < 0 {
		return Named{}, false
	}
	return list[i], true
}

# Odradek: few targets, each documented. `make help` lists them.
export CGO_ENABLED := 0
GO ?= go

.PHONY: planted help build test race check lint vuln cross generate conformance zookeeper kafka-diff sim-replay crash cluster cluster-figures eos chaos chaos-soak rebalance sim fuzz bench

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sort | awk -F ':.*## ' '{printf "  %-12s %s\n", $$1, $$2}'

build: ## build ./odradek, one static binary
	$(GO) build -trimpath -o odradek ./cmd/odradek

test: ## the tests that need Go alone (this is what the README names)
	$(GO) test ./...

# A program with the detector sleeps for a second when it ends unless it is told not to, and the scripts start hundreds.
race: ## the same under the race detector, with fewer random histories (needs a C compiler)
	CGO_ENABLED=1 GORACE=atexit_sleep_ms=0 $(GO) test -race -short ./...

check: lint vuln cross ## everything that reads the code without running it

lint: ## gofmt, vet and staticcheck, pinned in go.mod
	@test -z "$$(gofmt -l $$(git ls-files '*.go'))" || { gofmt -l $$(git ls-files '*.go'); echo 'run gofmt -w'; exit 1; }
	$(GO) vet ./...
	$(GO) tool -modfile=tools/go.mod staticcheck ./...
	cd bench/nats && $(GO) vet ./...
	cd sim/replay && $(GO) vet ./...

vuln: ## govulncheck, pinned in go.mod (needs its database from the network; says so if it cannot)
	./scripts/vuln

cross: ## build for every platform that we release
	./scripts/cross

generate: ## write again what is generated: schema tables, docs/CONFIG.md, docs/COMPATIBILITY.md
	$(GO) generate ./...

conformance: ## real clients in six languages against a node (needs Java, Maven, Node, Python, kcat; says what it lacks)
	./conformance/run

zookeeper: ## what a compose file of ZooKeeper's days shows to zkCli.sh and kazoo (conformance/run --install fetches them; says what it lacks)
	$(GO) test -count=1 -v ./conformance/zookeeper

kafka-diff: ## the same scenarios against Apache Kafka, and how the answers differ (needs Java and Maven)
	./conformance/run --peer kafka

sim-replay: ## live through a seed of the simulator again and again in exactly the same way (SEED=3 TIMES=2; minutes)
	./scripts/sim-replay $(or $(SEED),3) $(or $(TIMES),2)

planted: ## make the mistakes that others have made, one at a time, and have the simulator find each (PLANTED=sample, or names); docs/PLANTED.md
	$(GO) test -count=1 -v -timeout 3h -tags synctests,failpoint,planted -run 'TestPlanted$$' ./sim -mistakes=$(or $(PLANTED),all) $(PLANTEDFLAGS)

crash: ## kill -9 under load, 100 times, and 10 power cuts (as root), with a fresh client's check each
	$(GO) test -count=1 -run 'TestKillNine|TestPowerCut' ./conformance/crash -kills=100 -cuts=10 -timeout 30m -v

CLUSTER = $(GO) test -count=1 -v ./conformance/cluster
FIGURES = -results=figures.jsonl

cluster: ## three nodes: clients in six languages while brokers are killed (SOAK=2m), cuts of the network (as root), pauses, spoilt disks
	$(CLUSTER) -timeout 40m -run 'TestKills|TestPaused|TestWiped|TestCoordinator|TestLoss|TestMatrix|TestCuts|TestCorrupt' -soak=$(or $(SOAK),2m) -hurt -cuts $(CLUSTERFLAGS)

cluster-figures: ## what docs/benchmarks/cluster.md is made of: failover beside Kafka (KILLS=50), its tools, 1,000 topics, a soak (SOAK=10m; pieces add up); hours
	$(CLUSTER) -timeout 4h -run 'TestFailover|TestTools|TestGroupTools' -failovers=kafka,odradek -kills=$(or $(KILLS),50) -tools $(FIGURES)
	$(CLUSTER) -timeout 2h -run 'TestThousandTopics|TestMatrix|TestCuts|TestPaused' -thousand=1000 -soak=$(or $(SOAK),10m) -cuts -hurt -pauses=4 $(FIGURES)
	$(GO) test -run TestPages ./conformance/cluster -write

eos: ## exactly-once pipelines in four clients while brokers and pipelines are killed (EOS=10m for longer)
	$(GO) test -count=1 -v -timeout 60m -run TestExactlyOnce ./conformance/eos -eos=$(or $(EOS),1m) $(EOSFLAGS)

CHAOS = $(GO) test -count=1 -v -timeout 4h ./conformance/chaos
CHAOSSMOKE = 1,5,6,11

chaos: ## real processes hurt in every way under clients of four libraries: four scenarios and half a minute of soak (as root; says what it lacks)
	$(CHAOS) -run 'TestScenario|TestSoak|TestPage' -scenarios=$(or $(SCENARIOS),$(CHAOSSMOKE)) -soak=$(or $(SOAK),30s) $(CHAOSFLAGS)

chaos-soak: ## the long way: all fifteen scenarios and a soak (SOAK=1h), which add up in conformance/chaos/RESULTS.md
	$(CHAOS) -run 'TestScenario|TestSoak' -scenarios=$(or $(SCENARIOS),all) -soak=$(or $(SOAK),1h) $(FIGURES)
	$(GO) test -run TestPage ./conformance/chaos -write

rebalance: ## groups of 500 members and 5,000 partitions, beside Apache Kafka (needs its jars); docs/benchmarks/rebalance.md is made of it
	$(GO) test -count=1 -v -timeout 60m -run TestRebalance ./conformance/rebalance -members=500 -partitions=5000 -programs=kafka,odradek -results=figures.jsonl
	$(GO) test -run TestPage ./conformance/rebalance -write

sim: ## whole clusters in faked time, each by a seed: faults, healing, and checks of all that clients saw (SEEDS=300, FIRST=1)
	./scripts/sim

.PHONY: failpoints
failpoints: ## take nodes' power at every step at which something becomes durable (SEEDS=1: each once; 20 take a quarter of an hour of CPU)
	GOMAXPROCS=1 GOGC=400 $(GO) test -count=1 -timeout 3h -tags synctests,failpoint,planted -run 'TestFailpoints$$' ./sim -point-seeds=$(or $(SEEDS),1)

fuzz: ## every fuzz target for a few seconds (FUZZTIME=10s each, or FUZZTOTAL=600 seconds for all)
	./scripts/fuzz

.PHONY: bench-peers bench-short
bench-peers: ## beside Apache Kafka on this machine: docs/benchmarks/peers.md (ROUNDS=3, WORKLOADS=a,b,c*, BENCHFLAGS; 2 to 3 hours; needs Java, a quiet machine)
	-./conformance/run --install --ready --clients java,confluent-kafka-python
	$(GO) run ./bench -rounds $(or $(ROUNDS),3) -workloads '$(WORKLOADS)' $(BENCHFLAGS)
	$(GO) run ./bench -page

bench-short: ## the same, small, two minutes: that it works, and what a request may cost at most (bench/limits.json)
	$(GO) run ./bench -short -out "$$(mktemp)" $(BENCHFLAGS)

bench: ## micro-benchmarks beside the code, and odradek bench against a node of its own
	$(GO) test -run '^$$' -bench . -benchtime 200ms ./...
	$(GO) run ./cmd/odradek bench

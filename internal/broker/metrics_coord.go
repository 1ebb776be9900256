package broker

import (
	"strconv"
	"time"

	"github.com/odradek/odradek/internal/cluster/config"
	"github.com/odradek/odradek/internal/coord/delivery"
	"github.com/odradek/odradek/internal/proto/model"
	"github.com/prometheus/client_golang/prometheus"
)

// What the coordinators of this node know, and the partitions that it leads. All of it is
// gathered when it is asked for, and nothing waits for a commit: a scrape must not hang
// because replicas are missing.

var (
	descGroups    = desc("groups", "Groups coordinated here.", "type", "state")
	descTxns      = desc("transactions", "Transactional ids coordinated here.", "state")
	descOldestTxn = desc("transaction_oldest_open_seconds", "Age of the oldest transaction coordinated here that is not complete, 0 without one.")
	descMarkers   = desc("transaction_markers_waiting", "Partitions that have yet to write the marker of a transaction coordinated here, by the broker that is to write it.", "broker")
	descLate      = desc("partitions_with_late_transactions", "Partitions led here with a transaction that is open for longer than any may be.")
	descUnstable  = desc("stable_offset_lag_records", "Records between last stable offset and high watermark, summed over a topic's partitions led here.", "topic")
	descShares    = desc("share_partitions", "Partitions of a share group that are led here and in use.", "group")
	descInFlight  = desc("share_in_flight_records", "Records from the first that a share group is not done with to what was never delivered.", "group")
	descLocked    = desc("share_locked_records", "Records that members of a share group have now.", "group")
	descAcks      = desc("share_acknowledgements_total", "Records that members of share groups acknowledged.", "type")
	descGivenUp   = desc("share_given_up_records_total", "Records that share groups do not get any more although nobody accepted them.", "reason")
	descLetters   = desc("share_dead_letters_total", "Records for dead letter queues.", "result")

	descsCoord = []*prometheus.Desc{descGroups, descTxns, descOldestTxn, descMarkers, descLate, descUnstable,
		descShares, descInFlight, descLocked, descAcks, descGivenUp, descLetters}
)

// collectCoord reads the coordinators.
func (g *gauges) collectCoord(out chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, v int64, labels ...string) {
		send(out, d, prometheus.GaugeValue, float64(v), labels...)
	}
	count := func(d *prometheus.Desc, v int64, labels ...string) {
		send(out, d, prometheus.CounterValue, float64(v), labels...)
	}
	for class, n := range g.b.groups.Snapshot() {
		gauge(descGroups, int64(n), class.Type, class.State)
	}

	txns := g.b.txns.Snapshot()
	for state, n := range txns.States {
		gauge(descTxns, int64(n), state)
	}
	age := 0.0
	if !txns.OldestOpen.IsZero() {
		age = max(0, time.Since(txns.OldestOpen).Seconds()) // the clock may have been set back
	}
	send(out, descOldestTxn, prometheus.GaugeValue, age)
	for node, n := range txns.Markers {
		gauge(descMarkers, int64(n), brokerLabel(node))
	}

	undecided := g.b.host.Undecided(time.Now().Add(-g.b.settings.lateTransaction()))
	gauge(descLate, int64(undecided.Late))
	for topic, n := range undecided.Behind {
		gauge(descUnstable, n, topic)
	}

	for group, h := range g.b.deliveries.Holdings() {
		gauge(descShares, int64(h.Partitions), group)
		gauge(descInFlight, h.InFlight, group)
		gauge(descLocked, h.Locked, group)
	}
	c := g.b.deliveries.Counts()
	for kind, n := range c.Acknowledged {
		count(descAcks, n, ackNames[kind])
	}
	count(descGivenUp, c.Rejected, "rejected")
	count(descGivenUp, c.Exceeded, "exceeded")
	count(descLetters, c.Letters, "written")
	count(descLetters, c.Unwritten, "failed")
}

var ackNames = [...]string{delivery.Gap: "gap", delivery.Accept: "accept", delivery.Release: "release",
	delivery.Reject: "reject", delivery.Renew: "renew"}

// brokerLabel is "none" for partitions without a leader.
func brokerLabel(node int32) string {
	if node == model.NoLeader {
		return "none"
	}
	return strconv.Itoa(int(node))
}

// lateGrace is what Kafka gives the coordinator to end a transaction whose time is over.
const lateGrace = 5 * time.Minute

// lateTransaction is for how long the producer of a transaction may be silent that a
// coordinator knows.
func (s *settings) lateTransaction() time.Duration {
	return time.Duration(config.TransactionMaxTimeoutMs.Get(s.Values()))*time.Millisecond + lateGrace
}

package history

import "math"

// Unknown stands for an offset, an epoch or an id that nobody told.
const Unknown = -1

// Never is when an operation returned that did not.
const Never = math.MaxInt64

// Outcome is what is known of whether an operation took effect.
type Outcome uint8

const (
	// Info: it may have taken effect, may take effect later, or never. Timeouts, broken
	// connections, processes that died while they waited, and every error that does not
	// prove the contrary. The zero value, so that what nobody ended is Info.
	Info Outcome = iota
	// OK: the cluster said that it did it. What was answered is to be believed.
	OK
	// Fail: it did not take effect and never will. Only an answer that proves it is a
	// Fail: an error of the request's validation, before anything was appended, on the
	// first and only attempt. NOT_LEADER_OR_FOLLOWER after a retry proves nothing.
	Fail
)

// Kind says what an operation is, and with it which fields of Op it fills. What is in
// brackets is the answer. Every operation has Process, Outcome, Invoke, Return and, if it
// did not succeed, Err.
type Kind uint8

const (
	_ Kind = iota

	// Send: Topic, Partition, Value, Key, Absent if it is a tombstone, Acks, Txn, ProducerID
	// and ProducerEpoch if known [Offset, or Unknown with acks=0]. Records that fail
	// together are sends of their own.
	Send
	// Poll: Topic, Partition, Isolation, Group if subscribed, From if known [Records in
	// the order in which they came, Epoch of their leader, High, Stable, Start as the
	// fetch told them]. One a partition, and one a leader epoch if records differ in it.
	// An empty poll is worth recording where its watermarks are known.
	Poll
	// Seek: Topic, Partition, Offset: the process reads from there on, of its own will.
	Seek
	// Drain: Topic, Partition, Isolation [Start, High]: the process read all that is in
	// [Start, High) by polls of its own within [Invoke, Return], when all faults were
	// over. OK if it got to High.
	Drain

	// BeginTxn: Txn, TransactionalID. Txn is unique in the history and never 0.
	BeginTxn
	// EndTxn: Txn, TransactionalID, Commit. Sends and commits of a transaction name its
	// Txn; it may end once only, but an attempt that is Info may be asked again.
	EndTxn
	// InitProducer: TransactionalID or nothing [ProducerID, ProducerEpoch].
	InitProducer

	// CommitOffset: Group, Topic, Partition, Offset (the next to read), Member, Generation
	// (or Unknown, if not a member), Txn if sent in a transaction, Meta.
	CommitOffset
	// FetchOffset: Group, Topic, Partition, RequireStable [Offset, or Unknown if there is
	// none; Meta].
	FetchOffset
	// DeleteOffset: Group, Topic, Partition: the offset is forgotten. A deleted group is
	// one of these for each partition.
	DeleteOffset
	// ListOffset: Topic, Partition, Isolation, Spec [Offset, Epoch].
	ListOffset
	// DeleteRecords: Topic, Partition, Offset asked for [Start: the low watermark].
	DeleteRecords

	// Assign: Group, Member, Generation or member epoch, Places: the process owns these
	// from Return on, in addition to what it owned. Owner tells from what rules.
	Assign
	// Revoke: Group, Member, Generation, Places: the process stopped using them before
	// Invoke, and told so.
	Revoke
	// Lost: as Revoke, of a member that was thrown out and heard of it late.
	Lost
	// Heartbeat: Group, Member, Generation. OK: the coordinator counts it as a member, in
	// that generation.
	Heartbeat

	// ShareAcquire: Group, Member, Topic, Partition [Records, Deliveries: how often each
	// was delivered, this time included].
	ShareAcquire
	// ShareAck: Group, Member, Topic, Partition, Records (their offsets; values if known),
	// Ack.
	ShareAck

	// Put, Create, Remove: Key, Text (the value that the key has afterwards; none after
	// Remove). At first a key has none. Create fails if there is one, Remove if there is none; Err "exists" and
	// "absent" then prove what was there. Keys are of the history's own making, such as
	// "topic/orders" (value: its id), "config/topic/orders/retention.ms", "acl/...".
	Put
	Create
	Remove
	// Get: Key [Text, or Absent], answered by the controller, or by who must know.
	Get
	// GetStale: as Get, of Broker's copy, which may be late but never goes back.
	GetStale
	// MetadataOffset: Broker [Offset: how far its copy of the cluster's log is].
	MetadataOffset

	// Allow, Forbid: a rule, named Key, until it is Removed: Principal ("User:alice",
	// "User:*"), Host (or "*"), Operation (or "ALL"), Resource ("topic:literal:orders",
	// "topic:prefixed:or", "topic:literal:*"). Access: Principal, Host, Operation, Resource
	// ("topic:orders"). OK: it was done. Fail: it was refused for want of rights.
	Allow
	Forbid
	Access

	// Fault: Text says which, Nodes whom it hit; from Invoke to Return. For readers, and
	// for what is expected of life.
	Fault
	// Heal: all faults are over at Return.
	Heal

	kinds
)

// Acks of a Send.
const (
	AcksAll  int8 = -1
	AcksNone int8 = 0
	AcksOne  int8 = 1
)

// Isolation of a Poll, a ListOffset or a Drain.
type Isolation uint8

const (
	Uncommitted Isolation = iota
	Committed
)

// Spec is what a ListOffset asks for.
type Spec uint8

const (
	Latest Spec = iota
	Earliest
	MaxTimestamp
	Other
)

// Ack is what a member of a share group says of a record.
type Ack uint8

const (
	Accept Ack = iota
	Release
	Reject
	Renew
)

// Rules under which a member owns its partitions.
type Rules uint8

const (
	// Eager: classic; all is revoked before each generation.
	Eager Rules = iota
	// Cooperative: classic; what stays is kept over generations.
	Cooperative
	// Consumer: KIP-848; Generation is the member's epoch.
	Consumer
)

// Place is a partition of a topic.
type Place struct {
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"`
}

// Read is one record as a poll returned it. Value is 0 if it is none of the history's.
type Read struct {
	Offset int64
	Value  Value
}

// Reads are records in the order in which they came.
type Reads []Read

// Op is one operation of any kind. Times are nanoseconds on the history's one clock.
type Op struct {
	// ID pairs the two lines of an operation that was written when it began and when it
	// ended; 0 if it was written once. It is unique for its Process.
	ID int64 `json:"id"`
	// Process is who did it: one client, with its one position in each partition that it
	// reads. A client that starts again is another process. Sends of a process may
	// overlap; nothing else of it should.
	Process int32   `json:"process"`
	Kind    Kind    `json:"kind"`
	Outcome Outcome `json:"outcome"`
	Invoke  int64   `json:"invoke"`
	Return  int64   `json:"return"`
	// Err is the code or the message of what did not succeed, as Kafka names it.
	Err string `json:"err"`

	Topic     string `json:"topic"`
	Partition int32  `json:"partition"`
	Offset    int64  `json:"offset"`
	// Epoch is a leader's.
	Epoch int32 `json:"epoch"`
	// From is the position at which a poll asked.
	From int64 `json:"from"`
	// High watermark, last stable offset, start of the log.
	High       int64     `json:"high"`
	Stable     int64     `json:"stable"`
	Start      int64     `json:"start"`
	Isolation  Isolation `json:"isolation"`
	Spec       Spec      `json:"spec"`
	Records    Reads     `json:"records"`
	Deliveries []int16   `json:"deliveries"`

	Value Value `json:"value"`
	// Key of a record, or of what Put and its like are about.
	Key  string `json:"key"`
	Acks int8   `json:"acks"`

	Txn             int64  `json:"txn"`
	TransactionalID string `json:"transactionalId"`
	Commit          bool   `json:"commit"`
	ProducerID      int64  `json:"producerId"`
	ProducerEpoch   int32  `json:"producerEpoch"`

	Group         string  `json:"group"`
	Member        string  `json:"member"`
	Generation    int32   `json:"generation"`
	Rules         Rules   `json:"rules"`
	Places        []Place `json:"places"`
	RequireStable bool    `json:"requireStable"`
	Meta          string  `json:"meta"`
	Ack           Ack     `json:"ack"`

	Broker int32   `json:"broker"`
	Nodes  []int32 `json:"nodes"`
	Text   string  `json:"text"`
	// Absent: there is none; a tombstone.
	Absent bool `json:"absent"`

	Principal string `json:"principal"`
	Host      string `json:"host"`
	Operation string `json:"operation"`
	Resource  string `json:"resource"`
}

// Blank is an operation of which nothing is known: numbers that 0 could be told for are
// Unknown, it is Info, and has not returned.
func Blank() Op {
	return Op{
		Return: Never, Offset: Unknown, Epoch: Unknown, From: Unknown, High: Unknown, Stable: Unknown,
		Start: Unknown, Acks: AcksAll, ProducerID: Unknown, ProducerEpoch: Unknown, Generation: Unknown, Broker: Unknown,
	}
}

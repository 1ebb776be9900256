package txn

import (
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

func TestList(t *testing.T) {
	play(t, Settings{}, `
		list -> none
		init p1 -> 1000/0
		add p1 as=1000/0 t/0 -> ok
		after 5s
		init p2 -> 1001/0
		add p2 as=1001/0 t/0 -> ok
		init q -> 1002/0
		after 1s
		list -> p1:Ongoing:1000 p2:Ongoing:1001 q:Empty:1002
		list states=Ongoing,Running,Dead,Running -> p1:Ongoing:1000 p2:Ongoing:1001 unknown:Running
		list states=Running -> unknown:Running
		list states=Dead -> none
		list producers=1001,1002,7 -> p2:Ongoing:1001 q:Empty:1002
		list longer=5999 -> p1:Ongoing:1000 q:Empty:1002 # whose start is not known
		list longer=6000 -> q:Empty:1002
		list longer=0 -> p1:Ongoing:1000 p2:Ongoing:1001 q:Empty:1002
		list longer=5999 v=0 -> p1:Ongoing:1000 p2:Ongoing:1001 q:Empty:1002
		list pattern=p.* -> p1:Ongoing:1000 p2:Ongoing:1001
		list pattern=p -> none
		list pattern=q|p1 -> p1:Ongoing:1000 q:Empty:1002
		list pattern= states=Empty -> q:Empty:1002
		list pattern=p( -> INVALID_REGULAR_EXPRESSION
		list pattern=p)(q -> INVALID_REGULAR_EXPRESSION
		list pattern=\Qp -> INVALID_REGULAR_EXPRESSION
		list pattern=p( v=1 -> p1:Ongoing:1000 p2:Ongoing:1001 q:Empty:1002
		log resigns
		list -> none
	`)
}

func TestDescribe(t *testing.T) {
	play(t, Settings{}, `
		describe p id=none -> INVALID_REQUEST
		describe p -> TRANSACTIONAL_ID_NOT_FOUND
		init p -> 1000/0
		describe p -> Empty 1000/0
		add p as=1000/0 u/1 t/2 t/0 -> ok
		describe p -> Ongoing 1000/0 open=t/0,t/2,u/1
		log resigns
		describe p -> NOT_COORDINATOR
	`)
}

// Partitions join one transaction, of the newest producer, and only if they all exist.
func TestAdd(t *testing.T) {
	play(t, Settings{}, `
		add p as=1000/0 t/0 -> INVALID_PRODUCER_ID_MAPPING
		verify p as=1000/0 t/0 -> INVALID_PRODUCER_ID_MAPPING
		init p -> 1000/0
		add p as=1001/0 t/0 -> INVALID_PRODUCER_ID_MAPPING
		add p as=1000/1 t/0 -> PRODUCER_FENCED
		add p v=0 as=1000/1 t/0 -> INVALID_PRODUCER_EPOCH
		add p id=none v=3 as=1000/0 t/0 -> INVALID_REQUEST
		add p id=none as=1000/0 t/0 -> INVALID_REQUEST
		verify p as=1000/0 t/0 -> TRANSACTION_ABORTABLE
		add p as=1000/0 t/0 unknown/1 unknown/2 -> t/0=OPERATION_NOT_ATTEMPTED unknown/1=UNKNOWN_TOPIC_OR_PARTITION unknown/2=UNKNOWN_TOPIC_OR_PARTITION
		describe p -> Empty 1000/0
		add p as=1000/0 t/1 t/0 t/1 -> ok
		verify p as=1000/0 t/0 t/1 -> ok
		verify p as=1000/0 t/0 t/2 -> t/0=ok t/2=TRANSACTION_ABORTABLE
		verify p as=1001/0 t/0 -> INVALID_PRODUCER_ID_MAPPING
		verify p as=1000/1 t/0 -> PRODUCER_FENCED
		offsets p as=1000/0 -> ok
		offsets p id=none as=1000/0 -> INVALID_REQUEST
		offsets p as=1000/1 -> PRODUCER_FENCED
		describe p -> Ongoing 1000/0 open=__consumer_offsets/7,t/0,t/1
		commit p as=1000/0 -> 1000/1
		verify p as=1000/1 t/0 -> TRANSACTION_ABORTABLE
		log full
		add p as=1000/1 t/0 -> COORDINATOR_NOT_AVAILABLE
		describe p -> CompleteCommit 1000/1
		add p as=1000/1 t/0 -> ok
	`)
}

// The logs of coordinators are in no transaction, but for the offsets of groups, for which
// brokers ask.
func TestAddInternal(t *testing.T) {
	play(t, Settings{}, `
		init p -> 1000/0
		add p as=1000/0 t/0 __transaction_state/0 -> __transaction_state/0=TOPIC_AUTHORIZATION_FAILED t/0=OPERATION_NOT_ATTEMPTED
		add p as=1000/0 __share_group_state/0 -> TOPIC_AUTHORIZATION_FAILED
		add p v=3 as=1000/0 __transaction_state/0 -> TOPIC_AUTHORIZATION_FAILED
		add p v=3 as=1000/0 __consumer_offsets/0 -> TOPIC_AUTHORIZATION_FAILED
		describe p -> Empty 1000/0
		add p as=1000/0 __consumer_offsets/0 -> ok
		describe p -> Ongoing 1000/0 open=__consumer_offsets/0
	`)
}

// A request may name a topic as often as it is long.
func TestAddOneByOne(t *testing.T) {
	req := kmsg.NewPtrAddPartitionsToTxnRequest()
	req.Version = 3
	for i := range 100_000 {
		req.Topics = append(req.Topics, kmsg.AddPartitionsToTxnRequestTopic{Topic: "t", Partitions: []int32{int32(i % 50_000)}})
	}
	if n := len(wishesOf(req)[0].partitions); n != 50_000 {
		t.Fatalf("%d partitions", n)
	}
}

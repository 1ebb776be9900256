package peers

import (
	"encoding/binary"
	"reflect"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/odradek/odradek/internal/proto/link"
	"github.com/odradek/odradek/internal/proto/wire"
)

// harmless are the requests that may be done twice: the second time changes nothing, or
// what the first did makes it fail in words that the asker understands.
var harmless = map[int16]bool{
	29: true, 30: true, // DescribeAcls, CreateAcls
	32: true, 33: true, 44: true, // DescribeConfigs, AlterConfigs, IncrementalAlterConfigs
	43: true,           // ElectLeaders
	45: true, 46: true, // AlterPartitionReassignments, ListPartitionReassignments
	48: true, 49: true, // DescribeClientQuotas, AlterClientQuotas
	50: true, 51: true, // user SCRAM credentials
	55: true, 56: true, // DescribeQuorum, AlterPartition
	60: true,                     // DescribeCluster
	62: true, 63: true, 67: true, // BrokerRegistration, BrokerHeartbeat, AllocateProducerIds
	70: true, 73: true, // ControllerRegistration, AssignReplicasToDirs
	75: true, // DescribeTopicPartitions
}

// undecided reports whether an answer says as a whole that the node is not the controller,
// or was it and will not know what became of its decision.
func undecided(e Envelope, body []byte) bool {
	resp := kmsg.ResponseForKey(e.Key)
	if resp == nil {
		return false
	}
	resp.SetVersion(e.Version)
	code := reflect.ValueOf(resp).Elem().FieldByName("ErrorCode")
	if !code.IsValid() || code.Kind() != reflect.Int16 {
		return false
	}
	if wire.CheckAnswer(e.Key, e.Version, body) != nil || resp.ReadFrom(body) != nil {
		return false
	}
	return int16(code.Int()) == kerr.NotController.Code || int16(code.Int()) == kerr.RequestTimedOut.Code
}

// An envelope is: varint key, varint version, client id (uvarint 0 for none, else its
// length plus one, and the bytes), string listener, string principal, and the body.
func (e Envelope) append(dst []byte) []byte {
	dst = binary.AppendVarint(binary.AppendVarint(dst, int64(e.Key)), int64(e.Version))
	if e.ClientID == nil {
		dst = append(dst, 0)
	} else {
		dst = append(binary.AppendUvarint(dst, uint64(len(*e.ClientID))+1), *e.ClientID...)
	}
	dst = link.AppendBytes(link.AppendBytes(dst, e.Listener), e.Principal)
	return append(dst, e.Body...)
}

func parseEnvelope(b []byte) (Envelope, error) {
	r := link.Fields{B: b}
	e := Envelope{Key: r.Int16(), Version: r.Int16()}
	if n, k := binary.Uvarint(r.B); k <= 0 || n > uint64(len(r.B)-k)+1 {
		r.Fail()
	} else if r.B = r.B[k:]; n > 0 {
		id := string(r.B[:n-1])
		e.ClientID, r.B = &id, r.B[n-1:]
	}
	e.Listener, e.Principal = string(r.Bytes()), string(r.Bytes())
	e.Body = r.B
	return e, sane(&r)
}

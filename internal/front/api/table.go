package api

import (
	"strconv"

	"github.com/odradek/odradek/internal/proto/wire"
)

// API is a request that is answered here, in the versions [Min, Max].
//
// A request with a codec of its own has serve, whose first part runs in the order of
// arrival; any other is decoded in that order and has handle, which runs when it is
// its turn to be answered.
type API struct {
	Key, Min, Max int16
	// Floor is the first version that is answered. Those from Min to here are
	// advertised for the sake of old libraries, and end the connection.
	Floor int16

	// On says which listeners take it; zero: those of brokers.
	On Scope

	serve  func(*Server, *wire.Conn, *wire.Request) wire.Pending
	handle handler
	to     destination
	fail   failure // of what goes to the controller: the answer that says err of all it was asked
	quick  bool    // never waits and has a small answer: answered on the reader, at once
	keeps  bool    // the message has bytes, which need memory of their own to outlive the frame
}

// Scope is a kind of listener, or several.
type Scope uint8

const (
	OnBrokers     Scope = 1 << iota // of clients, and of brokers among themselves
	OnControllers                   // of the quorum: controller.listener.names
	OnAll         = OnBrokers | OnControllers
)

// destination is who answers a request.
type destination uint8

const (
	here destination = iota
	// toController: the controller that is active. Any other node passes the request on as
	// it came.
	toController
	// inPart: this node sees to its own part and asks the active controller for the rest.
	inPart
)

func (a *API) on(s Scope) bool {
	if a.On == 0 {
		return s&OnBrokers != 0
	}
	return s&a.On != 0
}

// Name is Kafka's name of the request.
func (a *API) Name() string {
	if s, ok := wire.Lookup(a.Key); ok {
		return s.Name
	}
	return "request " + strconv.Itoa(int(a.Key))
}

func (a *API) accepts(version int16) bool {
	return version >= max(a.Min, a.Floor) && version <= a.Max
}

// Table is every request that is answered here, by key. What is not in it is neither
// advertised nor answered: ApiVersions and docs/COMPATIBILITY.md are made from it.
func Table() []API {
	return []API{
		{Key: 0, Min: 0, Max: 13, Floor: 3, serve: (*Server).produce},
		{Key: 1, Min: 4, Max: 18, serve: (*Server).fetch},
		{Key: 2, Min: 1, Max: 11, handle: on((*Server).listOffsets), quick: true},
		{Key: 3, Min: 0, Max: 13, handle: on((*Server).metadata)},
		{Key: 8, Min: 2, Max: 10, handle: on((*Server).offsetCommit)},
		{Key: 9, Min: 1, Max: 10, handle: on((*Server).offsetFetch)},
		{Key: 10, Min: 0, Max: 6, handle: on((*Server).findCoordinator)},
		{Key: 11, Min: 0, Max: 9, handle: on((*Server).joinGroup), keeps: true},
		{Key: 12, Min: 0, Max: 4, handle: on((*Server).heartbeat)},
		{Key: 13, Min: 0, Max: 5, handle: on((*Server).leaveGroup)},
		{Key: 14, Min: 0, Max: 5, handle: on((*Server).syncGroup), keeps: true},
		{Key: 15, Min: 0, Max: 6, handle: on((*Server).describeGroups)},
		{Key: 16, Min: 0, Max: 5, handle: on((*Server).listGroups)},
		{Key: 17, Min: 0, Max: 1, handle: on((*Server).saslHandshake), quick: true, On: OnAll},
		{Key: keyApiVersions, Min: 0, Max: 4, handle: on((*Server).apiVersions), quick: true, On: OnAll},
		{Key: 19, Min: 2, Max: 7, handle: on((*Server).createTopics), On: OnAll, to: toController, fail: failing(failCreateTopics)},
		{Key: 20, Min: 1, Max: 6, handle: on((*Server).deleteTopics), On: OnAll, to: toController, fail: failing(failDeleteTopics)},
		{Key: 21, Min: 0, Max: 2, handle: on((*Server).deleteRecords)},
		{Key: 22, Min: 0, Max: 5, handle: on((*Server).initProducerID)},
		{Key: 23, Min: 2, Max: 4, handle: on((*Server).offsetForLeaderEpoch), quick: true},
		{Key: 24, Min: 0, Max: 5, handle: on((*Server).addPartitionsToTxn)},
		{Key: 25, Min: 0, Max: 4, handle: on((*Server).addOffsetsToTxn)},
		{Key: 26, Min: 0, Max: 5, handle: on((*Server).endTxn)},
		{Key: 27, Min: 1, Max: 2, handle: on((*Server).writeTxnMarkers)},
		{Key: 28, Min: 0, Max: 5, handle: on((*Server).txnOffsetCommit)},
		{Key: 32, Min: 1, Max: 4, handle: on((*Server).describeConfigs), On: OnAll},
		{Key: 33, Min: 0, Max: 2, handle: on((*Server).alterConfigs), On: OnAll, to: inPart},
		{Key: 34, Min: 1, Max: 2, handle: on((*Server).alterReplicaLogDirs)},
		{Key: 35, Min: 1, Max: 4, handle: on((*Server).describeLogDirs)},
		{Key: 36, Min: 0, Max: 2, handle: on((*Server).saslAuthenticate), quick: true, keeps: true, On: OnAll},
		{Key: 37, Min: 0, Max: 3, handle: on((*Server).createPartitions), On: OnAll, to: toController, fail: failing(failCreatePartitions)},
		{Key: 42, Min: 0, Max: 2, handle: on((*Server).deleteGroups)},
		{Key: 43, Min: 0, Max: 2, handle: on((*Server).electLeaders), On: OnAll, to: toController, fail: failing(failElectLeaders)},
		{Key: 44, Min: 0, Max: 1, handle: on((*Server).incrementalAlterConfigs), On: OnAll, to: inPart},
		{Key: 45, Min: 0, Max: 1, handle: on((*Server).alterPartitionReassignments), On: OnAll, to: toController, fail: failing(failAlterPartitionReassignments)},
		{Key: 46, Min: 0, Max: 0, handle: on((*Server).listPartitionReassignments), On: OnAll, to: toController, fail: failing(failListPartitionReassignments)},
		{Key: 47, Min: 0, Max: 0, handle: on((*Server).offsetDelete)},
		{Key: 55, Min: 0, Max: 2, handle: on((*Server).describeQuorum), On: OnAll, to: toController, fail: failing(failDescribeQuorum)},
		{Key: 56, Min: 2, Max: 3, handle: on((*Server).alterPartition), On: OnControllers, to: toController, fail: failing(failAlterPartition)},
		{Key: 57, Min: 0, Max: 2, handle: on((*Server).updateFeatures), On: OnAll, to: toController, fail: failing(failUpdateFeatures)},
		{Key: 60, Min: 0, Max: 2, handle: on((*Server).describeCluster), quick: true, On: OnAll},
		{Key: 61, Min: 0, Max: 0, handle: on((*Server).describeProducers)},
		{Key: 62, Min: 0, Max: 4, handle: on((*Server).brokerRegistration), On: OnControllers, to: toController, fail: failing(failBrokerRegistration)},
		{Key: 63, Min: 0, Max: 1, handle: on((*Server).brokerHeartbeat), On: OnControllers, to: toController, fail: failing(failBrokerHeartbeat)},
		{Key: 64, Min: 0, Max: 0, handle: on((*Server).unregisterBroker), On: OnAll, to: toController, fail: failing(failUnregisterBroker)},
		{Key: 65, Min: 0, Max: 0, handle: on((*Server).describeTransactions)},
		{Key: 66, Min: 0, Max: 2, handle: on((*Server).listTransactions)},
		{Key: 67, Min: 0, Max: 0, handle: on((*Server).allocateProducerIDs), On: OnControllers, to: toController, fail: failing(failAllocateProducerIDs)},
		{Key: 68, Min: 0, Max: 1, handle: on((*Server).consumerGroupHeartbeat)},
		{Key: 69, Min: 0, Max: 1, handle: on((*Server).consumerGroupDescribe)},
		{Key: 70, Min: 0, Max: 0, handle: on((*Server).controllerRegistration), On: OnControllers, to: toController, fail: failing(failControllerRegistration)},
		{Key: 73, Min: 0, Max: 0, handle: on((*Server).assignReplicasToDirs), On: OnControllers, to: toController, fail: failing(failAssignReplicasToDirs)},
		{Key: 74, Min: 0, Max: 1, handle: on((*Server).listConfigResources)},
		{Key: 75, Min: 0, Max: 0, handle: on((*Server).describeTopicPartitions)},
		{Key: 76, Min: 1, Max: 1, handle: on((*Server).shareGroupHeartbeat)},
		{Key: 77, Min: 1, Max: 1, handle: on((*Server).shareGroupDescribe)},
		{Key: 78, Min: 1, Max: 2, serve: (*Server).shareFetch},
		{Key: 79, Min: 1, Max: 2, serve: (*Server).shareAcknowledges},
		{Key: 80, Min: 0, Max: 1, handle: on((*Server).addRaftVoter), On: OnAll, to: toController, fail: failing(failAddRaftVoter)},
		{Key: 81, Min: 0, Max: 0, handle: on((*Server).removeRaftVoter), On: OnAll, to: toController, fail: failing(failRemoveRaftVoter)},
		{Key: 83, Min: 0, Max: 0, handle: on((*Server).initializeShareGroupState)},
		{Key: 84, Min: 0, Max: 0, handle: on((*Server).readShareGroupState)},
		{Key: 85, Min: 0, Max: 1, handle: on((*Server).writeShareGroupState)},
		{Key: 86, Min: 0, Max: 0, handle: on((*Server).deleteShareGroupState)},
		{Key: 87, Min: 0, Max: 1, handle: on((*Server).readShareGroupStateSummary)},
		{Key: 90, Min: 0, Max: 1, handle: on((*Server).describeShareGroupOffsets)},
		{Key: 91, Min: 0, Max: 0, handle: on((*Server).alterShareGroupOffsets)},
		{Key: 92, Min: 0, Max: 0, handle: on((*Server).deleteShareGroupOffsets)},
	}
}

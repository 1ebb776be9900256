package metadata

import "github.com/odradek/odradek/internal/proto/model"

// Record is one step of the cluster's state. Records are only ever added to: a new
// field is a new version of its record, in codec.go.
type Record interface{ kind() kind }

type kind uint8

// The numbers are on disk for ever.
const (
	kindAddTopic         kind = 1
	kindRemoveTopic      kind = 2
	kindAddPartition     kind = 3
	kindChangePartition  kind = 4
	kindSetConfig        kind = 5
	kindRegisterBroker   kind = 6
	kindUnregisterBroker kind = 7
	kindChangeBroker     kind = 8
	kindProducerIDs      kind = 9
	kindSetFeature       kind = 10
	kindSetCluster       kind = 11
	kindSetController    kind = 12

	kindRegisterController   kind = 13
	kindUnregisterController kind = 14
)

// AddTopic makes a topic without partitions.
type AddTopic struct {
	Name string
	ID   model.ID
}

// RemoveTopic removes a topic, its partitions and its configs.
type RemoveTopic struct{ ID model.ID }

// AddPartition adds the next partition of a topic.
type AddPartition struct {
	Topic     model.ID
	Number    int32
	Partition Partition
}

// ChangePartition replaces what the cluster says of one partition.
type ChangePartition struct {
	Topic     model.ID
	Number    int32
	Partition Partition
}

// SetConfig sets one config of a resource, or removes it if Value is nil.
type SetConfig struct {
	Resource Resource
	Key      string
	Value    *string
}

// RegisterBroker adds a broker or replaces its registration. Its Epoch is that of
// Broker, which the controller draws.
type RegisterBroker struct{ Broker Broker }

// UnregisterBroker removes a broker for good.
type UnregisterBroker struct {
	ID    int32
	Epoch int64
}

// ChangeBroker fences, unfences or shuts down a registered broker, or tells its log
// folders anew.
type ChangeBroker struct {
	ID                   int32
	Epoch                int64
	Fenced               bool
	InControlledShutdown bool
	LogDirs              []model.ID
}

// ProducerIDs says that every producer id below Next has been given to a broker.
type ProducerIDs struct {
	Broker int32
	Epoch  int64
	Next   int64
}

// SetFeature finalizes a feature at a level; level 0 removes it.
type SetFeature struct {
	Name  string
	Level int16
}

// SetCluster names the cluster, once.
type SetCluster struct{ ID string }

// SetController says which node decides, and in which term of the quorum.
type SetController struct {
	Node  int32
	Epoch int32
}

// RegisterController adds a node that has a part in the quorum, or replaces what is
// known of it.
type RegisterController struct{ Controller Controller }

// UnregisterController forgets a node of the quorum.
type UnregisterController struct{ ID int32 }

func (AddTopic) kind() kind             { return kindAddTopic }
func (RemoveTopic) kind() kind          { return kindRemoveTopic }
func (AddPartition) kind() kind         { return kindAddPartition }
func (ChangePartition) kind() kind      { return kindChangePartition }
func (SetConfig) kind() kind            { return kindSetConfig }
func (RegisterBroker) kind() kind       { return kindRegisterBroker }
func (UnregisterBroker) kind() kind     { return kindUnregisterBroker }
func (ChangeBroker) kind() kind         { return kindChangeBroker }
func (ProducerIDs) kind() kind          { return kindProducerIDs }
func (SetFeature) kind() kind           { return kindSetFeature }
func (SetCluster) kind() kind           { return kindSetCluster }
func (SetController) kind() kind        { return kindSetController }
func (RegisterController) kind() kind   { return kindRegisterController }
func (UnregisterController) kind() kind { return kindUnregisterController }

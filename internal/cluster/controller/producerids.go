package controller

import (
	"fmt"
	"math"

	"github.com/odradek/odradek/internal/cluster/metadata"
)

// producerIDs is the size of a block.
const producerIDs = 1000

// AllocateProducerIDs decides the next block of producer ids. A block that its broker
// does not use up is lost: no id is ever given twice.
func (s State) AllocateProducerIDs(broker int32, epoch int64) (ProducerIDBlock, []metadata.Record, error) {
	if _, err := s.broker(broker, epoch); err != nil {
		return ProducerIDBlock{}, nil, err
	}
	start := s.Image.NextProducerID
	if start > math.MaxInt64-producerIDs {
		return ProducerIDBlock{}, nil, fmt.Errorf("the producer ids are exhausted at %d", start)
	}
	rec := metadata.ProducerIDs{Broker: broker, Epoch: epoch, Next: start + producerIDs}
	return ProducerIDBlock{start, producerIDs}, []metadata.Record{rec}, nil
}

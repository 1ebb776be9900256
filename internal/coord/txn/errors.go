package txn

import (
	"context"
	"errors"

	"github.com/odradek/odradek/internal/base/vfs"
	"github.com/odradek/odradek/internal/proto/model"
	"github.com/twmb/franz-go/pkg/kerr"
)

// code is what a client of the coordinator is told of err. Errors of the log become
// those after which clients look for the coordinator again, or try again.
func code(err error) int16 {
	switch {
	case err == nil:
		return 0
	case errors.Is(err, vfs.ErrNoSpace), // before the error of the disk that it comes with
		errors.Is(err, kerr.RequestTimedOut), errors.Is(err, kerr.NotEnoughReplicas),
		errors.Is(err, kerr.NotEnoughReplicasAfterAppend),
		errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return kerr.CoordinatorNotAvailable.Code
	case errors.Is(err, kerr.NotLeaderForPartition), errors.Is(err, kerr.KafkaStorageError):
		return kerr.NotCoordinator.Code
	case errors.Is(err, kerr.MessageTooLarge), errors.Is(err, kerr.RecordListTooLarge):
		return kerr.UnknownServerError.Code
	}
	return model.ErrorCode(err)
}

// unfenced is err for clients that do not know PRODUCER_FENCED.
func unfenced(err error, old bool) error {
	if old && errors.Is(err, kerr.ProducerFenced) {
		return kerr.InvalidProducerEpoch
	}
	return err
}

// lasting reports whether a partition's machine is gone, or was never here: whoever loads
// it next finds out by itself what there is to do.
func lasting(err error) bool { return errors.Is(err, kerr.NotCoordinator) }

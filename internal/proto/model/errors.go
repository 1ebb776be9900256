package model

import (
	"errors"

	"github.com/twmb/franz-go/pkg/kerr"
)

// Every floor returns the errors that a client may be told as the sentinels of
// package kerr, bare or wrapped with fmt.Errorf("…: %w", kerr.X). This file is the
// one place where they become codes.

// ErrorCode is the Kafka code of err: 0 for nil, UNKNOWN_SERVER_ERROR (-1) for an
// error that is not meant for clients.
func ErrorCode(err error) int16 {
	if err == nil {
		return 0
	}
	if ke, ok := errors.AsType[*kerr.Error](err); ok {
		return ke.Code
	}
	return kerr.UnknownServerError.Code
}

// ErrorMessage is what a client is told beside the code: the text of a wrapped
// sentinel, nil for none or for a bare one, whose name says it all. Errors that are
// not meant for clients say nothing of the inside.
func ErrorMessage(err error) *string {
	if err == nil {
		return nil
	}
	ke, ok := errors.AsType[*kerr.Error](err)
	if !ok || err == error(ke) {
		return nil
	}
	msg := ClientMessage(err)
	return &msg
}

// Explained is an error for clients with words of its own: the code of Err, the text
// of Message alone.
type Explained struct {
	Err     *kerr.Error
	Message string
}

func (e *Explained) Error() string { return e.Message }
func (e *Explained) Unwrap() error { return e.Err }

// Explain gives a sentinel words that the client will see instead of its own.
func Explain(err *kerr.Error, message string) error {
	return &Explained{Err: err, Message: message}
}

// ClientMessage is the text for clients of an error that wraps a sentinel.
func ClientMessage(err error) string {
	if ex, ok := errors.AsType[*Explained](err); ok {
		return ex.Message
	}
	return err.Error()
}

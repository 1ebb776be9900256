package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"

	"github.com/twmb/franz-go/pkg/kerr"
)

// Exit codes, which scripts may rely on.
const (
	exitOK          = 0
	exitFailed      = 1   // an operation, or any item of it, failed
	exitUsage       = 2   // the command line cannot be understood
	exitUnreachable = 3   // the cluster cannot be reached
	exitDenied      = 4   // the cluster says no
	exitNotFound    = 5   // what was named does not exist
	exitTimeout     = 6   // it took too long
	exitCheck       = 7   // a check found something (doctor)
	exitInterrupted = 130 // Ctrl-C
)

// codedError is an error that knows its exit code.
type codedError struct {
	error
	code int
}

func (e *codedError) Unwrap() error { return e.error }

// usage makes err, if it is one, an error of the command line.
func usage(err error) error {
	if err == nil {
		return nil
	}
	if coded, ok := errors.AsType[*codedError](err); ok {
		return coded
	}
	return &codedError{err, exitUsage}
}

func usagef(format string, args ...any) error { return usage(fmt.Errorf(format, args...)) }

// said adds the broker's own words to its error code.
func said(err error, message string) error {
	ke, ok := errors.AsType[*kerr.Error](err)
	if !ok || message == "" || message == ke.Description {
		return err
	}
	return fmt.Errorf("%w%s", codeOnly{ke}, strings.TrimSuffix(message, "."))
}

// codeOnly words an error of the cluster by its name and code alone.
type codeOnly struct{ sentinel *kerr.Error }

func (c codeOnly) Error() string {
	return fmt.Sprintf("%s (%d): ", c.sentinel.Message, c.sentinel.Code)
}
func (c codeOnly) Unwrap() error { return c.sentinel }

// errSilent ends a command whose items have told what was wrong with each.
var errSilent = errors.New("some items failed")

// report prints an error as one line with a hint, and returns the exit code.
func (a *App) report(err error) int {
	if err == nil {
		return exitOK
	}
	code := exitCode(err)
	if !errors.Is(err, errSilent) && code != exitInterrupted {
		fmt.Fprintf(a.Stderr, "error: %s\n", explain(err))
	}
	return code
}

func exitCode(err error) int {
	var coded *codedError
	var opErr *net.OpError
	var dnsErr *net.DNSError
	switch {
	case errors.As(err, &coded):
		return coded.code
	case errors.Is(err, context.Canceled):
		return exitInterrupted
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, kerr.RequestTimedOut):
		return exitTimeout
	case errors.Is(err, kerr.UnknownTopicOrPartition), errors.Is(err, kerr.UnknownTopicID), errors.Is(err, kerr.GroupIDNotFound),
		errors.Is(err, kerr.TransactionalIDNotFound):
		return exitNotFound
	case errors.Is(err, kerr.TopicAuthorizationFailed), errors.Is(err, kerr.GroupAuthorizationFailed), errors.Is(err, kerr.ClusterAuthorizationFailed),
		errors.Is(err, kerr.TransactionalIDAuthorizationFailed):
		return exitDenied
	case errors.As(err, &opErr), errors.As(err, &dnsErr), errors.Is(err, io.EOF), strings.HasPrefix(err.Error(), "unable to dial"):
		return exitUnreachable
	case strings.HasPrefix(err.Error(), "required flag(s)"), strings.HasPrefix(err.Error(), "unknown command"),
		strings.HasPrefix(err.Error(), "if any flags in the group"), strings.HasPrefix(err.Error(), "at least one of the flags"):
		return exitUsage
	}
	return exitFailed
}

// hints say what to do about an error of the cluster.
var hints = map[*kerr.Error]string{
	kerr.TopicAlreadyExists:        "use --if-not-exists to ignore it",
	kerr.UnknownTopicOrPartition:   "odradek topic list shows what there is",
	kerr.InvalidReplicationFactor:  "there cannot be more replicas than brokers",
	kerr.NonEmptyGroup:             "stop its members first",
	kerr.UnknownServerError:        "the node's log says more",
	kerr.InvalidPartitions:         "odradek topic describe shows how many there are",
	kerr.GroupSubscribedToTopic:    "its members read the topic now: stop them first",
	kerr.GroupIDNotFound:           "odradek group list shows what there is",
	kerr.TransactionalIDNotFound:   "odradek txn list shows what there is",
	kerr.NotLeaderForPartition:     "leadership is moving: try again",
	kerr.UnsupportedVersion:        "the cluster is too old for this request",
	kerr.PolicyViolation:           "the topic's cleanup.policy does not allow it",
	kerr.ThrottlingQuotaExceeded:   "try again later",
	kerr.CoordinatorNotAvailable:   "the coordinator is starting: try again",
	kerr.CoordinatorLoadInProgress: "the coordinator is loading: try again",
}

// explain words an error for a person: Kafka's name and code, and what to do.
func explain(err error) string {
	text := err.Error()
	if ke, ok := errors.AsType[*kerr.Error](err); ok {
		if text == ke.Error() {
			text = fmt.Sprintf("%s (%d): %s", ke.Message, ke.Code, ke.Description)
		}
		if hint := hints[ke]; hint != "" {
			text = strings.TrimSuffix(text, ".") + ". Hint: " + hint + "."
		}
	}
	if exitCode(err) == exitUnreachable {
		text += ". Is a node running there? odradek start runs one; -b HOST:PORT names another."
	}
	return text
}

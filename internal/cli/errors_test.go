package cli

import (
	"bytes"
	"context"
	"errors"
	"net"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
)

// A cluster that takes connections and says nothing is given up after --timeout.
func TestSilentClusterTimesOut(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			defer c.Close()
		}
	}()
	out, errs, env := quiet(l.Addr().String())
	if code := Main(context.Background(), env, []string{"topic", "list", "--timeout", "50ms"}); code != exitTimeout {
		t.Errorf("exit code %d, want %d: %s", code, exitTimeout, errs)
	}
	if out.Len() > 0 || !strings.HasPrefix(errs.String(), "error: ") {
		t.Errorf("stdout %q, stderr %q", out, errs)
	}
}

func TestExitCodes(t *testing.T) {
	for _, c := range []struct {
		errs []error
		want int
	}{
		{[]error{kerr.UnknownTopicOrPartition}, exitNotFound},
		{[]error{kerr.UnknownTopicOrPartition, kerr.UnknownTopicID}, exitNotFound},
		{[]error{kerr.UnknownTopicOrPartition, kerr.InvalidConfig}, exitFailed},
		{[]error{kerr.TopicAuthorizationFailed}, exitDenied},
		{[]error{kerr.RequestTimedOut}, exitTimeout},
		{[]error{errors.New("anything")}, exitFailed},
	} {
		l := &listing{}
		for _, err := range c.errs {
			l.fail("x", err)
		}
		if got := codeOf(l.errs); got != c.want {
			t.Errorf("codeOf(%v) = %d, want %d", c.errs, got, c.want)
		}
	}
}

func TestExplain(t *testing.T) {
	for _, c := range []struct {
		err  error
		want string
	}{
		{kerr.TopicAlreadyExists, "TOPIC_ALREADY_EXISTS (36): Topic with this name already exists. Hint: use --if-not-exists to ignore it."},
		{said(kerr.TopicAlreadyExists, "Topic 'x' already exists."), "TOPIC_ALREADY_EXISTS (36): Topic 'x' already exists. Hint: use --if-not-exists to ignore it."},
		{said(kerr.InvalidConfig, "Unknown topic config name: a"), "INVALID_CONFIG (40): Unknown topic config name: a"},
	} {
		if got := explain(c.err); got != c.want {
			t.Errorf("explain(%v) = %q, want %q", c.err, got, c.want)
		}
	}
	if said(nil, "nothing") != nil {
		t.Error("words made an error of none")
	}
}

// An interrupted command says nothing and ends as shells expect.
func TestInterrupted(t *testing.T) {
	var errs bytes.Buffer
	a := &App{Env: &Env{Stderr: &errs}}
	if code := a.report(context.Canceled); code != exitInterrupted || errs.Len() > 0 {
		t.Errorf("exit code %d, stderr %q", code, errs.String())
	}
}

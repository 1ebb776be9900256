package api

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/odradek/odradek/internal/cluster/controller"
	"github.com/odradek/odradek/internal/cluster/metadata"
	"github.com/odradek/odradek/internal/proto/model"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// altered is one resource of a request that changes configs, in the words of both
// requests: the old one that replaces all, and the one that changes some.
type altered struct {
	resource metadata.Resource
	changes  []controller.ConfigChange
}

func invalid(format string, args ...any) error {
	return model.Explain(kerr.InvalidRequest, fmt.Sprintf(format, args...))
}

// checkAltered finds what this broker refuses before the controller is asked; nil is
// for what goes on. Loggers are this broker's own business and go nowhere.
func (s *Server) checkAltered(r *Request, list []altered) []error {
	errs := make([]error, len(list))
	count := counts(list, func(a altered) metadata.Resource { return a.resource })
	for i, a := range list {
		if count[a.resource] > 1 {
			errs[i] = invalid("Each resource must appear at most once.")
			continue
		}
		errs[i] = s.checkChanges(r, a)
	}
	return errs
}

func (s *Server) checkChanges(r *Request, a altered) error {
	seen := make(map[string]bool)
	var nulls []string
	for _, c := range a.changes {
		if seen[c.Key] {
			return invalid("Error due to duplicate config keys")
		}
		seen[c.Key] = true
		if c.Value == nil && c.Op != controller.OpDelete {
			nulls = append(nulls, c.Key)
		}
	}
	if len(nulls) > 0 {
		return invalid("Null value not supported for : %s", strings.Join(nulls, ", "))
	}
	for _, c := range a.changes {
		if c.Op < controller.OpSet || c.Op > controller.OpSubtract {
			return invalid("Unknown operations type %d", c.Op)
		}
	}
	return s.checkResource(r, a.resource)
}

// checkResource refuses what is not this node's. The settings of other brokers come by way
// of those brokers, which check them, or from those who talk to the controller itself.
func (s *Server) checkResource(r *Request, res metadata.Resource) error {
	switch res.Type {
	case metadata.TopicResource, metadata.GroupResource, metadata.ClientMetricsResource:
		return nil
	case metadata.BrokerResource:
		if res.Name == "" || r.PassedOn || s.scope(r.Listener) == OnControllers {
			return nil
		}
		return s.checkNode(res.Name, "Unexpected broker id, expected %d, but received %s")
	case metadata.BrokerLoggerResource:
		return s.checkNode(res.Name, "Unexpected node id. Expected %d, but received %s")
	}
	return invalid("Unknown resource type %d", res.Type)
}

// checkNode refuses a question about another node's own things, in the given words.
func (s *Server) checkNode(name, other string) error {
	id, err := strconv.ParseInt(name, 10, 32)
	if err != nil {
		return invalid("Node id must be an integer, but it is: %s", name)
	}
	if int32(id) != s.cfg.NodeID {
		return invalid(other, s.cfg.NodeID, name)
	}
	return nil
}

// resource is a config resource as the cluster's metadata names it.
func resource(t kmsg.ConfigResourceType, name string) metadata.Resource {
	return metadata.Resource{Type: metadata.ResourceType(t), Name: name}
}

// fill puts the controller's results, or its refusal of all, in the places of errs that
// have none yet: those that it was asked for, in order.
func fill(errs []error, asked []int, results []controller.ConfigResult, err error) {
	for n, i := range asked {
		switch {
		case err != nil:
			errs[i] = err
		case n < len(results):
			errs[i] = results[n].Err
		default:
			errs[i] = kerr.UnknownServerError
		}
	}
}

// pick is the items at the given places.
func pick[T any](items []T, places []int) []T {
	list := make([]T, len(places))
	for i, n := range places {
		list[i] = items[n]
	}
	return list
}

package api

import (
	"context"
	"slices"
	"strconv"

	"github.com/odradek/odradek/internal/cluster/config"
	"github.com/odradek/odradek/internal/cluster/metadata"
	"github.com/odradek/odradek/internal/proto/model"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// DescribeConfigs, key 32, versions 1 to 4.
//
//	1  sources and synonyms in place of a flag (KIP-226)
//	3  types and documentation (KIP-569)
//	4  flexible
func (s *Server) describeConfigs(_ context.Context, r *Request, req *kmsg.DescribeConfigsRequest) (kmsg.Response, error) {
	resp := kmsg.NewPtrDescribeConfigsResponse()
	d := describing{server: s, image: r.Image, seen: make(map[metadata.Resource]bool)}
	for _, q := range req.Resources {
		res := kmsg.NewDescribeConfigsResponseResource()
		res.ResourceType, res.ResourceName = q.ResourceType, q.ResourceName
		entries, err := d.describe(resource(q.ResourceType, q.ResourceName))
		res.ErrorCode, res.ErrorMessage = model.ErrorCode(err), model.ErrorMessage(err)
		for _, e := range entries {
			if len(q.ConfigNames) == 0 || slices.Contains(q.ConfigNames, e.Name) {
				res.Configs = append(res.Configs, describedConfig(e, req))
			}
		}
		resp.Resources = append(resp.Resources, res)
	}
	return resp, nil
}

// maxUnset is how many resources of one request may have nothing set. Any name is one,
// and each takes much more room in the answer than in the question.
const maxUnset = 1000

// describing is one request. It bounds the answer by what there is in the cluster:
// each resource is described once.
type describing struct {
	server *Server
	image  *metadata.Image
	seen   map[metadata.Resource]bool
	unset  int
}

func (d *describing) describe(r metadata.Resource) ([]config.Entry, error) {
	if d.seen[r] {
		return nil, invalid("Each resource must appear at most once.")
	}
	d.seen[r] = true
	if r.Type != metadata.TopicResource && d.image.Configs(r) == nil {
		if d.unset++; d.unset > maxUnset {
			return nil, invalid("The request names more than %d resources that have no configs.", maxUnset)
		}
	}
	return d.server.describeResource(d.image, r)
}

// node is what the configuration of this broker is made of.
func (s *Server) node(m *metadata.Image) config.Node {
	self := strconv.Itoa(int(s.cfg.NodeID))
	return config.Node{
		Static:    s.cfg.Static,
		Default:   m.Configs(metadata.Resource{Type: metadata.BrokerResource}),
		PerBroker: m.Configs(metadata.Resource{Type: metadata.BrokerResource, Name: self}),
	}
}

func (s *Server) describeResource(m *metadata.Image, r metadata.Resource) ([]config.Entry, error) {
	switch r.Type {
	case metadata.TopicResource:
		if bad := model.ValidateTopicName(r.Name); bad != nil {
			return nil, model.Explain(kerr.InvalidTopicException, "Topic name is invalid: "+bad.Error())
		}
		if _, ok := m.Topic(r.Name); !ok {
			return nil, kerr.UnknownTopicOrPartition
		}
		return s.node(m).DescribeTopic(m.Configs(r)), nil
	case metadata.BrokerResource:
		return s.describeBroker(m, r.Name)
	case metadata.BrokerLoggerResource:
		if r.Name == "" {
			return nil, invalid("Broker id must not be empty")
		}
		if err := s.checkDescribed(r.Name, "Unexpected broker id, expected %d but received %s"); err != nil {
			return nil, err
		}
		return config.DescribeLoggers(map[string]string{rootLogger: levelName(s.cfg.LogLevel.Level())}), nil
	case metadata.ClientMetricsResource:
		if r.Name == "" {
			return nil, invalid("Client metrics subscription name must not be empty")
		}
		return config.DescribeClientMetrics(m.Configs(r)), nil
	case metadata.GroupResource:
		if r.Name == "" {
			return nil, invalid("Group name must not be empty")
		}
		return s.node(m).DescribeGroup(m.Configs(r)), nil
	}
	return nil, invalid("Unexpected resource type %d for resource %s", r.Type, r.Name)
}

func (s *Server) describeBroker(m *metadata.Image, name string) ([]config.Entry, error) {
	if name == "" {
		return s.node(m).DescribeDefaultBroker(), nil
	}
	if err := s.checkDescribed(name, "Unexpected broker id, expected %d or empty string, but received %s"); err != nil {
		return nil, err
	}
	return s.node(m).DescribeBroker(), nil
}

// checkDescribed is checkNode in the words of this request.
func (s *Server) checkDescribed(name, other string) error {
	if _, err := strconv.ParseInt(name, 10, 32); err != nil {
		return invalid("Broker id must be an integer, but it is: %s", name)
	}
	return s.checkNode(name, other)
}

func describedConfig(e config.Entry, req *kmsg.DescribeConfigsRequest) kmsg.DescribeConfigsResponseResourceConfig {
	c := kmsg.NewDescribeConfigsResponseResourceConfig()
	c.Name, c.Value, c.ReadOnly, c.IsSensitive = e.Name, e.Value, e.ReadOnly, e.Sensitive
	c.Source, c.ConfigType = kmsg.ConfigSource(e.Source), kmsg.ConfigType(e.Type)
	c.IsDefault = e.Source == config.SourceDefault
	if req.IncludeDocumentation && e.Doc != "" {
		c.Documentation = &e.Doc
	}
	if req.IncludeSynonyms {
		for _, syn := range e.Synonyms {
			c.ConfigSynonyms = append(c.ConfigSynonyms, kmsg.DescribeConfigsResponseResourceConfigConfigSynonym{
				Name: syn.Name, Value: syn.Value, Source: kmsg.ConfigSource(syn.Source)})
		}
	}
	return c
}

package api

import (
	"context"
	"slices"
	"strconv"

	"github.com/odradek/odradek/internal/cluster/metadata"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// listedTypes are the kinds of resource that have configs, in the order of the answer.
var listedTypes = []metadata.ResourceType{
	metadata.GroupResource, metadata.ClientMetricsResource,
	metadata.BrokerLoggerResource, metadata.BrokerResource, metadata.TopicResource,
}

// ListConfigResources, key 74, versions 0 and 1. Version 0 was ListClientMetricsResources
// and lists nothing else; 1 lists any kind (KIP-1142).
func (s *Server) listConfigResources(_ context.Context, r *Request, req *kmsg.ListConfigResourcesRequest) (kmsg.Response, error) {
	resp := kmsg.NewPtrListConfigResourcesResponse()
	supported := listedTypes
	if r.Version == 0 {
		supported = []metadata.ResourceType{metadata.ClientMetricsResource}
	}
	wanted := supported
	if len(req.ResourceTypes) > 0 {
		wanted = nil
		for _, t := range req.ResourceTypes {
			if !slices.Contains(supported, metadata.ResourceType(t)) {
				resp.ErrorCode = kerr.UnsupportedVersion.Code
				return resp, nil
			}
			wanted = append(wanted, metadata.ResourceType(t))
		}
	}
	for _, t := range listedTypes {
		if !slices.Contains(wanted, t) {
			continue
		}
		for _, name := range resourceNames(r, t) {
			resp.ConfigResources = append(resp.ConfigResources,
				kmsg.ListConfigResourcesResponseConfigResource{Name: name, Type: int8(t)})
		}
	}
	return resp, nil
}

// resourceNames are the resources of one kind: topics and brokers that are there, and
// of others those that have configs.
func resourceNames(r *Request, t metadata.ResourceType) []string {
	var names []string
	switch t {
	case metadata.TopicResource:
		for topic := range r.Image.Topics() {
			names = append(names, topic.Name)
		}
	case metadata.BrokerResource, metadata.BrokerLoggerResource:
		for n := range nodes(r.Image, r.Listener, true) {
			names = append(names, strconv.Itoa(int(n.id)))
		}
	default:
		for res := range r.Image.ConfigResources() {
			if res.Type == t {
				names = append(names, res.Name)
			}
		}
	}
	return names
}

package api

import (
	"context"
	"fmt"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Kinds of endpoint that DescribeCluster tells apart (KIP-919).
const (
	endpointBrokers     int8 = 1
	endpointControllers int8 = 2
)

// DescribeCluster, key 60, versions 0 to 2.
//
//	1  kind of endpoint (KIP-919)
//	2  fenced brokers (KIP-1073)
func (s *Server) describeCluster(_ context.Context, r *Request, req *kmsg.DescribeClusterRequest) (kmsg.Response, error) {
	resp := kmsg.NewPtrDescribeClusterResponse()
	if err := checkEndpoint(r, req, resp); err {
		return resp, nil
	}
	resp.EndpointType = endpointBrokers
	resp.ClusterID = r.Image.ClusterID
	if req.IncludeClusterAuthorizedOperations {
		resp.ClusterAuthorizedOperations = clusterOperations
	}
	resp.ControllerID = s.anyBroker(r.Image)
	named := false
	for n := range nodes(r.Image, r.Listener, req.IncludeFencedBrokers) {
		resp.Brokers = append(resp.Brokers, kmsg.DescribeClusterResponseBroker{
			NodeID: n.id, Host: n.host, Port: n.port, Rack: n.rack, IsFenced: n.fenced})
		named = named || n.id == resp.ControllerID
	}
	if !named {
		resp.ControllerID = -1 // not one that this listener's clients could call
	}
	return resp, nil
}

// checkEndpoint words the refusal of a question for anything but brokers.
func checkEndpoint(r *Request, req *kmsg.DescribeClusterRequest, resp *kmsg.DescribeClusterResponse) (refused bool) {
	kind := req.EndpointType
	if r.Version == 0 {
		kind = endpointBrokers
	}
	switch kind {
	case endpointBrokers:
		return false
	case endpointControllers:
		resp.ErrorCode = kerr.MismatchedEndpointType.Code
		resp.ErrorMessage = kmsg.StringPtr("The request was sent to an endpoint of type BROKER, but we wanted an endpoint of type CONTROLLER")
	default:
		resp.ErrorCode = kerr.UnsupportedEndpointType.Code
		resp.ErrorMessage = kmsg.StringPtr(fmt.Sprintf("Unsupported endpoint type %d", kind))
	}
	return true
}

package api

import (
	"context"
	"fmt"
	"slices"

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
//
// A listener of brokers tells of brokers, one of controllers of the quorum's nodes and of
// the one that is active.
func (s *Server) describeCluster(_ context.Context, r *Request, req *kmsg.DescribeClusterRequest) (kmsg.Response, error) {
	resp := kmsg.NewPtrDescribeClusterResponse()
	kind := endpointBrokers
	if s.scope(r.Listener) == OnControllers {
		kind = endpointControllers
	}
	if refused := checkEndpoint(r, req, kind, resp); refused {
		return resp, nil
	}
	resp.EndpointType = kind
	resp.ClusterID = r.Image.ClusterID
	if req.IncludeClusterAuthorizedOperations {
		resp.ClusterAuthorizedOperations = clusterOperations
	}
	if kind == endpointControllers {
		resp.ControllerID = s.cfg.Quorum().Leader
		resp.Brokers = controllers(r)
	} else {
		resp.ControllerID = s.anyBroker(r.Image)
		resp.Brokers = brokers(r, req.IncludeFencedBrokers)
	}
	if !slices.ContainsFunc(resp.Brokers, func(b kmsg.DescribeClusterResponseBroker) bool { return b.NodeID == resp.ControllerID }) {
		resp.ControllerID = -1 // not one that this listener's clients could call
	}
	return resp, nil
}

func brokers(r *Request, fenced bool) (list []kmsg.DescribeClusterResponseBroker) {
	for n := range nodes(r.Image, r.Listener, fenced) {
		list = append(list, kmsg.DescribeClusterResponseBroker{
			NodeID: n.id, Host: n.host, Port: n.port, Rack: n.rack, IsFenced: n.fenced})
	}
	return list
}

func controllers(r *Request) (list []kmsg.DescribeClusterResponseBroker) {
	for c := range r.Image.Controllers() {
		for _, e := range c.Endpoints {
			if e.Listener == r.Listener {
				list = append(list, kmsg.DescribeClusterResponseBroker{NodeID: c.ID, Host: e.Host, Port: e.Port})
			}
		}
	}
	return list
}

// checkEndpoint words the refusal of a question for the other kind of endpoint.
func checkEndpoint(r *Request, req *kmsg.DescribeClusterRequest, kind int8, resp *kmsg.DescribeClusterResponse) (refused bool) {
	asked := req.EndpointType
	if r.Version == 0 {
		asked = endpointBrokers
	}
	switch asked {
	case kind:
		return false
	case endpointBrokers, endpointControllers:
		resp.ErrorCode = kerr.MismatchedEndpointType.Code
		if r.Version == 0 {
			resp.ErrorCode = kerr.InvalidRequest.Code
		}
		resp.ErrorMessage = kmsg.StringPtr(fmt.Sprintf("The request was sent to an endpoint of type %s, but we wanted an endpoint of type %s",
			endpointName(kind), endpointName(asked)))
	default:
		resp.ErrorCode = kerr.UnsupportedEndpointType.Code
		resp.ErrorMessage = kmsg.StringPtr(fmt.Sprintf("Unsupported endpoint type %d", asked))
	}
	return true
}

func endpointName(kind int8) string {
	if kind == endpointControllers {
		return "CONTROLLER"
	}
	return "BROKER"
}

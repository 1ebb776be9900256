// Package member is a broker's side of its membership: it registers the broker, tells
// the controller by heartbeats that it lives, and knows whether the cluster may have
// given it up. It knows the requests to the controller and the image; it does not know
// how a request finds the controller, nor what a broker does while it is a member. Its
// heartbeats run on the goroutine of Run.
package member

package group

import "fmt"

// consumerProtocol is the protocol type of consumers, whose metadata the coordinator
// can read: a version, the topics and bytes of the assignor. Later versions only add to
// the end.
const consumerProtocol = "consumer"

// subscription reads the topics that a consumer subscribes to. The bytes are the
// client's and may be anything.
func subscription(metadata []byte) ([]string, error) {
	r := reader{b: metadata}
	version := r.int16()
	var topics []string
	for n := r.count(false); n > 0 && r.err == nil; n-- {
		topics = append(topics, r.string(false))
	}
	r.skipBytes()
	if r.err != nil || version < 0 {
		return nil, fmt.Errorf("consumer subscription of version %d, %d bytes: %w", version, len(metadata), errMalformed)
	}
	return topics, nil
}

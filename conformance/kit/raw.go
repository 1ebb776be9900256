package main

import (
	"context"

	"github.com/odradek/odradek/conformance/kit/peer"
)

// rawAnswer is the answer to one raw request, as text with what differs by nature
// (ids, ports, times) taken out.
type rawAnswer struct {
	place string
	text  map[string]string
}

func rawAnswers(ctx context.Context, o options, p *peer.Peer) ([]rawAnswer, error) { return nil, nil }

func compareRaw(kafka, odradek []rawAnswer) []difference { return nil }

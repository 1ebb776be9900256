package quorum

import (
	"context"
	"testing"

	"github.com/odradek/odradek/internal/base/vfs"
)

// Proposals on a real disk, one after another: each pays one sync.
func BenchmarkPropose(b *testing.B) {
	m := newMachine()
	c := config(vfs.OS, m)
	c.Dir = b.TempDir()
	q, err := Open(c)
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(b.Context())
	ended := make(chan error, 1)
	go func() { ended <- q.Run(ctx) }()
	<-m.leads
	entry := make([]byte, 200)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := q.Propose(ctx, entry); err != nil {
			b.Fatal(err)
		}
	}
	cancel()
	if err := <-ended; err != nil {
		b.Fatal(err)
	}
}

// From nothing to leading, on a real disk.
func BenchmarkStart(b *testing.B) {
	for b.Loop() {
		m := newMachine()
		c := config(vfs.OS, m)
		c.Dir = b.TempDir()
		q, err := Open(c)
		if err != nil {
			b.Fatal(err)
		}
		ctx, cancel := context.WithCancel(b.Context())
		ended := make(chan error, 1)
		go func() { ended <- q.Run(ctx) }()
		<-m.leads
		cancel()
		if err := <-ended; err != nil {
			b.Fatal(err)
		}
	}
}

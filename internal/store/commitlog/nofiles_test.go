package commitlog

import (
	"errors"
	"testing"

	"github.com/odradek/odradek/internal/base/vfs"
)

// A sync that finds no file descriptor fails, and the log does not: the next one makes
// everything durable.
func TestSyncWithoutDescriptor(t *testing.T) {
	disk := vfs.NewFaulty(newMem(t), nil)
	l := mustOpen(t, testOptions(disk, testConfig()))
	must[Appended](t)(l.AppendLeader(plain(3, 10, 1), 0, Client))
	disk.SetRule(func(op vfs.Op, _ string) error {
		if op == vfs.OpOpen || op == vfs.OpCreate || op == vfs.OpSyncDir {
			return vfs.ErrNoFiles
		}
		return nil
	})
	if _, err := l.Sync(); !errors.Is(err, vfs.ErrNoFiles) {
		t.Fatalf("sync without a descriptor: %v", err)
	}
	disk.SetRule(nil)
	must[Appended](t)(l.AppendLeader(plain(3, 10, 4), 0, Client))
	if synced, err := l.Sync(); err != nil || synced != 6 {
		t.Errorf("synced %d, %v; want 6", synced, err)
	}
}

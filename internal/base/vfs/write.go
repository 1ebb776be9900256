package vfs

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/odradek/odradek/internal/base/failpoint"
	"github.com/odradek/odradek/internal/base/planted"
)

var _ = failpoint.Register("vfs.file.before_sync", "vfs.file.before_rename", "vfs.file.before_syncdir")

// WriteFileDurable replaces a small file so that after a crash either the old or the
// new content is there, whole: temporary file, sync, rename, sync of the folder.
func WriteFileDurable(fsys FS, name string, data []byte, perm fs.FileMode) error {
	tmp := name + ".tmp"
	if err := writeAndSync(fsys, tmp, data, perm); err != nil {
		return errors.Join(fmt.Errorf("write %s: %w", tmp, err), fsys.Remove(tmp))
	}
	failpoint.Hit("vfs.file.before_rename", fsys)
	if err := fsys.Rename(tmp, name); err != nil {
		return fmt.Errorf("rename %s: %w", tmp, err)
	}
	failpoint.Hit("vfs.file.before_syncdir", fsys)
	if planted.Is(planted.SkipDirSync) {
		return nil // the new name can be seen
	}
	return fsys.SyncDir(filepath.Dir(name))
}

func writeAndSync(fsys FS, name string, data []byte, perm fs.FileMode) error {
	f, err := fsys.OpenFile(name, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, perm)
	if err != nil {
		return err
	}
	if _, err = f.WriteAt(data, 0); err == nil {
		failpoint.Hit("vfs.file.before_sync", fsys)
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// MkdirAllDurable makes a folder and its parents and syncs every folder that gained
// an entry.
func MkdirAllDurable(fsys FS, name string, perm fs.FileMode) error {
	var gained []string
	for dir := filepath.Clean(name); ; dir = filepath.Dir(dir) {
		if _, err := fsys.Stat(dir); err == nil {
			break
		} else if !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		parent := filepath.Dir(dir)
		gained = append(gained, parent)
		if parent == dir {
			break
		}
	}
	if err := fsys.MkdirAll(name, perm); err != nil {
		return err
	}
	for _, dir := range gained {
		if err := fsys.SyncDir(dir); err != nil {
			return err
		}
	}
	return nil
}

// Direct has what is written to a file from now on pass by the page cache, if its disk can.
// That is cheaper for what is made durable at once and not read: it asks for writes of
// whole blocks of 4 KiB, at such positions and from memory that begins at one, and takes
// others as before. Nothing is durable without Datasync. Reads may no more go through it.
func Direct(f File) {
	if d, ok := f.(interface{ Direct() }); ok {
		d.Direct()
	}
}

// Prewrite writes zeros to the first size bytes of a file, which are allocated already, if its
// disk is one where that pays: the first write of an allocated block is noted in the file
// system's metadata, and made durable with them, which costs as much again; later ones are not.
func Prewrite(f File, size int64) error {
	if d, ok := f.(interface{ Prewrite(size int64) error }); ok {
		return d.Prewrite(size)
	}
	return nil
}

// WriteBack asks the disk that holds a folder to write what it has in memory, if it can be
// asked, and waits for that. It makes many syncs that follow cheap, and nothing may be
// concluded from it: what did not reach the disk is told by those syncs.
func WriteBack(fsys FS, dir string) {
	if disk, ok := fsys.(interface{ WriteBack(dir string) }); ok {
		disk.WriteBack(dir)
	}
}

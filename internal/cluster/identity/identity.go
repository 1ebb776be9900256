package identity

import (
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/odradek/odradek/internal/base/vfs"
	"github.com/odradek/odradek/internal/proto/model"
)

// Config is what a node believes of itself.
type Config struct {
	FS     vfs.FS
	Dirs   []string // log folders, the metadata folder among them if it is another
	NodeID int32
	// ClusterID is what the node was told; empty if nothing: then its folders say, or,
	// if they are all new, an id is drawn.
	ClusterID string
	Rand      func([]byte) // fills its argument with random bytes
}

// Identity is who the node is.
type Identity struct {
	ClusterID string
	Dirs      []model.ID // beside Config.Dirs
	Formatted []string   // folders that were new
}

// ErrForeign is matched by the refusal of a folder that belongs to another cluster or
// node. The text says how to put it right.
var ErrForeign = errors.New("the folder does not belong to this node")

// Open reads who the node is from its folders and formats those that are new. It makes
// folders that are missing. If one is refused, none is changed.
func Open(c Config) (*Identity, error) {
	found := make([]Properties, len(c.Dirs))
	known := make([]bool, len(c.Dirs))
	var errs []error
	for i, dir := range c.Dirs {
		if err := vfs.MkdirAllDurable(c.FS, dir, 0o755); err != nil {
			return nil, fmt.Errorf("make %s: %w", dir, err)
		}
		var err error
		if found[i], known[i], err = Read(c.FS, dir); err == nil && !known[i] {
			err = checkNew(c.FS, dir)
		}
		errs = append(errs, err)
	}
	id := &Identity{ClusterID: c.ClusterID}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	if err := id.agree(c, found, known); err != nil {
		return nil, err
	}
	return id, id.format(c, found, known)
}

// agree finds the one cluster that all folders belong to, and says everything that is
// wrong.
func (id *Identity) agree(c Config, found []Properties, known []bool) error {
	var errs []error
	says := "the node was told"
	at := map[model.ID]string{}
	for i, p := range found {
		if !known[i] {
			continue
		}
		dir := c.Dirs[i]
		if id.ClusterID == "" {
			id.ClusterID, says = p.ClusterID, filepath.Join(dir, FileName)+" says"
		}
		if p.ClusterID != id.ClusterID {
			errs = append(errs, fmt.Errorf("%w: %s is of cluster %s, but %s %s: set the cluster id to %s, or take %s out of log.dirs",
				ErrForeign, dir, p.ClusterID, says, id.ClusterID, p.ClusterID, dir))
		}
		if p.NodeID != c.NodeID {
			errs = append(errs, fmt.Errorf("%w: %s is of node %d, but node.id is %d: set node.id=%d, or give this node another folder in log.dirs",
				ErrForeign, dir, p.NodeID, c.NodeID, p.NodeID))
		}
		if other, ok := at[p.DirectoryID]; ok && !p.DirectoryID.IsZero() {
			errs = append(errs, fmt.Errorf("%w: %s has the directory.id of %s, of which it must be a copy: take one of them out of log.dirs",
				ErrForeign, dir, other))
		}
		at[p.DirectoryID] = dir
	}
	return errors.Join(errs...)
}

func (id *Identity) format(c Config, found []Properties, known []bool) error {
	if id.ClusterID == "" {
		id.ClusterID = model.NewID(c.Rand).String()
	}
	for i, dir := range c.Dirs {
		p := found[i]
		if p.DirectoryID.IsZero() {
			p = Properties{id.ClusterID, c.NodeID, model.NewID(c.Rand)}
			if err := Write(c.FS, dir, p); err != nil {
				return err
			}
		}
		id.Dirs = append(id.Dirs, p.DirectoryID)
		if !known[i] {
			id.Formatted = append(id.Formatted, dir)
		}
	}
	return nil
}

// checkNew refuses to take a folder for new in which somebody has partitions.
func checkNew(fsys vfs.FS, dir string) error {
	entries, err := fsys.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("list %s: %w", dir, err)
	}
	for _, e := range entries {
		if e.IsDir() && isPartition(e.Name()) {
			return fmt.Errorf("%w: %s has the partition %s but no %s: put the file back from a copy, or take %s out of log.dirs",
				ErrForeign, dir, e.Name(), FileName, dir)
		}
	}
	return nil
}

func isPartition(name string) bool {
	i := strings.LastIndexByte(name, '-')
	if i <= 0 || model.ValidateTopicName(name[:i]) != nil {
		return false
	}
	n, err := strconv.ParseInt(name[i+1:], 10, 32)
	return err == nil && n >= 0
}

package identity

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/odradek/odradek/internal/base/vfs"
	"github.com/odradek/odradek/internal/proto/model"
)

// Config is what a node believes of itself.
type Config struct {
	FS   vfs.FS
	Dirs []string // log folders, the metadata folder among them if it is another
	// Metadata is the folder that the node cannot do without, one of Dirs.
	Metadata string
	NodeID   int32
	// ClusterID is what the node was told; empty if nothing: then its folders say, or,
	// if they are all new, an id is drawn.
	ClusterID string
	// Forming says that other nodes have or make the cluster that this one belongs to: it
	// is one of several voters, or none. Then new folders are not given an id that was
	// drawn here.
	Forming bool
	Rand    func([]byte) // fills its argument with random bytes
}

// Identity is who the node is.
type Identity struct {
	ClusterID string // empty while Forming
	// Forming says that the folders have ids, but do not know their cluster yet: call
	// Format when the cluster has a name.
	Forming   bool
	Dirs      []model.ID // beside Config.Dirs; zero where the folder failed
	Errs      []error    // beside Config.Dirs: why a folder cannot be used
	Formatted []string   // folders that were new

	config Config
}

// ErrForeign is matched by the refusal of a folder that belongs to another cluster or
// node. The text says how to put it right.
var ErrForeign = errors.New("the folder does not belong to this node")

// Open reads who the node is from its folders and formats those that are new. It makes
// folders that are missing. If one is refused, none is changed.
//
// A folder whose disk fails or whose file is damaged is left alone, and told of in Errs,
// as long as others say which cluster the node is of. If none does the node does not
// start: a new cluster in the place of one that cannot be read would be worse. Nor does
// it start without its metadata folder.
func Open(c Config) (*Identity, error) {
	id := &Identity{ClusterID: c.ClusterID, Errs: make([]error, len(c.Dirs)), config: c}
	found := make([]Properties, len(c.Dirs))
	known := make([]bool, len(c.Dirs))
	foreign, old := []error{}, false
	for i := range c.Dirs {
		var err error
		if found[i], known[i], err = look(c.FS, c.Dirs[i]); errors.Is(err, ErrForeign) {
			foreign = append(foreign, err)
		}
		id.Errs[i] = err
		old = old || known[i] && found[i].ClusterID != ""
	}
	if err := errors.Join(foreign...); err != nil {
		return nil, err
	}
	if err := id.agree(c, found, known); err != nil {
		return nil, err
	}
	if err := errors.Join(id.Errs...); err != nil && !old {
		return nil, err
	}
	id.format(c, found, known)
	if err := id.usable(); err != nil {
		return nil, err
	}
	return id, nil
}

// usable reports why the node cannot do with the folders that it has.
func (id *Identity) usable() error {
	for i, dir := range id.config.Dirs {
		if id.Errs[i] != nil && dir == id.config.Metadata {
			return fmt.Errorf("the metadata folder cannot be used: %w", id.Errs[i])
		}
	}
	if !slices.Contains(id.Errs, nil) {
		return errors.Join(id.Errs...)
	}
	return nil
}

// Format says which cluster this is, by what the cluster itself says. It completes the
// folders of a node that was Forming, durably, and refuses any other than the one that
// they know. A folder that cannot be written is told of in Errs, as by Open.
func (id *Identity) Format(clusterID string) error {
	c := id.config
	switch {
	case clusterID == "":
		panic("bug: a cluster without an id has no folders")
	case !id.Forming && clusterID == id.ClusterID:
		return nil
	case !id.Forming:
		return fmt.Errorf("%w: %s is of cluster %s, but the voters are of cluster %s: correct controller.quorum.voters or "+
			"controller.quorum.bootstrap.servers, or give the node other folders in log.dirs", ErrForeign, c.Dirs[0], id.ClusterID, clusterID)
	}
	for i, dir := range c.Dirs {
		if id.Errs[i] == nil {
			id.Errs[i] = Write(c.FS, dir, Properties{clusterID, c.NodeID, id.Dirs[i]})
		}
	}
	if err := id.usable(); err != nil {
		return err
	}
	id.ClusterID, id.Forming = clusterID, false
	return nil
}

// look reads what a folder says, which it makes if it is missing.
func look(fsys vfs.FS, dir string) (Properties, bool, error) {
	if err := vfs.MkdirAllDurable(fsys, dir, 0o755); err != nil {
		return Properties{}, false, fmt.Errorf("make %s: %w", dir, err)
	}
	p, known, err := Read(fsys, dir)
	if err == nil && !known {
		err = checkNew(fsys, dir)
	}
	return p, known, err
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
		if id.ClusterID == "" && p.ClusterID != "" {
			id.ClusterID, says = p.ClusterID, filepath.Join(dir, FileName)+" says"
		}
		if p.ClusterID != id.ClusterID && p.ClusterID != "" {
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

// format writes the file of the folders that have none, or one that lacks an id.
func (id *Identity) format(c Config, found []Properties, known []bool) {
	forming := func(i int) bool { return known[i] && found[i].ClusterID == "" }
	if id.ClusterID == "" {
		for i := range c.Dirs {
			id.Forming = id.Forming || c.Forming || forming(i)
		}
	}
	if id.ClusterID == "" && !id.Forming {
		id.ClusterID = model.NewID(c.Rand).String()
	}
	id.Dirs = make([]model.ID, len(c.Dirs))
	for i, dir := range c.Dirs {
		if id.Errs[i] != nil {
			continue
		}
		p := found[i]
		if p.DirectoryID.IsZero() || p.ClusterID != id.ClusterID {
			if p.DirectoryID.IsZero() {
				p.DirectoryID = model.NewID(c.Rand)
			}
			p.ClusterID, p.NodeID = id.ClusterID, c.NodeID
			if id.Errs[i] = Write(c.FS, dir, p); id.Errs[i] != nil {
				continue
			}
		}
		id.Dirs[i] = p.DirectoryID
		if !known[i] {
			id.Formatted = append(id.Formatted, dir)
		}
	}
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

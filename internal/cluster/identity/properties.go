package identity

import (
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/odradek/odradek/internal/base/failpoint"
	"github.com/odradek/odradek/internal/base/vfs"
	"github.com/odradek/odradek/internal/proto/model"
)

var _ = failpoint.Register("identity.format.before_write", "identity.format.after_write")

// FileName is Kafka's name of the file, in every log folder.
const FileName = "meta.properties"

// Properties is what the file says of one folder.
type Properties struct {
	ClusterID   string // empty in the folder of a node that does not know its cluster yet
	NodeID      int32
	DirectoryID model.ID // zero in a folder from before Kafka 3.7
}

// Read reads the file of a folder; false if there is none.
func Read(fsys vfs.FS, dir string) (Properties, bool, error) {
	name := filepath.Join(dir, FileName)
	b, err := vfs.ReadFile(fsys, name)
	if errors.Is(err, fs.ErrNotExist) {
		return Properties{}, false, nil
	}
	if err != nil {
		return Properties{}, false, fmt.Errorf("read %s: %w", name, err)
	}
	p, err := parse(string(b))
	if err != nil {
		return Properties{}, false, fmt.Errorf("%s: %w", name, err)
	}
	return p, true, nil
}

// Write makes the file of a folder durable.
func Write(fsys vfs.FS, dir string, p Properties) error {
	name := filepath.Join(dir, FileName)
	failpoint.Hit("identity.format.before_write", fsys)
	if err := vfs.WriteFileDurable(fsys, name, p.encode(), 0o644); err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	failpoint.Hit("identity.format.after_write", fsys)
	return nil
}

// sumPrefix begins a first line that has the checksum of all that follows, in a comment, so
// that Kafka reads the file as it reads its own. A bit that turns in the name of a key would
// take a folder its identity without anybody's noticing.
const sumPrefix = "#crc32c="

func sum(text []byte) uint32 { return crc32.Checksum(text, crc32.MakeTable(crc32.Castagnoli)) }

func (p Properties) encode() []byte {
	b := fmt.Appendf(nil, "directory.id=%s\nnode.id=%d\nversion=1\n", p.DirectoryID, p.NodeID)
	if p.ClusterID != "" {
		b = append(fmt.Appendf(nil, "cluster.id=%s\n", p.ClusterID), b...)
	}
	return append(fmt.Appendf(nil, "%s%08x\n", sumPrefix, sum(b)), b...)
}

// parse reads version 1, and version 0, in which a ZooKeeper broker wrote broker.id.
func parse(text string) (p Properties, err error) {
	if said, ok := strings.CutPrefix(text, sumPrefix); ok {
		said, text, _ = strings.Cut(said, "\n")
		if said != fmt.Sprintf("%08x", sum([]byte(text))) {
			return p, errors.New("its checksum is wrong: put the file back from a copy, or remove its first line if it was changed by hand")
		}
	}
	values := map[string]string{}
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' || line[0] == '!' {
			continue
		}
		key, value, ok := strings.Cut(line, "=")
		if !ok {
			return p, fmt.Errorf("line %q is not KEY=VALUE: put the file back from a copy", line)
		}
		values[strings.TrimSpace(key)] = strings.ReplaceAll(strings.TrimSpace(value), `\`, "")
	}
	id := "node.id"
	switch v := values["version"]; v {
	case "0":
		id = "broker.id"
	case "1":
	case "":
		return p, errors.New("it has no version: put the file back from a copy")
	default:
		return p, fmt.Errorf("version %s was written by a newer release: upgrade this node", v)
	}
	forming := id == "node.id" && values["directory.id"] != ""
	if p.ClusterID = values["cluster.id"]; p.ClusterID == "" && !forming {
		return p, errors.New("it has no cluster.id: put the file back from a copy")
	}
	n, err := strconv.ParseInt(values[id], 10, 32)
	if err != nil || n < 0 {
		return p, fmt.Errorf("%s is %q, not a number: put the file back from a copy", id, values[id])
	}
	p.NodeID = int32(n)
	if dir := values["directory.id"]; dir != "" {
		if p.DirectoryID, err = model.ParseID(dir); err != nil {
			return p, fmt.Errorf("directory.id: %w", err)
		}
	}
	return p, nil
}

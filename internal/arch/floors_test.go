package arch

import (
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/odradek/odradek/"

// floors are the storeys of the house, lowest first: a room imports from lower floors
// only. The first entry that is a prefix of a room's path gives its floor.
var floors = [][]string{
	{"internal/base/"},
	{"internal/proto/"},
	{"internal/store/"},
	{"internal/cluster/"},
	{"internal/guard/"},
	{"internal/replica/"},
	{"internal/coord/"},
	{"internal/front/"},
	{"internal/broker"},
	{"server"},
	{"internal/cli"},
	{"cmd/"},
}

// outside are the wings that meet the broker on the wire, or drive the whole of it;
// they may import anything that is public or below the roof.
var outside = []string{"conformance", "bench", "sim", "internal/arch"}

// sideways are the imports within a floor, each with its reason.
var sideways = map[[2]string]string{
	{"internal/base/vfs", "internal/base/failpoint"}:             "a small file that is replaced has steps at which a crash may come",
	{"internal/base/vfs", "internal/base/planted"}:               "a small file that is replaced is where a sync of its folder is forgotten",
	{"internal/proto/record", "internal/proto/model"}:            "errors that a client may be told",
	{"internal/proto/wire", "internal/proto/model"}:              "errors that a client may be told",
	{"internal/proto/link", "internal/proto/model"}:              "errors that a client may be told, ids of nodes' folders",
	{"internal/store/commitlog", "internal/store/producers"}:     "a log keeps its producers' state",
	{"internal/store/commitlog", "internal/store/compaction"}:    "a log compacts itself; what to keep is decided purely",
	{"internal/cluster/controller", "internal/cluster/metadata"}: "decisions are made on an image and become records",
	{"internal/cluster/member", "internal/cluster/metadata"}:     "a broker sees in the image what the cluster thinks of it",
	{"internal/cluster/peers", "internal/cluster/metadata"}:      "nodes without a vote apply what they follow",
	{"internal/cluster/brokers", "internal/cluster/metadata"}:    "the image says where brokers are",
	{"internal/cluster/peers", "internal/cluster/quorum"}:        "what it says between nodes: status and tail",
	{"internal/replica/host", "internal/replica/partition"}:      "the host keeps the partitions",
	{"internal/replica/host", "internal/replica/fetcher"}:        "the host says who follows whom",
	{"internal/replica/fetcher", "internal/replica/partition"}:   "a fetcher fills partitions that follow",
	{"internal/front/api", "internal/front/fetchsession"}:        "Fetch remembers what a client fetches",
	{"internal/front/api", "internal/front/sharesession"}:        "ShareFetch remembers what a member of a share group reads",
	{"internal/coord/group", "internal/coord/fields"}:            "a group is stored in records of Kafka's fields",
	{"internal/coord/group", "internal/coord/runtime"}:           "a group machine runs on the runtime",
	{"internal/coord/delivery", "internal/coord/share"}:          "what is stored of a share partition, in the words of who stores it",
	{"internal/coord/group", "internal/coord/share"}:             "share groups begin and end the states of what they read",
	{"internal/coord/share", "internal/coord/fields"}:            "states of share groups are stored in records of Kafka's fields",
	{"internal/coord/share", "internal/coord/runtime"}:           "states of share groups live on the runtime",
	{"internal/coord/txn", "internal/coord/fields"}:              "transactional ids are stored in records of Kafka's fields",
	{"internal/coord/txn", "internal/coord/runtime"}:             "transactional ids live on the runtime",
}

func TestImportsGoDown(t *testing.T) {
	for room, imports := range importsOf(t) {
		for _, target := range imports {
			if why := misplaced(room, target); why != "" {
				t.Errorf("%s imports %s: %s", room, target, why)
			}
		}
	}
}

func misplaced(room, target string) string {
	if hasAnyPrefix(room, outside) {
		return ""
	}
	from, to := floorOf(room), floorOf(target)
	switch {
	case from < 0:
		return "the room stands on no floor: add it to the plan"
	case to < 0:
		return "the imported room stands on no floor"
	case to > from:
		return "imports go downward only"
	case to == from && nested(room, target):
		return ""
	case to == from && sideways[[2]string{room, target}] == "":
		return "a sideways import needs a line with its reason"
	}
	return ""
}

// nested reports whether one room is a closet of the other.
func nested(a, b string) bool {
	return strings.HasPrefix(a, b+"/") || strings.HasPrefix(b, a+"/")
}

func floorOf(room string) int {
	for i, prefixes := range floors {
		if hasAnyPrefix(room+"/", prefixes) {
			return i
		}
	}
	return -1
}

func hasAnyPrefix(s string, prefixes []string) bool {
	for _, p := range prefixes {
		if strings.HasPrefix(s, p) {
			return true
		}
	}
	return false
}

func TestSidewaysListIsNotStale(t *testing.T) {
	rooms := importsOf(t)
	for pair := range sideways {
		used := false
		for _, target := range rooms[pair[0]] {
			used = used || target == pair[1]
		}
		if !used {
			t.Errorf("%s no longer imports %s: delete the line", pair[0], pair[1])
		}
	}
}

// importsOf maps each room to the rooms of the house that it imports, tests left out.
func importsOf(t *testing.T) map[string][]string {
	rooms := make(map[string][]string)
	eachGoFile(t, func(path string) {
		if strings.HasSuffix(path, "_test.go") {
			return
		}
		f, err := parser.ParseFile(token.NewFileSet(), filepath.Join(root, path), nil, parser.ImportsOnly)
		if err != nil {
			t.Fatal(err)
		}
		room := filepath.ToSlash(filepath.Dir(path))
		rooms[room] = append(rooms[room], houseImports(t, f.Imports)...)
	})
	return rooms
}

const root = "../.."

func eachGoFile(t *testing.T, visit func(path string)) {
	t.Helper()
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (strings.HasPrefix(d.Name(), ".") && d.Name() != ".." || d.Name() == "testdata" || hasOwnModule(path)) {
			return filepath.SkipDir
		}
		if rel, err := filepath.Rel(root, path); err == nil && strings.HasSuffix(rel, ".go") {
			visit(filepath.ToSlash(rel))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func hasOwnModule(dir string) bool {
	if filepath.Clean(dir) == filepath.Clean(root) {
		return false
	}
	matches, _ := filepath.Glob(filepath.Join(dir, "go.mod"))
	return len(matches) > 0
}

func unquote(s string) string {
	u, _ := strconv.Unquote(s)
	return u
}

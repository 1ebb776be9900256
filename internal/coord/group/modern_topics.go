package group

import (
	"encoding/binary"
	"maps"
	"slices"
	"unicode/utf16"

	"github.com/odradek/odradek/internal/cluster/metadata"
	"github.com/odradek/odradek/internal/coord/group/assign"
	"github.com/odradek/odradek/internal/proto/model"
	"github.com/zeebo/xxh3"
)

// topicView is the topics of the cluster as groups see them, the same all through one
// command. It remembers their hashes.
type topicView struct {
	newest func() *metadata.Image
	image  *metadata.Image
	hashes map[string]topicHash
}

// topicHash is a hash, and what it is of: topics of an image never change.
type topicHash struct {
	of   *metadata.Topic
	hash int64
}

func newTopicView(newest func() *metadata.Image) *topicView {
	if newest == nil {
		newest = metadata.Empty
	}
	return &topicView{newest: newest, image: metadata.Empty(), hashes: map[string]topicHash{}}
}

// look takes the newest image, at the beginning of a command.
func (v *topicView) look() { v.image = v.newest() }

// id finds a topic by name.
func (v *topicView) id(name string) (model.ID, bool) {
	t, ok := v.image.Topic(name)
	if !ok {
		return model.ID{}, false
	}
	return t.ID, true
}

// name finds a topic by id.
func (v *topicView) name(id model.ID) (string, bool) {
	t, ok := v.image.TopicByID(id)
	if !ok {
		return "", false
	}
	return t.Name, true
}

// ids are the topics of these names that exist.
func (v *topicView) ids(names []string) []model.ID {
	image := v.image
	ids := make([]model.ID, 0, len(names))
	for _, name := range names {
		if t, ok := image.Topic(name); ok {
			ids = append(ids, t.ID)
		}
	}
	return ids
}

// describe is what an assignor is told of the topics of these names that exist.
func (v *topicView) describe(topics map[string]subscribers) map[model.ID]assign.Topic {
	image := v.image
	described := make(map[model.ID]assign.Topic, len(topics))
	for name := range topics {
		if t, ok := image.Topic(name); ok {
			described[t.ID] = assign.Topic{
				ID: t.ID, Name: t.Name, Partitions: int32(len(t.Partitions)),
				Racks: func(p int32) []string { return racksOf(image, t.Partitions[p]) },
			}
		}
	}
	return described
}

// racksOf are the racks of a partition's replicas.
func racksOf(image *metadata.Image, p *metadata.Partition) []string {
	var racks []string
	for _, id := range p.Replicas {
		if b, ok := image.Broker(id); ok && b.Rack != nil && *b.Rack != "" {
			racks = append(racks, *b.Rack)
		}
	}
	return racks
}

// hash is what Kafka keeps of the topics that a group subscribes to, to notice that they
// have changed (KIP-1101): the hash of the hashes of those that exist, by name, 0 if none
// does.
func (v *topicView) hash(topics map[string]subscribers) int64 {
	image := v.image
	var b []byte
	for _, name := range slices.Sorted(maps.Keys(topics)) {
		t, ok := image.Topic(name)
		if !ok {
			delete(v.hashes, name)
			continue
		}
		known, ok := v.hashes[name]
		if !ok || known.of != t {
			known = topicHash{of: t, hash: hashTopic(image, t)}
			v.hashes[name] = known
		}
		b = binary.LittleEndian.AppendUint64(b, uint64(known.hash))
	}
	if len(b) == 0 {
		return 0
	}
	return int64(xxh3.Hash(b))
}

// forget drops the hash of a topic that nobody may ask for any more.
func (v *topicView) forget(name string) { delete(v.hashes, name) }

// hashTopic hashes a topic: a byte 0 for the version of the hash, the id in two halves,
// the name, the number of partitions, and of each partition the number and the sorted
// racks, each with its length. Numbers are little endian, strings are UTF-16 and, with
// their length after them, as hash4j puts them.
func hashTopic(image *metadata.Image, t *metadata.Topic) int64 {
	b := make([]byte, 0, 64+4*len(t.Name)+4*len(t.Partitions))
	b = append(b, 0)
	b = binary.LittleEndian.AppendUint64(b, binary.BigEndian.Uint64(t.ID[:8]))
	b = binary.LittleEndian.AppendUint64(b, binary.BigEndian.Uint64(t.ID[8:]))
	b = hashedString(b, t.Name)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(t.Partitions)))
	for i, p := range t.Partitions {
		b = binary.LittleEndian.AppendUint32(b, uint32(i))
		racks := racksOf(image, p)
		slices.Sort(racks)
		for _, rack := range racks {
			b = binary.LittleEndian.AppendUint32(b, uint32(len(utf16.Encode([]rune(rack)))))
			b = hashedString(b, rack)
		}
	}
	return int64(xxh3.Hash(b))
}

func hashedString(b []byte, s string) []byte {
	units := utf16.Encode([]rune(s))
	for _, u := range units {
		b = binary.LittleEndian.AppendUint16(b, u)
	}
	return binary.LittleEndian.AppendUint32(b, uint32(len(units)))
}

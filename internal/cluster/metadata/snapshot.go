package metadata

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
)

// A snapshot is the image as the fewest records that make it, in a fixed order: equal
// images are equal bytes, however they came about.
//
//	0   8  magic "ODRDKIMG"
//	8   1  format, 1
//	9   8  offset of the image
//	17  4  CRC-32C of the rest and of the offset before it
//	21  …  records, as in an entry (Encode)
const (
	snapshotMagic  = "ODRDKIMG"
	snapshotFormat = 1
	snapshotHeader = 21
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// ErrCorruptSnapshot is matched by the refusal of bytes that are not a whole
// snapshot.
var ErrCorruptSnapshot = errors.New("metadata snapshot is corrupt")

// Encode writes the image as a snapshot.
func (m *Image) Encode() []byte {
	b := append(make([]byte, 0, snapshotHeader+64*m.partitions), snapshotMagic...)
	b = append(b, snapshotFormat)
	b = binary.BigEndian.AppendUint64(b, uint64(m.Offset))
	b = append(b, 0, 0, 0, 0)
	b = Encode(b, m.records())
	binary.BigEndian.PutUint32(b[17:], snapshotSum(b))
	return b
}

// DecodeImage reads a snapshot and refuses one with a single wrong bit.
func DecodeImage(b []byte) (*Image, error) {
	if len(b) < snapshotHeader || string(b[:8]) != snapshotMagic {
		return nil, fmt.Errorf("%w: it does not begin as one", ErrCorruptSnapshot)
	}
	if b[8] != snapshotFormat {
		return nil, fmt.Errorf("snapshot format %d: %w", b[8], ErrUnknownRecord)
	}
	if sum := binary.BigEndian.Uint32(b[17:]); sum != snapshotSum(b) {
		return nil, fmt.Errorf("%w: checksum %08x, want %08x", ErrCorruptSnapshot, snapshotSum(b), sum)
	}
	recs, err := Decode(b[snapshotHeader:])
	if err != nil {
		return nil, fmt.Errorf("metadata snapshot: %w", err)
	}
	m, err := Empty().Apply(recs, int64(binary.BigEndian.Uint64(b[9:])))
	if err != nil {
		return nil, fmt.Errorf("metadata snapshot: %w", err)
	}
	return m, nil
}

func snapshotSum(b []byte) uint32 {
	return crc32.Update(crc32.Checksum(b[9:17], castagnoli), castagnoli, b[snapshotHeader:])
}

// records are the fewest that make this image out of the empty one.
func (m *Image) records() []Record {
	recs := make([]Record, 0, 8+m.TopicCount()+m.PartitionCount())
	if m.ClusterID != "" {
		recs = append(recs, SetCluster{m.ClusterID})
	}
	recs = append(recs, SetController{m.ControllerID, m.ControllerEpoch})
	if m.NextProducerID > 0 {
		recs = append(recs, ProducerIDs{Broker: -1, Epoch: -1, Next: m.NextProducerID})
	}
	for name, level := range m.Features() {
		recs = append(recs, SetFeature{name, level})
	}
	for b := range m.Brokers() {
		recs = append(recs, RegisterBroker{*b})
	}
	for t := range m.Topics() {
		recs = append(recs, AddTopic{t.Name, t.ID})
		for i, p := range t.Partitions {
			recs = append(recs, AddPartition{t.ID, int32(i), *p})
		}
	}
	for r, c := range m.ConfigResources() {
		for _, key := range sortedKeys(c) {
			value := c[key]
			recs = append(recs, SetConfig{r, key, &value})
		}
	}
	return recs
}

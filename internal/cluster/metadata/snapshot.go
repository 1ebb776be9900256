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
	b := append(make([]byte, 0, snapshotHeader+128*m.partitions), snapshotMagic...)
	b = append(b, snapshotFormat)
	b = binary.BigEndian.AppendUint64(b, uint64(m.Offset))
	b = append(b, 0, 0, 0, 0)
	b = append(b, formatEntry)
	b = binary.AppendUvarint(b, uint64(m.recordCount()))
	var body []byte
	m.records(func(rec Record) { b, body = appendRecord(b, body, rec) })
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

// Records are the fewest records that make this image, in the order of a snapshot.
func (m *Image) Records() []Record {
	list := make([]Record, 0, m.recordCount())
	m.records(func(r Record) { list = append(list, r) })
	return list
}

// recordCount is how many records there are to add.
func (m *Image) recordCount() int {
	n := 1 + m.TopicCount() + m.PartitionCount() + m.BrokerCount() + m.features.len() + m.controllers.len()
	if m.ClusterID != "" {
		n++
	}
	if m.NextProducerID > 0 {
		n++
	}
	for _, c := range m.ConfigResources() {
		n += len(c)
	}
	return n
}

// records calls add with the fewest records that make this image out of the empty one.
// They are not collected: at 100,000 partitions that would be tens of megabytes.
func (m *Image) records(add func(Record)) {
	if m.ClusterID != "" {
		add(SetCluster{m.ClusterID})
	}
	add(SetController{m.ControllerID, m.ControllerEpoch})
	if m.NextProducerID > 0 {
		add(ProducerIDs{Broker: -1, Epoch: -1, Next: m.NextProducerID})
	}
	for name, level := range m.Features() {
		add(SetFeature{name, level})
	}
	for c := range m.Controllers() {
		add(RegisterController{*c})
	}
	for b := range m.Brokers() {
		add(RegisterBroker{*b})
	}
	for t := range m.Topics() {
		add(AddTopic{t.Name, t.ID})
		for i, p := range t.Partitions {
			add(AddPartition{t.ID, int32(i), *p})
		}
	}
	for r, c := range m.ConfigResources() {
		for _, key := range sortedKeys(c) {
			value := c[key]
			add(SetConfig{r, key, &value})
		}
	}
}

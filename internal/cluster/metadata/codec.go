package metadata

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/odradek/odradek/internal/proto/model"
)

// ErrUnknownRecord is matched by the refusal of a record that a newer release wrote.
// A node that meets one must not start: to skip it would be to disagree with the
// cluster.
var ErrUnknownRecord = errors.New("written by a newer release: upgrade this node")

// formatEntry is the version of the frame around the records of an entry.
const formatEntry = 1

// versionOf is the newest version of each record, which is the one that is written.
// Add a field: raise the version here, and read it in decode only from that version.
var versionOf = map[kind]uint8{
	kindAddTopic: 0, kindRemoveTopic: 0, kindAddPartition: 0, kindChangePartition: 0,
	kindSetConfig: 0, kindRegisterBroker: 0, kindUnregisterBroker: 0, kindChangeBroker: 0,
	kindProducerIDs: 0, kindSetFeature: 0, kindSetCluster: 0, kindSetController: 0,
	kindRegisterController: 0, kindUnregisterController: 0,
}

// Encode appends the records of one decision to dst.
//
//	u8      format, 1
//	uvarint number of records
//	each:   u8 kind, u8 version, uvarint length of the body, body
func Encode(dst []byte, recs []Record) []byte {
	dst = append(dst, formatEntry)
	dst = binary.AppendUvarint(dst, uint64(len(recs)))
	var body []byte
	for _, rec := range recs {
		dst, body = appendRecord(dst, body, rec)
	}
	return dst
}

// appendRecord writes one record; body is a buffer that it returns for the next.
func appendRecord(dst, body []byte, rec Record) (grown, buffer []byte) {
	dst = append(dst, byte(rec.kind()), versionOf[rec.kind()])
	body = encode(body[:0], rec)
	dst = binary.AppendUvarint(dst, uint64(len(body)))
	return append(dst, body...), body
}

// Decode reads what Encode wrote. Every byte must be accounted for.
func Decode(b []byte) ([]Record, error) {
	r := reader{b: b}
	if format := r.u8(); r.err == nil && format != formatEntry {
		return nil, fmt.Errorf("entry format %d: %w", format, ErrUnknownRecord)
	}
	n := r.count(3) // a record is no less than kind, version and length
	recs := make([]Record, 0, n)
	for i := 0; i < n && r.err == nil; i++ {
		k, version := kind(r.u8()), r.u8()
		body := r.bytes()
		if r.err != nil {
			break
		}
		rec, err := decode(k, version, body)
		if err != nil {
			return nil, fmt.Errorf("record %d: %w", i, err)
		}
		recs = append(recs, rec)
	}
	return recs, r.end()
}

func encode(dst []byte, rec Record) []byte {
	w := writer{dst}
	switch r := rec.(type) {
	case AddTopic:
		w.str(r.Name)
		w.id(r.ID)
	case RemoveTopic:
		w.id(r.ID)
	case AddPartition:
		w.partition(r.Topic, r.Number, &r.Partition)
	case ChangePartition:
		w.partition(r.Topic, r.Number, &r.Partition)
	case SetConfig:
		w.u8(uint8(r.Resource.Type))
		w.str(r.Resource.Name)
		w.str(r.Key)
		w.optional(r.Value)
	case RegisterBroker:
		w.broker(&r.Broker)
	case UnregisterBroker:
		w.varint(int64(r.ID))
		w.varint(r.Epoch)
	case ChangeBroker:
		w.varint(int64(r.ID))
		w.varint(r.Epoch)
		w.bool(r.Fenced)
		w.bool(r.InControlledShutdown)
		w.ids(r.LogDirs)
	case ProducerIDs:
		w.varint(int64(r.Broker))
		w.varint(r.Epoch)
		w.varint(r.Next)
	case SetFeature:
		w.str(r.Name)
		w.varint(int64(r.Level))
	case SetCluster:
		w.str(r.ID)
	case SetController:
		w.varint(int64(r.Node))
		w.varint(int64(r.Epoch))
	case RegisterController:
		w.controller(&r.Controller)
	case UnregisterController:
		w.varint(int64(r.ID))
	default:
		panic(fmt.Sprintf("bug: record %T cannot be written", rec))
	}
	return w.b
}

func decode(k kind, version uint8, body []byte) (Record, error) {
	newest, known := versionOf[k]
	if !known {
		return nil, fmt.Errorf("kind %d: %w", k, ErrUnknownRecord)
	}
	if version > newest {
		return nil, fmt.Errorf("version %d of kind %d: %w", version, k, ErrUnknownRecord)
	}
	r := &reader{b: body}
	rec := decodeBody(r, k)
	if err := r.end(); err != nil {
		return nil, fmt.Errorf("kind %d: %w", k, err)
	}
	return rec, nil
}

func decodeBody(r *reader, k kind) Record {
	switch k {
	case kindAddTopic:
		return AddTopic{Name: r.str(), ID: r.id()}
	case kindRemoveTopic:
		return RemoveTopic{ID: r.id()}
	case kindAddPartition:
		var a AddPartition
		r.partition(&a.Topic, &a.Number, &a.Partition)
		return a
	case kindChangePartition:
		var c ChangePartition
		r.partition(&c.Topic, &c.Number, &c.Partition)
		return c
	case kindSetConfig:
		return SetConfig{Resource{ResourceType(r.u8()), r.str()}, r.str(), r.optional()}
	case kindRegisterBroker:
		return RegisterBroker{r.broker()}
	case kindUnregisterBroker:
		return UnregisterBroker{ID: r.int32(), Epoch: r.varint()}
	case kindChangeBroker:
		return ChangeBroker{r.int32(), r.varint(), r.bool(), r.bool(), r.ids()}
	case kindProducerIDs:
		return ProducerIDs{Broker: r.int32(), Epoch: r.varint(), Next: r.varint()}
	case kindSetFeature:
		return SetFeature{Name: r.str(), Level: r.int16()}
	case kindSetCluster:
		return SetCluster{ID: r.str()}
	case kindSetController:
		return SetController{Node: r.int32(), Epoch: r.int32()}
	case kindRegisterController:
		return RegisterController{r.controller()}
	case kindUnregisterController:
		return UnregisterController{ID: r.int32()}
	default:
		panic(fmt.Sprintf("bug: kind %d cannot be read", k))
	}
}

func (w *writer) partition(topic model.ID, number int32, p *Partition) {
	w.id(topic)
	w.varint(int64(number))
	w.varint(int64(p.Leader))
	w.varint(int64(p.LeaderEpoch))
	w.varint(int64(p.PartitionEpoch))
	w.u8(uint8(p.Recovery))
	w.int32s(p.Replicas)
	w.int32s(p.ISR)
	w.int32s(p.ELR)
	w.int32s(p.LastKnownELR)
	w.int32s(p.Adding)
	w.int32s(p.Removing)
	w.ids(p.Dirs)
}

func (r *reader) partition(topic *model.ID, number *int32, p *Partition) {
	*topic, *number = r.id(), r.int32()
	p.Leader, p.LeaderEpoch, p.PartitionEpoch = r.int32(), r.int32(), r.int32()
	p.Recovery = Recovery(r.u8())
	p.Replicas, p.ISR = r.int32s(), r.int32s()
	p.ELR, p.LastKnownELR = r.int32s(), r.int32s()
	p.Adding, p.Removing = r.int32s(), r.int32s()
	p.Dirs = r.ids()
}

func (w *writer) broker(b *Broker) {
	w.varint(int64(b.ID))
	w.varint(b.Epoch)
	w.id(b.Incarnation)
	w.optional(b.Rack)
	w.endpoints(b.Endpoints)
	w.features(b.Features)
	w.ids(b.LogDirs)
	w.bool(b.Fenced)
	w.bool(b.InControlledShutdown)
}

func (r *reader) broker() (b Broker) {
	b.ID, b.Epoch, b.Incarnation, b.Rack = r.int32(), r.varint(), r.id(), r.optional()
	b.Endpoints, b.Features = r.endpoints(), r.features()
	b.LogDirs, b.Fenced, b.InControlledShutdown = r.ids(), r.bool(), r.bool()
	return b
}

func (w *writer) controller(c *Controller) {
	w.varint(int64(c.ID))
	w.id(c.Incarnation)
	w.id(c.Directory)
	w.endpoints(c.Endpoints)
	w.features(c.Features)
}

func (r *reader) controller() (c Controller) {
	c.ID, c.Incarnation, c.Directory = r.int32(), r.id(), r.id()
	c.Endpoints, c.Features = r.endpoints(), r.features()
	return c
}

func (w *writer) endpoints(list []Endpoint) {
	w.uvarint(uint64(len(list)))
	for _, e := range list {
		w.str(e.Listener)
		w.str(e.Host)
		w.varint(int64(e.Port))
		w.varint(int64(e.Protocol))
	}
}

func (r *reader) endpoints() (list []Endpoint) {
	for range r.count(4) {
		list = append(list, Endpoint{r.str(), r.str(), r.int32(), r.int16()})
	}
	return list
}

func (w *writer) features(list []FeatureRange) {
	w.uvarint(uint64(len(list)))
	for _, f := range list {
		w.str(f.Name)
		w.varint(int64(f.Min))
		w.varint(int64(f.Max))
	}
}

func (r *reader) features() (list []FeatureRange) {
	for range r.count(3) {
		list = append(list, FeatureRange{r.str(), r.int16(), r.int16()})
	}
	return list
}

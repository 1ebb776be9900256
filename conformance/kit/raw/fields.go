package raw

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"reflect"
	"sort"
	"strings"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// Fields are the fields of an answer by their path, with what differs by nature taken
// out: ids that are drawn, ports, sizes of disks, times of day.
type Fields map[string]string

// drawn are fields whose value is drawn or depends on the machine. What is compared is
// whether they have one.
var drawn = map[string]bool{
	"TopicID": true, "ClusterID": true, "Port": true, "Dir": true, "TotalBytes": true, "UsableBytes": true, "MemberID": true,
	"ProducerID": true, "SessionID": true, "ReplicaDirectoryID": true, "LogEndOffset": true, "FinalizedFeaturesEpoch": true,
	"LastFetchTimestamp": true, "StartTimestamp": true, "LastCaughtUpTimestamp": true, "BrokerEpoch": true,
}

// ourMember is what the ids of members begin with that the cases name themselves.
const ourMember = "raw-member-"

// fields takes an answer apart.
func fields(answer any) Fields {
	f := make(Fields)
	f.add("", "", reflect.ValueOf(answer))
	return f
}

func (f Fields) add(path, name string, v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() {
			f[path] = "null"
			return
		}
		f.add(path, name, v.Elem())
	case reflect.Struct:
		for i := range v.NumField() {
			field := v.Type().Field(i)
			if field.Name == "Version" || !field.IsExported() {
				continue
			}
			if field.Name == "UnknownTags" {
				f.tags(path, v.Field(i))
				continue
			}
			f.add(path+"."+field.Name, field.Name, v.Field(i))
		}
	case reflect.Slice:
		f.slice(path, name, v)
	default:
		f.leaf(path, name, v)
	}
}

func (f Fields) tags(path string, v reflect.Value) {
	tags := v.Interface().(kmsg.Tags)
	if n := tags.Len(); n > 0 {
		f[path+".unknown tags"] = fmt.Sprint(n)
	}
}

func (f Fields) slice(path, name string, v reflect.Value) {
	switch {
	case v.IsNil():
		f[path] = "null"
	case v.Type().Elem().Kind() == reflect.Uint8:
		f[path] = hex.EncodeToString(v.Bytes())
		if drawn[name] {
			f[path] = presence(len(v.Bytes()) > 0)
		}
	default:
		f[path+".len"] = fmt.Sprint(v.Len())
		parts := make([]Fields, v.Len())
		for i := range parts {
			parts[i] = make(Fields)
			parts[i].add("", name, v.Index(i))
		}
		// The order of a list is the node's own choice.
		sort.SliceStable(parts, func(i, j int) bool { return parts[i].key() < parts[j].key() })
		for i, p := range parts {
			for k, value := range p {
				f[path+"["+p.label(i)+"]"+k] = value
			}
		}
	}
}

// naming are the fields that tell one element of a list from another.
var naming = []string{".ApiKey", ".Name", ".ConfigName", ".ResourceName", ".Topic", ".Group", ".Key", ".Partition", ".ProtocolType", ".NodeID", ".Host", ".TransactionalID", ".GroupID", ".FirstOffset", ".InstanceID", ".MemberID", ""}

func (f Fields) key() string {
	var b strings.Builder
	for _, n := range naming {
		if v, ok := f[n]; ok {
			fmt.Fprintf(&b, "%8s|", v)
		}
	}
	return b.String()
}

func (f Fields) label(i int) string {
	for _, n := range naming[:len(naming)-1] {
		if v, ok := f[n]; ok && v != "" && v != "null" && v != "some" && v != "none" && len(v) < 60 {
			return v
		}
	}
	return fmt.Sprint(i)
}

func (f Fields) leaf(path, name string, v reflect.Value) {
	text := fmt.Sprint(v.Interface())
	if b, ok := v.Interface().([16]byte); ok {
		text = presence(!bytes.Equal(b[:], make([]byte, 16)))
	} else if drawn[name] && !strings.HasPrefix(text, ourMember) {
		text = presence(!v.IsZero() && text != "-1")
	}
	f[path] = text
}

func presence(there bool) string {
	if there {
		return "some"
	}
	return "none"
}

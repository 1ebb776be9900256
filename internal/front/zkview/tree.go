package zkview

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/odradek/odradek/internal/cluster/metadata"
)

// znode is a node of ZooKeeper's tree. data is nil where a Kafka writes none.
type znode struct {
	data     []byte
	children []string // sorted
	stat
}

// stat is what ZooKeeper tells beside the data. Times are not known and left zero;
// created and modified are offsets in the cluster's log where they are known.
type stat struct {
	created, modified int64
	version           int32
	owner             int64 // of a node that ends with its session, 0 else
	bytes, children   int
}

// equal reports whether nobody who looks at two nodes could tell them apart by data.
func (n *znode) equal(o *znode) bool {
	if n == nil || o == nil {
		return n == o
	}
	return string(n.data) == string(o.data) && n.version == o.version && n.created == o.created
}

// look finds the node at a path of an image, or nil.
func look(m *metadata.Image, path string) *znode {
	if path == "/" {
		return branch("admin", "brokers", "cluster", "config", "consumers", "controller", "controller_epoch",
			"isr_change_notification", "latest_producer_id_block", "log_dir_event_notification", "zookeeper")
	}
	if !strings.HasPrefix(path, "/") || strings.HasSuffix(path, "/") {
		return nil
	}
	part := strings.Split(path[1:], "/")
	n := under(m, part[0], part[1:])
	if n != nil {
		n.bytes, n.stat.children = len(n.data), len(n.children)
	}
	return n
}

func under(m *metadata.Image, root string, rest []string) *znode {
	switch root {
	case "brokers":
		return brokers(m, rest)
	case "config":
		return configs(m, rest)
	case "cluster":
		return oneBelow(rest, "id", func() *znode {
			return leaf(map[string]any{"version": "1", "id": m.ClusterID})
		})
	case "admin":
		return oneBelow(rest, "delete_topics", func() *znode { return branch() })
	}
	if len(rest) > 0 {
		return nil
	}
	switch root {
	case "controller":
		return controller(m)
	case "controller_epoch":
		return &znode{data: strconv.AppendInt(nil, int64(m.ControllerEpoch), 10)}
	case "latest_producer_id_block":
		return &znode{data: fmt.Appendf(nil, `{"version":1,"broker":-1,"block_start":"0","block_end":"%d"}`, m.NextProducerID-1)}
	case "consumers", "isr_change_notification", "log_dir_event_notification", "zookeeper":
		return branch()
	}
	return nil
}

// oneBelow is a folder with one node.
func oneBelow(rest []string, name string, below func() *znode) *znode {
	switch {
	case len(rest) == 0:
		return branch(name)
	case len(rest) == 1 && rest[0] == name:
		return below()
	}
	return nil
}

func branch(children ...string) *znode {
	return &znode{children: children, stat: stat{children: len(children)}}
}

func leaf(v any) *znode {
	data, err := json.Marshal(v)
	if err != nil {
		panic("bug: " + err.Error())
	}
	return &znode{data: data}
}

// controller is the broker that decides; there is none while nobody does, or if the
// controllers are no brokers.
func controller(m *metadata.Image) *znode {
	if m.ControllerEpoch == 0 {
		return nil
	}
	n := &znode{data: fmt.Appendf(nil, `{"version":2,"brokerid":%d,"timestamp":"-1","kraftControllerEpoch":%d}`, m.ControllerID, m.ControllerEpoch)}
	n.version, n.owner = m.ControllerEpoch, int64(m.ControllerID)+1
	return n
}

func brokers(m *metadata.Image, rest []string) *znode {
	switch {
	case len(rest) == 0:
		return branch("ids", "seqid", "topics")
	case rest[0] == "seqid" && len(rest) == 1:
		return branch()
	case rest[0] == "ids" && len(rest) == 1:
		return branch(liveIDs(m)...)
	case rest[0] == "ids" && len(rest) == 2:
		return broker(m, rest[1])
	case rest[0] == "topics" && len(rest) == 1:
		return branch(topicNames(m)...)
	case rest[0] == "topics":
		if t, ok := m.Topic(rest[1]); ok {
			return topic(m, t, rest[2:])
		}
	}
	return nil
}

// liveIDs are the brokers that serve, as ZooKeeper would have their sessions.
func liveIDs(m *metadata.Image) []string {
	var ids []string
	for b := range m.Brokers() {
		if !b.Fenced {
			ids = append(ids, strconv.Itoa(int(b.ID)))
		}
	}
	slices.Sort(ids)
	return ids
}

func topicNames(m *metadata.Image) []string {
	names := make([]string, 0, m.TopicCount())
	for t := range m.Topics() {
		names = append(names, t.Name)
	}
	slices.Sort(names)
	return names
}

var protocols = []string{"PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"}

func broker(m *metadata.Image, name string) *znode {
	id, err := strconv.ParseInt(name, 10, 32)
	if err != nil || strconv.FormatInt(id, 10) != name {
		return nil
	}
	b, ok := m.Broker(int32(id))
	if !ok || b.Fenced {
		return nil
	}
	v := struct {
		Features  map[string]any    `json:"features"`
		Protocols map[string]string `json:"listener_security_protocol_map"`
		Endpoints []string          `json:"endpoints"`
		JMX       int               `json:"jmx_port"`
		Port      int32             `json:"port"`
		Host      *string           `json:"host"`
		Version   int               `json:"version"`
		Timestamp string            `json:"timestamp"`
		Rack      *string           `json:"rack,omitempty"`
	}{Features: map[string]any{}, Protocols: map[string]string{}, JMX: -1, Port: -1, Version: 5, Timestamp: "-1", Rack: b.Rack}
	for _, e := range b.Endpoints {
		if e.Protocol < 0 || int(e.Protocol) >= len(protocols) {
			continue
		}
		v.Protocols[e.Listener] = protocols[e.Protocol]
		v.Endpoints = append(v.Endpoints, fmt.Sprintf("%s://%s:%d", e.Listener, e.Host, e.Port))
		if v.Host == nil && e.Protocol == 0 {
			v.Host, v.Port = &e.Host, e.Port
		}
	}
	n := leaf(v)
	n.created, n.modified, n.owner = b.Epoch, b.Epoch, b.Epoch+1
	return n
}

func topic(m *metadata.Image, t *metadata.Topic, rest []string) *znode {
	switch {
	case len(rest) == 0:
		n := leaf(assignment(t))
		n.children = []string{"partitions"}
		return n
	case rest[0] != "partitions" || len(rest) > 3:
		return nil
	case len(rest) == 1:
		return branch(numbers(len(t.Partitions))...)
	}
	i, err := strconv.Atoi(rest[1])
	if err != nil || strconv.Itoa(i) != rest[1] || i < 0 || i >= len(t.Partitions) {
		return nil
	}
	if len(rest) == 2 {
		return branch("state")
	}
	if rest[2] != "state" {
		return nil
	}
	p := t.Partitions[i]
	n := leaf(struct {
		Controller int32   `json:"controller_epoch"`
		Leader     int32   `json:"leader"`
		Version    int     `json:"version"`
		Epoch      int32   `json:"leader_epoch"`
		ISR        []int32 `json:"isr"`
	}{m.ControllerEpoch, p.Leader, 1, p.LeaderEpoch, some(p.ISR)})
	n.version = p.PartitionEpoch
	return n
}

func assignment(t *metadata.Topic) any {
	v := struct {
		Partitions map[string][]int32 `json:"partitions"`
		ID         string             `json:"topic_id"`
		Adding     map[string][]int32 `json:"adding_replicas"`
		Removing   map[string][]int32 `json:"removing_replicas"`
		Version    int                `json:"version"`
	}{map[string][]int32{}, t.ID.String(), map[string][]int32{}, map[string][]int32{}, 3}
	for i, p := range t.Partitions {
		n := strconv.Itoa(i)
		v.Partitions[n] = some(p.Replicas)
		if len(p.Adding) > 0 {
			v.Adding[n] = p.Adding
		}
		if len(p.Removing) > 0 {
			v.Removing[n] = p.Removing
		}
	}
	return v
}

// some is a list that JSON writes as [] when it is empty.
func some(list []int32) []int32 {
	if list == nil {
		return []int32{}
	}
	return list
}

func numbers(n int) []string {
	list := make([]string, n)
	for i := range list {
		list[i] = strconv.Itoa(i)
	}
	slices.Sort(list)
	return list
}

// kinds are the folders of /config and what they hold.
var kinds = map[string]metadata.ResourceType{"topics": metadata.TopicResource, "brokers": metadata.BrokerResource}

func configs(m *metadata.Image, rest []string) *znode {
	if len(rest) == 0 {
		return branch("brokers", "changes", "clients", "ips", "topics", "users")
	}
	kind, known := kinds[rest[0]]
	switch {
	case !known && len(rest) == 1 && slices.Contains([]string{"changes", "clients", "ips", "users"}, rest[0]):
		return branch()
	case !known || len(rest) > 2:
		return nil
	case len(rest) == 1 && kind == metadata.TopicResource:
		return branch(topicNames(m)...)
	case len(rest) == 1:
		return branch(configuredBrokers(m)...)
	}
	name := rest[1]
	if kind == metadata.BrokerResource && name == "<default>" {
		name = ""
	}
	values := m.Configs(metadata.Resource{Type: kind, Name: name})
	if _, ok := m.Topic(name); len(values) == 0 && (kind != metadata.TopicResource || !ok) {
		return nil
	}
	if values = maps.Clone(values); values == nil {
		values = map[string]string{}
	}
	for key := range values {
		if secret(key) {
			values[key] = "[hidden]"
		}
	}
	return leaf(map[string]any{"version": 1, "config": values})
}

// secret reports whether a config is not for everybody who can reach the port.
func secret(key string) bool {
	return strings.Contains(key, "password") || strings.Contains(key, "secret") || strings.Contains(key, "jaas") || strings.Contains(key, "key.")
}

func configuredBrokers(m *metadata.Image) []string {
	var names []string
	if len(m.Configs(metadata.Resource{Type: metadata.BrokerResource})) > 0 {
		names = append(names, "<default>")
	}
	for b := range m.Brokers() {
		id := strconv.Itoa(int(b.ID))
		if len(m.Configs(metadata.Resource{Type: metadata.BrokerResource, Name: id})) > 0 {
			names = append(names, id)
		}
	}
	slices.Sort(names)
	return names
}

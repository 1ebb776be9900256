// Package compose reads files of Docker Compose and makes nodes of this machine of the
// brokers in them. It knows the file's form, which services are brokers, and how their
// hosts, ports and folders become those of processes; it starts nothing and touches no
// disk: what it reads, it is given. It owns no goroutine.
package compose

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// maxFile is more than a person writes.
const maxFile = 4 << 20

// Source is what a file is read with.
type Source struct {
	// Lookup finds a variable that the file uses.
	Lookup func(name string) (string, bool)
	// ReadFile reads an env_file, by its path as the file has it. Nil: there is none.
	ReadFile func(path string) ([]byte, error)
}

// Service is one service, as far as it matters to what runs as a process.
type Service struct {
	Name        string
	Image       string
	Environment map[string]string
	Ports       map[int]int // published, by the port inside
	Hosts       []string    // names under which others reach it
	Command     bool        // it does not do what its image does by itself
	Profiles    []string
	Replicas    int
}

// rawService is a service as it is written.
type rawService struct {
	Image         string      `yaml:"image"`
	Environment   environment `yaml:"environment"`
	EnvFile       envFiles    `yaml:"env_file"`
	Ports         []port      `yaml:"ports"`
	Hostname      string      `yaml:"hostname"`
	ContainerName string      `yaml:"container_name"`
	Command       yaml.Node   `yaml:"command"`
	Entrypoint    yaml.Node   `yaml:"entrypoint"`
	Extends       yaml.Node   `yaml:"extends"`
	Profiles      []string    `yaml:"profiles"`
	Scale         string      `yaml:"scale"`
	Deploy        struct {
		Replicas string `yaml:"replicas"`
	} `yaml:"deploy"`
}

// Parse reads a file's services, in its order.
func Parse(text []byte, from Source) ([]Service, error) {
	if len(text) > maxFile {
		return nil, fmt.Errorf("the file has %d bytes, more than %d", len(text), maxFile)
	}
	var doc yaml.Node
	if err := yaml.Unmarshal(text, &doc); err != nil {
		return nil, err
	}
	if len(doc.Content) == 0 {
		return nil, errors.New("the file is empty")
	}
	if err := interpolate(doc.Content[0], from.Lookup); err != nil {
		return nil, err
	}
	var file struct {
		Services yaml.Node `yaml:"services"`
	}
	if err := doc.Decode(&file); err != nil {
		return nil, err
	}
	list := file.Services
	if list.Kind == yaml.AliasNode {
		list = *list.Alias
	}
	if list.Kind != yaml.MappingNode {
		return nil, errors.New("the file has no services")
	}
	var out []Service
	for i := 0; i+1 < len(list.Content); i += 2 {
		s, err := parseService(list.Content[i].Value, list.Content[i+1], from)
		if err != nil {
			return nil, fmt.Errorf("service %s: %w", list.Content[i].Value, err)
		}
		out = append(out, s)
	}
	return out, nil
}

func parseService(name string, n *yaml.Node, from Source) (Service, error) {
	var raw rawService
	if err := n.Decode(&raw); err != nil {
		return Service{}, err
	}
	s := Service{
		Name: name, Image: raw.Image, Environment: map[string]string{}, Ports: map[int]int{}, Profiles: raw.Profiles,
		Command:  raw.Command.Kind != 0 && raw.Command.Tag != "!!null" || raw.Entrypoint.Kind != 0 && raw.Entrypoint.Tag != "!!null",
		Replicas: 1,
	}
	if raw.Extends.Kind != 0 {
		return s, errors.New("extends is not supported: write out what it takes over, or use an anchor")
	}
	for _, r := range []string{raw.Scale, raw.Deploy.Replicas} {
		if r != "" && r != "1" {
			n, err := parsePort(r)
			if err != nil {
				return s, fmt.Errorf("replicas: %w", err)
			}
			s.Replicas = n
		}
	}
	for _, h := range []string{name, raw.Hostname, raw.ContainerName} {
		if h != "" && !slices.Contains(s.Hosts, h) {
			s.Hosts = append(s.Hosts, h)
		}
	}
	for _, f := range raw.EnvFile {
		if err := readEnvFile(f, from, s.Environment); err != nil {
			return s, err
		}
	}
	for k, v := range raw.Environment {
		switch {
		case v != nil:
			s.Environment[k] = *v
		default: // named without a value: that of whoever runs the file
			if v, ok := from.Lookup(k); ok {
				s.Environment[k] = v
			}
		}
	}
	for _, p := range raw.Ports {
		for inside, outside := range p {
			s.Ports[inside] = outside
		}
	}
	return s, nil
}

// Environ are the service's variables as NAME=VALUE, in order.
func (s Service) Environ() []string {
	var out []string
	for k, v := range s.Environment {
		out = append(out, k+"="+v)
	}
	slices.Sort(out)
	return out
}

// Kind is what a service is to us.
type Kind int

// The kinds of services.
const (
	Other Kind = iota
	Broker
	ZooKeeper
)

// Kind judges a service by its image and, if that has no name that tells, by its
// variables: a broker's image that is run with another command is a tool.
func (s Service) Kind() Kind {
	image := s.Image
	if i := strings.LastIndexByte(image, '/'); i >= 0 {
		image = image[i+1:]
	}
	image, _, _ = strings.Cut(image, "@")
	image, _, _ = strings.Cut(image, ":")
	switch {
	case strings.Contains(image, "zookeeper"):
		return ZooKeeper
	case slices.Contains(brokerImages, image) && (!s.Command || s.saysBroker()):
		return Broker
	case slices.Contains(brokerImages, image):
		return Other
	case image == "" && (s.Environment["ZOOKEEPER_CLIENT_PORT"] != "" || s.Environment["ZOO_MY_ID"] != ""):
		return ZooKeeper
	case s.saysBroker() && !slices.ContainsFunc(toolImages, func(tool string) bool { return strings.Contains(image, tool) }):
		return Broker
	}
	return Other
}

var brokerImages = []string{"kafka", "kafka-native", "cp-kafka", "cp-server", "cp-enterprise-kafka", "confluent-local", "odradek"}

// toolImages are parts of names of images that are told where the brokers are, in
// variables like theirs.
var toolImages = strings.Fields("ui exporter manager connect registry rest ksql proxy akhq kafdrop console mirror lag init setup cruise")

// saysBroker reports whether the variables are those of a broker or controller.
func (s Service) saysBroker() bool {
	for k := range s.Environment {
		k = strings.Replace(k, "KAFKA_CFG_", "KAFKA_", 1)
		if slices.Contains(brokerVariables, k) {
			return true
		}
	}
	return false
}

var brokerVariables = strings.Fields(`KAFKA_BROKER_ID KAFKA_NODE_ID KAFKA_PROCESS_ROLES KAFKA_ZOOKEEPER_CONNECT KAFKA_LISTENERS
	KAFKA_ADVERTISED_LISTENERS KAFKA_ADVERTISED_HOST_NAME KAFKA_ADVERTISED_PORT KAFKA_CONTROLLER_QUORUM_VOTERS`)

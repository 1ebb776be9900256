package config

import (
	"regexp"
	"slices"
	"strings"
)

// ParseEnv reads settings from an environment (NAME=VALUE entries) in the dialects of
// the apache/kafka and Confluent images (KAFKA_A_B is a.b, __ is _, ___ is -), of
// Bitnami's (KAFKA_CFG_A_B), of wurstmeister's (KAFKA_ADVERTISED_HOST_NAME and so on)
// and our own (ODRADEK_A_B is odradek.a.b or a.b). They all add to what a file says.
// What an image's start script would have run as a shell command is refused. from reads
// the files that NAME_FILE variables of passwords name.
func ParseEnv(environ []string, from Sources) ([]Setting, Report) {
	e := envReader{vars: map[string]string{}, from: from}
	for _, kv := range environ {
		if k, v, ok := strings.Cut(kv, "="); ok && k != "" {
			e.vars[k] = v
			e.names = append(e.names, k)
		}
	}
	slices.Sort(e.names)
	for _, n := range slices.Compact(e.names) {
		e.one(n, e.vars[n])
	}
	// Shell commands and the bare CLUSTER_ID mean us only beside other KAFKA_ variables:
	// the names are too common to judge a stranger's environment by them.
	if len(e.out) > 0 {
		e.images()
	}
	return e.out, e.rep
}

type envReader struct {
	vars  map[string]string
	names []string
	from  Sources
	out   []Setting
	rep   Report
}

func (e *envReader) add(key, value, where string) {
	e.out = append(e.out, Setting{Name: key, Value: value, Origin: Origin{LayerEnv, where}})
}

func (e *envReader) one(name, value string) {
	switch {
	case special[name] != "":
		e.add(special[name], value, name)
	case name == "KAFKA_PORT" && strings.Contains(value, "://"), serviceLink.MatchString(name):
		// Kubernetes describes every service to every pod like this.
	case name == "KAFKA_CREATE_TOPICS":
		e.topics(value)
	case name == "KAFKA_LOG4J_ROOT_LOGLEVEL":
		e.add("odradek.log.level", rootLevel(value), name)
	case slices.Contains(imageOnly, name):
	case usersOnly[name] != "":
		e.rep.warnf("", Origin{LayerEnv, name}, "%s has no effect: this version does not have %s", name, usersOnly[name])
	case strings.HasPrefix(name, "KAFKA_CFG_"):
		e.mapped(name, strings.TrimPrefix(name, "KAFKA_CFG_"), value)
	case strings.HasPrefix(name, "KAFKA_"):
		e.mapped(name, strings.TrimPrefix(name, "KAFKA_"), value)
	case strings.HasPrefix(name, "ODRADEK_") && !slices.Contains(ownOther, name):
		key := dotted(strings.TrimPrefix(name, "ODRADEK_"))
		if _, own := Find(Broker, "odradek."+key); own {
			key = "odradek." + key
		}
		e.add(key, value, name)
	}
}

// mapped adds the key that rest spells, or the secret in the file that rest names.
func (e *envReader) mapped(name, rest, value string) {
	key := dotted(rest)
	if _, known := Find(Broker, key); !known {
		if d, ok := findBroker(strings.TrimSuffix(key, ".file")); ok && d.Sensitive() && strings.HasSuffix(key, ".file") {
			data, err := e.from.read(value)
			if err != nil {
				e.rep.errorf(d.Name, Origin{LayerEnv, name}, "%s cannot be read: %v", value, err)
				return
			}
			key, value = strings.TrimSuffix(key, ".file"), strings.TrimRight(string(data), "\r\n")
		}
	}
	e.add(key, value, name)
}

// dotted turns A_B into a.b, A__B into a_b and A___B into a-b.
func dotted(s string) string {
	var b strings.Builder
	s = strings.ToLower(s)
	for i := 0; i < len(s); {
		if s[i] != '_' {
			b.WriteByte(s[i])
			i++
			continue
		}
		n := 0
		for i < len(s) && s[i] == '_' && n < 3 {
			i, n = i+1, n+1
		}
		b.WriteString([...]string{".", "_", "-"}[n-1])
	}
	return b.String()
}

// topics is KAFKA_CREATE_TOPICS, whose entries another variable may separate otherwise.
func (e *envReader) topics(value string) {
	sep := ","
	if s := strings.ReplaceAll(strings.ReplaceAll(e.vars["KAFKA_CREATE_TOPICS_SEPARATOR"], "$'\\n'", "\n"), `\n`, "\n"); s != "" {
		sep = s
	}
	var entries []string
	for s := range strings.SplitSeq(value, sep) {
		if s = strings.TrimSpace(s); s != "" {
			entries = append(entries, s)
		}
	}
	e.add("odradek.create.topics", strings.Join(entries, ","), "KAFKA_CREATE_TOPICS")
}

func (e *envReader) images() {
	if id, ok := e.vars["CLUSTER_ID"]; ok && !slices.ContainsFunc(e.out, func(s Setting) bool { return s.Name == "odradek.cluster.id" }) {
		e.add("odradek.cluster.id", id, "CLUSTER_ID")
	}
	for _, c := range commands {
		if cmd, ok := e.vars[c[0]]; ok && cmd != "" {
			e.rep.errorf("", Origin{LayerEnv, c[0]}, "%s is refused: commands from the environment are not run; set %s instead", c[0], c[1])
		}
	}
	for _, s := range e.out {
		if strings.Contains(s.Value, "_{") && strings.Contains(s.Value, "_COMMAND}") {
			e.rep.errorf(s.Name, s.Origin, "%s=%s asks for the output of a command, and commands from the environment are not run", s.Name, s.Value)
		}
	}
}

// commands of wurstmeister's image, and what to set instead.
var commands = [][2]string{
	{"HOSTNAME_COMMAND", "KAFKA_ADVERTISED_HOST_NAME or KAFKA_ADVERTISED_LISTENERS"},
	{"PORT_COMMAND", "KAFKA_ADVERTISED_PORT or KAFKA_ADVERTISED_LISTENERS"},
	{"BROKER_ID_COMMAND", "KAFKA_BROKER_ID"},
	{"RACK_COMMAND", "KAFKA_BROKER_RACK"},
	{"CUSTOM_INIT_SCRIPT", "what it would have set"},
}

// special variables that do not spell the key they stand for.
var special = map[string]string{
	"KAFKA_CLUSTER_ID":           "odradek.cluster.id",
	"KAFKA_KRAFT_CLUSTER_ID":     "odradek.cluster.id",
	"KAFKA_CFG_CLUSTER_ID":       "odradek.cluster.id",
	"KAFKA_CFG_KRAFT_CLUSTER_ID": "odradek.cluster.id",
}

// rootLevel turns a log4j level into one of ours; what is no level stays for the error.
func rootLevel(l string) string {
	switch l = strings.ToLower(strings.TrimSpace(l)); l {
	case "all":
		return "trace"
	case "fatal", "off":
		return "error"
	}
	return l
}

var serviceLink = regexp.MustCompile(`^KAFKA_([A-Z0-9_]+_)?(SERVICE_(HOST|PORT)(_[A-Z0-9_]+)?|PORT_\d+_(TCP|UDP)(_(PROTO|PORT|ADDR))?)$`)

// usersOnly variables would make users or certificates, which need a part of Kafka.
var usersOnly = map[string]string{
	"KAFKA_CLIENT_USERS":               sasl,
	"KAFKA_CLIENT_PASSWORDS":           sasl,
	"KAFKA_INTER_BROKER_USER":          sasl,
	"KAFKA_INTER_BROKER_PASSWORD":      sasl,
	"KAFKA_CONTROLLER_USER":            sasl,
	"KAFKA_CONTROLLER_PASSWORD":        sasl,
	"KAFKA_TLS_TYPE":                   tls,
	"KAFKA_TLS_CLIENT_AUTH":            tls,
	"KAFKA_CERTIFICATE_PASSWORD":       tls,
	"KAFKA_TLS_TRUSTSTORE_FILE":        tls,
	"KAFKA_SSL_KEYSTORE_FILENAME":      tls,
	"KAFKA_SSL_KEYSTORE_CREDENTIALS":   tls,
	"KAFKA_SSL_KEY_CREDENTIALS":        tls,
	"KAFKA_SSL_TRUSTSTORE_FILENAME":    tls,
	"KAFKA_SSL_TRUSTSTORE_CREDENTIALS": tls,
}

// imageOnly variables are about a JVM, an image's folders or its start script.
var imageOnly = strings.Fields(`
	KAFKA_VERSION KAFKA_HOME KAFKA_DEBUG KAFKA_USER KAFKA_GROUP KAFKA_MODE
	KAFKA_HEAP_OPTS KAFKA_OPTS KAFKA_JMX_OPTS KAFKA_JMX_PORT KAFKA_JMX_HOSTNAME KAFKA_JVM_PERFORMANCE_OPTS
	KAFKA_GC_LOG_OPTS KAFKA_LOG4J_OPTS KAFKA_LOG4J_LOGGERS KAFKA_LOG4J_CMD_OPTS KAFKA_TOOLS_LOG4J_LOGLEVEL KAFKA_CLASSPATH
	KAFKA_ENABLE_KRAFT KAFKA_SKIP_KRAFT_STORAGE_INIT KAFKA_INITIAL_CONTROLLERS KAFKA_ZOOKEEPER_PROTOCOL
	KAFKA_ZOOKEEPER_USER KAFKA_ZOOKEEPER_PASSWORD KAFKA_ZOOKEEPER_BOOTSTRAP_SCRAM_USERS
	KAFKA_BASE_DIR KAFKA_VOLUME_DIR KAFKA_DATA_DIR KAFKA_CONF_DIR KAFKA_CONF_FILE KAFKA_MOUNTED_CONF_DIR
	KAFKA_CERTS_DIR KAFKA_INITSCRIPTS_DIR KAFKA_BIN_DIR KAFKA_LIB_DIR KAFKA_EXTRA_FLAGS KAFKA_DAEMON_USER KAFKA_DAEMON_GROUP
	KAFKA_CREATE_TOPICS_SEPARATOR KAFKA_BOOTSTRAP_SERVERS KAFKA_BOOTSTRAP_SERVER KAFKA_BROKERS KAFKA_URL KAFKA_TOPIC
	KAFKA_CLIENT_ID KAFKA_GROUP_ID`)

// ownOther are ODRADEK_ variables that other commands read.
var ownOther = strings.Fields(`ODRADEK_CONFIG ODRADEK_PROFILE ODRADEK_BOOTSTRAP_SERVERS ODRADEK_BROKERS ODRADEK_OUTPUT ODRADEK_COLOR`)

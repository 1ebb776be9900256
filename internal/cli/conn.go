package cli

import (
	"errors"
	"os"
	"strings"
	"time"

	"github.com/odradek/odradek/internal/cluster/config"
	"github.com/spf13/pflag"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// defaultBroker is where a node listens that was told nothing.
const defaultBroker = "localhost:9092"

// connection is how the cluster is reached: flags before ODRADEK_BOOTSTRAP_SERVERS
// before the default.
type connection struct {
	brokers  string
	settings []string // key=value, as clients of Kafka write them
	file     string   // client.properties
	timeout  time.Duration
}

func (c *connection) flags(f *pflag.FlagSet) {
	f.StringVarP(&c.brokers, "bootstrap-server", "b", "", "brokers to ask first, HOST:PORT[,…]; default "+defaultBroker)
	f.StringArrayVarP(&c.settings, "set", "X", nil, "a client property, KEY=VALUE; may be repeated")
	f.StringVar(&c.file, "command-config", "", "file of client properties")
	f.DurationVar(&c.timeout, "timeout", 30*time.Second, "how long to wait for the cluster")
}

// properties are the client properties that were given, the stronger ones last.
func (a *App) properties() (map[string]string, error) {
	props := make(map[string]string)
	if a.conn.file != "" {
		settings, err := readProperties(a.conn.file)
		if err != nil {
			return nil, usage(err)
		}
		for _, s := range settings {
			props[s.Name] = s.Value
		}
	}
	for _, s := range a.conn.settings {
		k, v, ok := strings.Cut(s, "=")
		if !ok {
			return nil, usagef("-X %s: want KEY=VALUE", s)
		}
		props[k] = v
	}
	return props, nil
}

func readProperties(file string) ([]config.Setting, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	return config.ParseProperties(file, text)
}

// options make a client of the cluster, with more of the command's own.
func (a *App) options(more ...kgo.Opt) ([]kgo.Opt, error) {
	props, err := a.properties()
	if err != nil {
		return nil, err
	}
	brokers := firstOf(a.conn.brokers, props["bootstrap.servers"], a.Getenv("ODRADEK_BOOTSTRAP_SERVERS"), defaultBroker)
	if p := firstOf(props["security.protocol"], "PLAINTEXT"); !strings.EqualFold(p, "PLAINTEXT") {
		return nil, usagef("security.protocol %s is not supported by this command line yet: PLAINTEXT is", p)
	}
	opts := []kgo.Opt{
		kgo.SeedBrokers(strings.Split(brokers, ",")...),
		kgo.ClientID(firstOf(props["client.id"], "odradek")),
		kgo.RetryTimeout(a.conn.timeout),
		kgo.DialTimeout(min(a.conn.timeout, 10*time.Second)),
		// A broker that takes a connection and says nothing is not waited for longer.
		kgo.RequestTimeoutOverhead(min(max(a.conn.timeout, 100*time.Millisecond), 10*time.Second)),
	}
	return append(opts, more...), nil
}

// client connects to the cluster. Close it.
func (a *App) client(more ...kgo.Opt) (*kgo.Client, error) {
	opts, err := a.options(more...)
	if err != nil {
		return nil, err
	}
	return kgo.NewClient(opts...)
}

// fresh asks the cluster again each time, where the client would take what it heard some
// seconds ago: a command wants to know what is.
var fresh = kgo.MetadataMinAge(10 * time.Millisecond)

// admin connects to the cluster to administer it. Close it.
func (a *App) admin() (*kadm.Client, error) {
	c, err := a.client(kgo.RequestRetries(5), fresh)
	if err != nil {
		return nil, err
	}
	adm := kadm.NewClient(c)
	adm.SetTimeoutMillis(int32(a.conn.timeout.Milliseconds()))
	return adm, nil
}

func firstOf(texts ...string) string {
	for _, t := range texts {
		if t != "" {
			return t
		}
	}
	return ""
}

func kafkaCode(err error) int16 {
	if ke, ok := errors.AsType[*kerr.Error](err); ok {
		return ke.Code
	}
	return 0
}

// codeOf is the exit code of a command some of whose items failed: the code that all
// share, else that of failure.
func codeOf(errs []itemError) int {
	for _, e := range errs {
		if e.exit != errs[0].exit {
			return exitFailed
		}
	}
	return errs[0].exit
}

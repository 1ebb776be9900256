package config

import (
	"flag"
	"os"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write docs/CONFIG.md")

const configPage = "../../../docs/CONFIG.md"

// docs/CONFIG.md is what the registry says; make generate writes it.
func TestConfigMarkdownIsCurrent(t *testing.T) {
	want := Markdown()
	if *update {
		if err := os.WriteFile(configPage, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(configPage)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Error("docs/CONFIG.md is not current: run make generate")
	}
	for s := range numScopes {
		for d := range All(s) {
			if !d.Internal && !strings.Contains(want, "| `"+d.Name+"` |") {
				t.Errorf("%s is not on the page", d.Name)
			}
		}
	}
}

func TestExplain(t *testing.T) {
	file, _ := ParseProperties("s.properties", []byte("log.retention.hours=24\nnum.io.threads=3\nssl.key.password=hush\nzookeeper.connect=z"))
	env, _ := ParseEnv([]string{"KAFKA_LOG_RETENTION_HOURS=48"}, Sources{})
	s := Merge(file, env)
	for _, c := range []struct{ key, want string }{
		{"log.retention.hours", "log.retention.hours=48\n  Retention in hours, when neither milliseconds nor minutes are set.\n  type int, read-only, default 168\n  topics can set their own: retention.ms\n  set by KAFKA_LOG_RETENTION_HOURS (environment): 48\n  hidden: s.properties:1 (file): 24\n"},
		{"num.io.threads", "num.io.threads=3\n  Threads that work on requests.\n  type int, cluster-wide, default 8, at least 1\n  without effect here, because there are no thread pools to size\n  set by s.properties:2 (file): 3\n"},
		{"log.dir", "log.dir=(none)\n  One data folder, used when log.dirs is unset.\n  type list, read-only, default (none), not empty\n  Kafka's default is /tmp/kafka-logs; data survives a restart: see log.dirs\n  nobody set it\n"},
		{"ssl.key.password", "ssl.key.password=[hidden]\n  Password of the private key.\n  type password, per-broker, default (none)\n  no effect yet: this version does not have TLS\n  set by s.properties:3 (file): [hidden]\n"},
		{"zookeeper.connect", "zookeeper.connect=z\n  without effect here, because there is no ZooKeeper\n  set by s.properties:4 (file): z\n"},
		{"retention.ms", "retention.ms=(none)\n  a key of topics, not of brokers: Segments whose newest record is older are deleted; -1 keeps them for ever.\n  not a broker key: did you mean log.retention.ms?\n"},
	} {
		if got := s.Explain(c.key).String(); got != c.want {
			t.Errorf("got\n%s\nwant\n%s", got, c.want)
		}
	}
	// Explaining hides a secret in what it returns, not in the settings.
	if x, _ := s.Lookup("ssl.key.password"); x.Value != "hush" {
		t.Errorf("the secret became %s", x.Value)
	}
}

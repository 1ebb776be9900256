package config

import (
	"fmt"
	"strings"
)

//go:generate go test -run TestConfigMarkdownIsCurrent -update .

// Markdown is docs/CONFIG.md: every key that Kafka or we document, and what it means here.
func Markdown() string {
	var b strings.Builder
	b.WriteString(`# Configuration

<!-- Generated from internal/cluster/config by make generate; change the keys there. -->

Every configuration key of Kafka 4.2 is known, and has Kafka's name, type, range and default unless its entry says otherwise.
Settings come, the stronger later, from the defaults, a server.properties file, the environment, the command line
(--override KEY=VALUE), what was altered for all brokers and what was altered for one. ` + "`odradek config explain KEY`" + ` shows the
value in force and who set it.

The environment is read in the dialects of the apache/kafka and Confluent images (KAFKA_LOG_DIRS is log.dirs, __ stands for _ and
___ for -), of Bitnami's (KAFKA_CFG_LOG_DIRS), of wurstmeister's (KAFKA_ADVERTISED_HOST_NAME, KAFKA_ADVERTISED_PORT, KAFKA_PORT,
KAFKA_CREATE_TOPICS) and as ODRADEK_LOG_DIRS. In a file, ${env:NAME}, ${file:PATH:KEY} and ${dir:PATH:FILE} are replaced.

What a key does here:

| word | meaning |
| --- | --- |
| native | what it does in Kafka |
| mapped | it steers something that is built differently here; the entry says what |
| inert | it is accepted and changes nothing, because what it tunes does not exist here |
| pending | it belongs to a part of Kafka that this version does not have yet |

When it can change: read-only keys when the node starts; per-broker keys for one broker while it runs; cluster-wide keys for one
broker or for all.

`)
	fmt.Fprintf(&b, "Documented keys: %d for brokers, %d for topics, %d for groups, %d for client metrics.\n", documented(Broker), documented(Topic), documented(Group), documented(ClientMetrics))
	section(&b, "Odradek's own keys", Broker, func(d *Def) bool { return d.Own() })
	section(&b, "Topic keys", Topic, func(*Def) bool { return true })
	for _, m := range []struct {
		title string
		is    Meaning
	}{{"Broker keys: native", Native}, {"Broker keys: mapped", Mapped}, {"Broker keys: pending", Pending}, {"Broker keys: inert", Inert}} {
		section(&b, m.title, Broker, func(d *Def) bool { return !d.Own() && d.Meaning == m.is })
	}
	section(&b, "Group keys", Group, func(*Def) bool { return true })
	section(&b, "Client metrics keys", ClientMetrics, func(*Def) bool { return true })
	differences(&b)
	return b.String()
}

func documented(s Scope) (n int) {
	for d := range All(s) {
		if !d.Internal {
			n++
		}
	}
	return n
}

func section(b *strings.Builder, title string, s Scope, want func(*Def) bool) {
	fmt.Fprintf(b, "\n## %s\n\n| key | type | default | range | changes | meaning |\n| --- | --- | --- | --- | --- | --- |\n", title)
	for d := range All(s) {
		if d.Internal || !want(d) {
			continue
		}
		mode := d.Mode.String()
		if s != Broker {
			mode = "any time"
		}
		fmt.Fprintf(b, "| `%s` | %s | %s | %s | %s | %s |\n", d.Name, d.Type, code(d.shownDefault()), cell(d.Range), mode, cell(d.says()))
	}
}

// says is a key's documentation with all that is particular about it here.
func (d *Def) says() string {
	s := d.Doc
	if d.Meaning != Native {
		s += " **" + strings.ToUpper(d.Meaning.String()[:1]) + d.Meaning.String()[1:] + ":** " + d.Note + "."
	}
	if d.Differs != "" {
		s += " **Differs:** " + d.differsText() + "."
	}
	if len(d.Synonyms) > 0 {
		var l []string
		for _, syn := range d.Synonyms {
			l = append(l, "`"+syn.Name+"`")
		}
		s += " Unless set, from " + strings.Join(l, ", ") + "."
	}
	for _, a := range d.Aliases {
		s += " Also as `" + a + "`."
	}
	return s
}

func differences(b *strings.Builder) {
	b.WriteString("\n## Defaults that are not Kafka's\n\n| key | Kafka | here | why |\n| --- | --- | --- | --- |\n")
	for s := range numScopes {
		for d := range All(s) {
			if d.Differs != "" {
				kafka := d.KafkaDefault
				if kafka == "" {
					kafka = "(empty)"
				}
				fmt.Fprintf(b, "| `%s` | %s | %s | %s |\n", d.Name, code(kafka), code(d.shownDefault()), cell(d.Differs))
			}
		}
	}
}

// code is a value as a table cell; words in parentheses are no values.
func code(s string) string {
	if s == "" || strings.HasPrefix(s, "(") {
		return s
	}
	return "`" + cell(s) + "`"
}

func cell(s string) string { return strings.ReplaceAll(s, "|", `\|`) }

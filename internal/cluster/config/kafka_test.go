package config

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// A scenario is a broker's static, dynamic default and dynamic settings, a topic's and a
// group's own, as testdata/describe-scenarios.txt holds them, a line each.
type scenario struct {
	n            Node
	topic, group kv
}

func scenarios(t *testing.T) []scenario {
	t.Helper()
	b, err := os.ReadFile("testdata/describe-scenarios.txt")
	if err != nil {
		t.Fatal(err)
	}
	var list []scenario
	for l := range strings.Lines(string(b)) {
		var parts []kv
		for f := range strings.SplitSeq(strings.TrimRight(l, "\n"), "|") {
			m := kv{}
			for s := range strings.SplitSeq(f, ";") {
				if k, v, ok := strings.Cut(s, "="); ok {
					m[k] = v
				}
			}
			parts = append(parts, m)
		}
		parts[0]["broker.id"] = parts[0]["node.id"] // as Merge does
		list = append(list, scenario{Node{Static: parts[0], Default: parts[1], PerBroker: parts[2]}, parts[3], parts[4]})
	}
	return list
}

func row(sc int, kind string, e Entry) string {
	text := func(s *string) string {
		if s == nil {
			return "null"
		}
		return *s
	}
	var syn []string
	for _, s := range e.Synonyms {
		syn = append(syn, fmt.Sprintf("%d:%s=%s", s.Source, s.Name, text(s.Value)))
	}
	return fmt.Sprintf("%d\t%s\t%s\t%s\t%d\t%v\t%v\t%d\t{%s}", sc, kind, e.Name, text(e.Value), e.Source, e.ReadOnly, e.Sensitive, e.Type, strings.Join(syn, ", "))
}

// Every key of every kind of resource is described, value, source, flags, type and
// synonyms, as Kafka 4.2.1's own ConfigHelper described it for the same settings
// (testdata/kafka-describe-4.2.1.tsv). Keys whose default differs on purpose are left out.
func TestDescribeAsKafka(t *testing.T) {
	b, err := os.ReadFile("testdata/kafka-describe-4.2.1.tsv")
	if err != nil {
		t.Fatal(err)
	}
	kafka := map[string]string{} // scenario, kind and key → row
	for l := range strings.Lines(string(b)) {
		l = strings.TrimRight(l, "\n")
		f := strings.SplitN(l, "\t", 4)
		kafka[strings.Join(f[:3], "\t")] = l
	}
	if len(kafka) < 1000 {
		t.Fatalf("only %d rows", len(kafka))
	}
	for i, sc := range scenarios(t) {
		for kind, entries := range map[string][]Entry{
			"topic": sc.n.DescribeTopic(sc.topic), "group": sc.n.DescribeGroup(sc.group),
			"broker": sc.n.DescribeBroker(), "all": sc.n.DescribeDefaultBroker(),
		} {
			for _, e := range entries {
				key := fmt.Sprintf("%d\t%s\t%s", i, kind, e.Name)
				want, ok := kafka[key]
				delete(kafka, key)
				d, known := Find(Broker, e.Name)
				if scope, ok := map[string]Scope{"topic": Topic, "group": Group}[kind]; ok && !known {
					d, known = Find(scope, e.Name)
				}
				if strings.HasPrefix(e.Name, "odradek.") || known && d.Since != "" || known && d.Differs != "" && d.KafkaDefault != d.Default {
					continue
				}
				if !ok {
					t.Errorf("Kafka does not describe %s", key)
				} else if got := row(i, kind, e); got != want {
					t.Errorf("\ngot   %s\nKafka %s", got, want)
				}
			}
		}
	}
	for key := range kafka {
		t.Errorf("%s is not described", key)
	}
}

// Every key accepts and refuses the same texts as Kafka 4.2.1's own ConfigDef
// (testdata/kafka-accepts-4.2.1.tsv: the texts, then a row of bits for each key).
func TestAcceptsAsKafka(t *testing.T) {
	b, err := os.ReadFile("testdata/kafka-accepts-4.2.1.tsv")
	if err != nil {
		t.Fatal(err)
	}
	head, rest, _ := strings.Cut(string(b), "\n")
	texts := strings.Split(head, "\t")
	scopes := map[string]Scope{"broker": Broker, "topic": Topic, "group": Group, "client-metrics": ClientMetrics}
	keys := 0
	for l := range strings.Lines(rest) {
		f := strings.Split(strings.TrimRight(l, "\n"), "\t")
		d, ok := Find(scopes[f[0]], f[1])
		if !ok || len(f[2]) != len(texts) {
			t.Fatalf("bad row %q", l)
		}
		keys++
		for i, text := range texts {
			_, err := d.Parse(text)
			if got, want := err == nil, f[2][i] == '1'; got != want && !stricter(d, text) {
				t.Errorf("%s=%q: accepted %v, Kafka says %v (%v)", d.Name, text, got, want, err)
			}
		}
	}
	if keys < 370 {
		t.Fatalf("only %d keys", keys)
	}
}

// stricter are the texts that are refused here on purpose: what Kafka checks only when
// it is used, and what cannot mean anything.
func stricter(d *Def, text string) bool {
	return d.Scope == ClientMetrics || d.Type == TypeDouble && text == "NaN" || d.Name == "controller.quorum.voters" && text == "-1@h:1"
}

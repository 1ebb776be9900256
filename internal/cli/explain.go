package cli

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"
)

func init() { nouns = append(nouns, explainCommand) }

func explainCommand(a *App) *cobra.Command {
	return noun("explain", "Say in words why something waits, and what would free it", explainGroup(a), explainTxn(a))
}

// explanation says how a thing stands and what it waits for.
type explanation struct {
	Name    string   `json:"name"`
	Verdict string   `json:"verdict"` // one sentence without its end
	Reasons []reason `json:"reasons"`
}

// reason is one thing that is waited for.
type reason struct {
	Kind string `json:"kind"`           // a word for programs
	What string `json:"what"`           // what is so
	Why  string `json:"why,omitempty"`  // what is known beside that
	Free string `json:"free,omitempty"` // what would end it
}

// print shows explanations as a person reads them: a sentence each, then the reasons.
func (a *App) printExplanations(l *listing, all []explanation) error {
	for _, e := range all {
		l.add(e, e.Name)
	}
	l.text = func(w io.Writer) error {
		for i, e := range all {
			if i > 0 {
				fmt.Fprintln(w)
			}
			fmt.Fprintf(w, "%s.\n", e.Verdict)
			for n, r := range e.Reasons {
				fmt.Fprintf(w, "\n%2d  %s\n", n+1, r.What)
				if r.Why != "" {
					fmt.Fprintf(w, "    %s\n", r.Why)
				}
				if r.Free != "" {
					fmt.Fprintf(w, "    To free it: %s\n", r.Free)
				}
			}
		}
		return nil
	}
	return a.print(l)
}

// namedPartitions is how many partitions a reason names.
const namedPartitions = 20

// partsText names partitions: orders:0,1,4 and pay:2, and how many more there are.
func partsText(parts []topicPartition) string {
	parts = slices.Clone(parts)
	slices.SortFunc(parts, topicPartition.compare)
	more := len(parts) - namedPartitions
	if more > 1 {
		parts = parts[:namedPartitions]
	}
	var topics []string
	for i := 0; i < len(parts); {
		var numbers []int32
		topic := parts[i].topic
		for ; i < len(parts) && parts[i].topic == topic; i++ {
			numbers = append(numbers, parts[i].partition)
		}
		topics = append(topics, topic+":"+ids(numbers))
	}
	if more > 1 {
		return strings.Join(topics, ", ") + fmt.Sprintf(" and %d more", more)
	}
	return andText(topics)
}

// andText is a, b and c.
func andText(words []string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:len(words)-1], ", ") + " and " + words[len(words)-1]
}

// brokersText is broker 1, or brokers 1, 2 and 3.
func brokersText(ids []int32, joint string) string {
	var words []string
	for _, id := range ids {
		words = append(words, fmt.Sprint(id))
	}
	if len(words) == 1 {
		return "broker " + words[0]
	}
	if joint == "and" {
		return "brokers " + andText(words)
	}
	return "broker " + strings.Join(words, " "+joint+" ")
}

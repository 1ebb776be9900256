package cli

import (
	"context"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
)

// configItem is a setting of a topic or broker, as the cluster tells it.
type configItem struct {
	Key       string  `json:"key"`
	Value     *string `json:"value"` // null if it has none, or must not be shown
	Source    string  `json:"source"`
	Sensitive bool    `json:"sensitive,omitempty"`
}

func newConfigItem(c kadm.Config) configItem {
	return configItem{c.Key, c.Value, sourceWord(c.Source.String()), c.Sensitive}
}

// sourceWord is DEFAULT_CONFIG as people say it: default.
func sourceWord(source string) string {
	word := strings.TrimSuffix(strings.ToLower(source), "_config")
	return strings.ReplaceAll(word, "_", "-")
}

func (c configItem) shown() string {
	switch {
	case c.Sensitive:
		return "(hidden)"
	case c.Value == nil:
		return "(none)"
	}
	return *c.Value
}

// resourceConfig is a setting and what it belongs to.
type resourceConfig struct {
	Resource string `json:"resource"`
	configItem
}

// keyValues reads KEY=VALUE arguments.
func keyValues(settings []string) (map[string]*string, error) {
	out := make(map[string]*string, len(settings))
	for _, s := range settings {
		k, v, ok := strings.Cut(s, "=")
		if !ok || k == "" {
			return nil, usagef("%q: want KEY=VALUE", s)
		}
		out[strings.TrimSpace(k)] = &v
	}
	return out, nil
}

// alterations are the changes that set KEY=VALUE and unset KEY.
func alterations(set, unset []string) ([]kadm.AlterConfig, error) {
	values, err := keyValues(set)
	if err != nil {
		return nil, err
	}
	var out []kadm.AlterConfig
	for k, v := range values {
		if slices.Contains(unset, k) {
			return nil, usagef("%s is both set and unset", k)
		}
		out = append(out, kadm.AlterConfig{Op: kadm.SetConfig, Name: k, Value: v})
	}
	for _, k := range unset {
		if strings.Contains(k, "=") {
			return nil, usagef("%q: unset wants a KEY alone", k)
		}
		out = append(out, kadm.AlterConfig{Op: kadm.DeleteConfig, Name: k})
	}
	slices.SortFunc(out, func(a, b kadm.AlterConfig) int { return strings.Compare(a.Name, b.Name) })
	return out, nil
}

// alterTopicConfigs returns the topics that were changed.
func alterTopicConfigs(ctx context.Context, adm *kadm.Client, changes []kadm.AlterConfig, topics []string, dry bool, l *listing) ([]string, error) {
	alter := adm.AlterTopicConfigs
	if dry {
		alter = adm.ValidateAlterTopicConfigs
	}
	answers, err := alter(ctx, changes, topics...)
	if err != nil {
		return nil, err
	}
	return alterAnswers(answers, topics, l), nil
}

func alterAnswers(answers kadm.AlterConfigsResponses, names []string, l *listing) []string {
	var done []string
	for _, name := range names {
		i := slices.IndexFunc(answers, func(r kadm.AlterConfigsResponse) bool { return r.Name == name })
		switch {
		case i < 0:
			l.fail(name, kerr.UnknownServerError)
		case answers[i].Err != nil:
			l.fail(name, said(answers[i].Err, answers[i].ErrMessage))
		default:
			done = append(done, name)
		}
	}
	return done
}

// addConfigs adds what a resource has set: the keys that were asked for, or what is not
// default, or everything.
func addConfigs(l *listing, rc kadm.ResourceConfig, keys []string, all bool) {
	if rc.Err != nil {
		l.fail(rc.Name, said(rc.Err, rc.ErrMessage))
		return
	}
	sorted := slices.SortedFunc(slices.Values(rc.Configs), func(a, b kadm.Config) int { return strings.Compare(a.Key, b.Key) })
	items := onlyChanged(sorted)
	if all || len(keys) > 0 {
		items = nil
		for _, c := range sorted {
			if len(keys) == 0 || slices.Contains(keys, c.Key) {
				items = append(items, newConfigItem(c))
			}
		}
	}
	for _, key := range keys {
		if !slices.ContainsFunc(items, func(c configItem) bool { return c.Key == key }) {
			l.fail(rc.Name, &codedError{errNoKey(key), exitNotFound})
		}
	}
	for _, c := range items {
		l.add(resourceConfig{rc.Name, c}, rc.Name, c.Key, c.shown(), c.Source)
	}
}

type errNoKey string

func (e errNoKey) Error() string {
	return "there is no setting " + string(e) + ". Hint: odradek config list shows what there is."
}

package cli

//lint:file-ignore ST1005 these are the words of Kafka's own tools

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// kafkaVersion is the version of Kafka whose tools are imitated here.
const kafkaVersion = "4.2.1"

func init() {
	tools["kafka-topics"] = topicsTool
	tools["kafka-consumer-groups"] = groupsTool
	tools["kafka-console-producer"] = producerTool
	tools["kafka-console-consumer"] = consumerTool
}

// toolOption is an option of one of Kafka's tools.
type toolOption struct {
	name string
	arg  toolArg
	help string
}

type toolArg int

const (
	noArg toolArg = iota
	needsArg
	mayHaveArg
)

// toolOptions is a command line read as Kafka's tools read it: --name value or
// --name=value, with one dash or two, and any prefix of a name that means only one.
type toolOptions struct {
	defs   []toolOption
	values map[string][]string // of those that were given; an option without value adds none
}

// toolUsage is a command line that a tool does not understand: it is told with the
// options that there are.
type toolUsage struct {
	message string
	defs    []toolOption
}

func (u *toolUsage) Error() string { return u.message }

// toolFailure is an error whose text is printed as it is, without "error: ".
type toolFailure struct{ error }

func (f toolFailure) Unwrap() error { return f.error }

func parseTool(defs []toolOption, args []string) (*toolOptions, error) {
	o := &toolOptions{defs: append(slices.Clone(defs),
		toolOption{"help", noArg, "Print usage information."},
		toolOption{"version", noArg, "Display Kafka version."}), values: make(map[string][]string)}
	for i := 0; i < len(args); i++ {
		word := strings.TrimPrefix(strings.TrimPrefix(args[i], "-"), "-")
		if word == args[i] || word == "" {
			continue // Kafka's tools ignore words that belong to no option
		}
		name, value, attached := strings.Cut(word, "=")
		def, ok := o.find(name)
		if !ok {
			return nil, toolFailure{fmt.Errorf("%s is not a recognized option", name)}
		}
		switch {
		case def.arg == noArg && attached:
			return nil, toolFailure{fmt.Errorf("Option %s does not accept an argument", def.name)}
		case def.arg == noArg:
			o.values[def.name] = []string{}
		case attached:
			o.values[def.name] = append(o.values[def.name], value)
		case i+1 < len(args) && (def.arg == needsArg || !strings.HasPrefix(args[i+1], "-")):
			i++
			o.values[def.name] = append(o.values[def.name], args[i])
		case def.arg == needsArg:
			return nil, toolFailure{fmt.Errorf("Option %s requires an argument", def.name)}
		default:
			o.values[def.name] = []string{}
		}
	}
	return o, nil
}

// find returns the option called name, or the only one that begins so.
func (o *toolOptions) find(name string) (toolOption, bool) {
	var found []toolOption
	for _, d := range o.defs {
		if d.name == name {
			return d, true
		}
		if strings.HasPrefix(d.name, name) {
			found = append(found, d)
		}
	}
	if len(found) != 1 {
		return toolOption{}, false
	}
	return found[0], true
}

func (o *toolOptions) has(name string) bool { _, ok := o.values[name]; return ok }

func (o *toolOptions) all(name string) []string { return o.values[name] }

// value is the value of an option that may be given once; "" if it was not.
func (o *toolOptions) value(name string) (string, error) {
	v := o.values[name]
	switch len(v) {
	case 0:
		return "", nil
	case 1:
		return v[0], nil
	}
	return "", toolFailure{fmt.Errorf("Found multiple arguments for option %s, but you asked for only one", name)}
}

// number is the value of an option that is a number; def if it was not given.
func (o *toolOptions) number(name string, bits int, def int64) (int64, error) {
	text, err := o.value(name)
	if err != nil || text == "" {
		return def, err
	}
	n, err := strconv.ParseInt(text, 10, bits)
	if err != nil {
		return 0, toolFailure{fmt.Errorf("Cannot parse argument '%s' of option %s", text, name)}
	}
	return n, nil
}

func (o *toolOptions) usage(format string, args ...any) error {
	return &toolUsage{fmt.Sprintf(format, args...), o.defs}
}

// excludes says that used cannot stand beside any of others.
func (o *toolOptions) excludes(used string, others ...string) error {
	for _, other := range others {
		if o.has(used) && o.has(other) {
			return o.usage("Option \"[%s]\" can't be used with option \"[%s]\"", used, other)
		}
	}
	return nil
}

func (o *toolOptions) requires(names ...string) error {
	for _, n := range names {
		if !o.has(n) {
			return o.usage("Missing required argument \"[%s]\"", n)
		}
	}
	return nil
}

// begin answers --help, --version and an empty command line. It reports whether the tool
// is done.
func (o *toolOptions) begin(a *App, args []string, purpose string) (done bool, err error) {
	if len(args) == 0 || o.has("help") {
		return true, o.usage("%s", purpose)
	}
	if o.has("version") {
		_, err := fmt.Fprintln(a.Stdout, kafkaVersion)
		return true, err
	}
	return false, nil
}

// runTool reads a tool's command line and does the work, or what --help and --version ask
// for.
func (a *App) runTool(defs []toolOption, args []string, purpose string, work func(*toolOptions) error) error {
	o, err := parseTool(defs, args)
	if err != nil {
		return a.finish(err)
	}
	if done, err := o.begin(a, args, purpose); done {
		return a.finish(err)
	}
	return a.finish(work(o))
}

// finish prints what a tool's error says, as Kafka's tools do, and makes the exit code 1.
func (a *App) finish(err error) error {
	if err == nil {
		return nil
	}
	if u, ok := errors.AsType[*toolUsage](err); ok {
		a.warn("%s", u.message)
		width := 0
		for _, d := range u.defs {
			width = max(width, len(d.name))
		}
		a.warn("%-*s  Description", width+2, "Option")
		a.warn("%-*s  -----------", width+2, "------")
		defs := slices.SortedFunc(slices.Values(u.defs), func(x, y toolOption) int { return strings.Compare(x.name, y.name) })
		for _, d := range defs {
			a.warn("--%-*s  %s", width, d.name, d.help)
		}
		return &codedError{errSilent, exitFailed}
	}
	if f, ok := errors.AsType[toolFailure](err); ok {
		a.warn("%s", f.Error())
		return &codedError{errSilent, exitFailed}
	}
	return err
}

// connectTool takes the connection from the options that all tools share.
func (a *App) connectTool(o *toolOptions, timeoutMs int64) error {
	var err error
	if a.conn.brokers, err = o.value("bootstrap-server"); err != nil {
		return err
	}
	if a.conn.file, err = o.value("command-config"); err != nil {
		return err
	}
	a.conn.timeout = millisDuration(timeoutMs)
	return nil
}

// withTool runs a tool's work with a connection, for as long as its option says: 30 seconds
// if it says nothing.
func (a *App) withTool(ctx context.Context, o *toolOptions, timeoutOption string, work func(context.Context, *kgo.Client) error) error {
	timeout := int64(30_000)
	if timeoutOption != "" {
		var err error
		if timeout, err = o.number(timeoutOption, 64, timeout); err != nil {
			return err
		}
	}
	if err := a.connectTool(o, timeout); err != nil {
		return err
	}
	cl, err := a.client(kgo.RequestRetries(5), fresh)
	if err != nil {
		return err
	}
	defer cl.Close()
	ctx, cancel := context.WithTimeout(ctx, a.conn.timeout)
	defer cancel()
	if err := meetBrokers(ctx, cl); err != nil {
		return err
	}
	return work(ctx, cl)
}

// javaNames are the exceptions that Kafka's tools name in what they print.
var javaNames = map[*kerr.Error]string{
	kerr.GroupIDNotFound:         "GroupIdNotFoundException",
	kerr.NonEmptyGroup:           "GroupNotEmptyException",
	kerr.GroupSubscribedToTopic:  "GroupSubscribedToTopicException",
	kerr.UnknownTopicOrPartition: "UnknownTopicOrPartitionException",
	kerr.InvalidGroupID:          "InvalidGroupIdException",
	kerr.CoordinatorNotAvailable: "CoordinatorNotAvailableException",
	kerr.NotCoordinator:          "NotCoordinatorException",
	kerr.RequestTimedOut:         "TimeoutException",
	kerr.UnknownMemberID:         "UnknownMemberIdException",
	kerr.MessageTooLarge:         "RecordTooLargeException",
	kerr.NotLeaderForPartition:   "NotLeaderOrFollowerException",
	kerr.NotEnoughReplicas:       "NotEnoughReplicasException",
	kerr.InvalidTopicException:   "InvalidTopicException",
	kerr.NetworkException:        "NetworkException",
}

// javaText is an error as Java prints it: the exception's name and its message.
func javaText(err error, message string) string {
	ke, ok := errors.AsType[*kerr.Error](err)
	if !ok {
		return err.Error()
	}
	if own, ok := errors.AsType[javaError](err); ok {
		message = own.message
	}
	if message == "" {
		message = ke.Description
	}
	return javaClass(err) + ": " + message
}

// javaClass is the exception that Java would throw for an error.
func javaClass(err error) string {
	name := "ApiException"
	switch ke, ok := errors.AsType[*kerr.Error](err); {
	case errors.Is(err, kgo.ErrRecordTimeout), errors.Is(err, context.DeadlineExceeded):
		name = "TimeoutException"
	case !ok:
		return "org.apache.kafka.common.KafkaException"
	case javaNames[ke] != "":
		name = javaNames[ke]
	}
	return "org.apache.kafka.common.errors." + name
}

// javaError is an error of the cluster with words of its own.
type javaError struct {
	sentinel *kerr.Error
	message  string
}

func (e javaError) Error() string { return e.message }
func (e javaError) Unwrap() error { return e.sentinel }

// messageOf is what a Java exception made from the error would say.
func messageOf(err error) string {
	if ke, ok := errors.AsType[*kerr.Error](err); ok && err.Error() == ke.Error() {
		return ke.Description
	}
	return err.Error()
}

// toolProperties merge a file of properties and KEY=VALUE arguments, which win.
func (a *App) toolProperties(file string, args []string) (map[string]string, error) {
	out := make(map[string]string)
	if file != "" {
		settings, err := readProperties(file)
		if err != nil {
			return nil, toolFailure{err}
		}
		for _, s := range settings {
			out[s.Name] = s.Value
		}
	}
	for _, arg := range args {
		k, v, _ := strings.Cut(arg, "=")
		out[k] = v
	}
	return out, nil
}

// isTrue reads a boolean property as Kafka's tools do: only true, in any case, is.
func isTrue(text string) bool { return strings.EqualFold(strings.TrimSpace(text), "true") }

func millisDuration(ms int64) time.Duration { return time.Duration(ms) * time.Millisecond }

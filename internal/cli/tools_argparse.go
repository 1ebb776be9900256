package cli

//lint:file-ignore ST1005 these are the words of Kafka's own tools

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// argTool is a tool of Kafka that reads its command line with argparse4j: long options,
// with values of their own, and perhaps a command after the options of the tool itself.
type argTool struct {
	name     string // "kafka-transactions.sh"
	purpose  string
	options  []argOption
	commands []argCommand
}

type argCommand struct {
	name, help string
	options    []argOption
}

// argOption is an option of such a tool. Options without metavar take no value.
type argOption struct {
	names    []string // "--topic", or "-v", "--version"
	metavar  string
	kind     argKind
	required bool
	choices  []string
	def      string
	help     string
}

type argKind int

const (
	anyText argKind = iota
	smallNumber
	bigNumber
)

func (k argKind) String() string { return [...]string{"string", "int", "long"}[k] }

// argValues are the values that were given or are the default, by the option's last name
// without dashes.
type argValues struct {
	command string
	values  map[string][]string
}

func (v *argValues) has(name string) bool { return len(v.values[name]) > 0 }

func (v *argValues) text(name string) string {
	if !v.has(name) {
		return ""
	}
	return v.values[name][len(v.values[name])-1]
}

// number is a number that parse has checked; def if it was not given.
func (v *argValues) number(name string, def int64) int64 {
	n, err := strconv.ParseInt(v.text(name), 10, 64)
	if err != nil {
		return def
	}
	return n
}

func (o argOption) key() string { return strings.TrimLeft(o.names[len(o.names)-1], "-") }

// title is an option in complaints: -v/--version.
func (o argOption) title() string { return strings.Join(o.names, "/") }

// errHelp asks for the help of a tool, which is no failure.
var errHelp = errors.New("help")

// parse reads a command line. Options of the tool come before the command, those of the
// command after it.
func (t *argTool) parse(args []string) (*argValues, error) {
	v := &argValues{values: make(map[string][]string)}
	options := t.options
	for i := 0; i < len(args); i++ {
		arg := args[i]
		if !strings.HasPrefix(arg, "-") {
			c := slices.IndexFunc(t.commands, func(c argCommand) bool { return c.name == arg })
			switch {
			case v.command == "" && c >= 0:
				v.command = arg
				options = t.commands[c].options
				continue
			case v.command == "" && len(t.commands) > 0:
				return nil, t.wrong("invalid choice: '%s' (choose from %s)", arg, t.commandNames())
			}
			return nil, t.wrong("unrecognized arguments: '%s'", arg)
		}
		name, attached, has := strings.Cut(arg, "=")
		if name == "-h" || name == "--help" {
			return nil, errHelp
		}
		o, err := t.find(options, name)
		if err != nil {
			return nil, err
		}
		switch {
		case o.metavar == "":
			attached = "true"
		case !has && (i+1 >= len(args) || strings.HasPrefix(args[i+1], "--")):
			return nil, t.wrong("argument %s: expected one argument", o.title())
		case !has:
			i++
			attached = args[i]
		}
		if err := o.check(t, attached); err != nil {
			return nil, err
		}
		v.values[o.key()] = append(v.values[o.key()], attached)
	}
	if len(t.commands) > 0 && v.command == "" {
		return nil, t.wrong("too few arguments")
	}
	return v, t.complete(v, append(slices.Clone(t.options), options...))
}

// find returns an option by its name, or by a prefix that means only one.
func (t *argTool) find(options []argOption, name string) (argOption, error) {
	var near []argOption
	for _, o := range options {
		if slices.Contains(o.names, name) {
			return o, nil
		}
		if strings.HasPrefix(name, "--") && strings.HasPrefix(o.names[len(o.names)-1], name) {
			near = append(near, o)
		}
	}
	if len(near) == 1 {
		return near[0], nil
	}
	return argOption{}, t.wrong("unrecognized arguments: '%s'", name)
}

func (o argOption) check(t *argTool, text string) error {
	bits := 64
	switch {
	case len(o.choices) > 0 && !slices.Contains(o.choices, text):
		return t.wrong("argument %s: invalid choice: '%s' (choose from {%s})", o.title(), text, strings.Join(o.choices, ","))
	case o.kind == anyText:
		return nil
	case o.kind == smallNumber:
		bits = 32
	}
	if _, err := strconv.ParseInt(text, 10, bits); err != nil {
		return t.wrong("argument %s: could not convert '%s' to %s", o.title(), text, map[argKind]string{smallNumber: "Integer", bigNumber: "Long"}[o.kind])
	}
	return nil
}

// complete fills in defaults and misses what is required.
func (t *argTool) complete(v *argValues, options []argOption) error {
	for _, o := range options {
		switch {
		case v.has(o.key()):
		case o.required:
			return t.wrong("argument %s is required", o.title())
		case o.def != "":
			v.values[o.key()] = []string{o.def}
		}
	}
	return nil
}

func (t *argTool) commandNames() string {
	var names []string
	for _, c := range t.commands {
		names = append(names, "'"+c.name+"'")
	}
	return strings.Join(names, ", ")
}

// wrong is a command line that the tool does not understand.
func (t *argTool) wrong(format string, args ...any) error {
	return toolFailure{fmt.Errorf("%s%s: error: %s", t.usage(), t.name, fmt.Sprintf(format, args...))}
}

func (t *argTool) usage() string {
	words := []string{"usage: " + t.name, "[-h]"}
	for _, o := range t.options {
		words = append(words, o.bracketed())
	}
	if len(t.commands) > 0 {
		words = append(words, "COMMAND ...")
	}
	return strings.Join(words, " ") + "\n"
}

func (o argOption) bracketed() string {
	text := o.names[0]
	if o.metavar != "" {
		text += " " + o.metavar
	}
	if o.required {
		return text
	}
	return "[" + text + "]"
}

// help prints what the tool can do.
func (t *argTool) help(a *App, command string) error {
	var b strings.Builder
	b.WriteString(t.usage() + "\n" + t.purpose + "\n\n")
	options := t.options
	for _, c := range t.commands {
		if c.name == command {
			options = c.options
		}
	}
	for _, o := range append([]argOption{{names: []string{"-h", "--help"}, help: "show this help message and exit"}}, options...) {
		fmt.Fprintf(&b, "  %-38s %s\n", strings.TrimSpace(strings.Join(o.names, ", ")+" "+o.metavar), o.help)
	}
	if len(t.commands) > 0 && command == "" {
		b.WriteString("\ncommands:\n")
		for _, c := range t.commands {
			fmt.Fprintf(&b, "  %-38s %s\n", c.name, c.help)
		}
	}
	_, err := fmt.Fprint(a.Stdout, b.String())
	return err
}

// run parses a command line and does the work, or what -h and -v ask for.
func (t *argTool) run(a *App, args []string, work func(*argValues) error) error {
	if len(args) == 0 {
		return t.help(a, "")
	}
	if slices.Contains(args, "-v") || slices.Contains(args, "--version") {
		_, err := fmt.Fprintln(a.Stdout, kafkaVersion)
		return err
	}
	v, err := t.parse(args)
	if errors.Is(err, errHelp) {
		return t.help(a, firstWord(args))
	}
	if err != nil {
		return a.finish(err)
	}
	return a.finish(work(v))
}

func firstWord(args []string) string {
	for _, arg := range args {
		if !strings.HasPrefix(arg, "-") {
			return arg
		}
	}
	return ""
}

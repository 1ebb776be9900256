package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
)

// resetTo is where a partition of a group shall begin.
type resetTo struct {
	group, topic string
	partition    int32
	offset       int64
}

func (g *groupsToolRun) reset(ctx context.Context) error {
	names, err := g.groups(ctx)
	if err != nil {
		return err
	}
	found, err := lookAtGroups(ctx, g.cl, names)
	if err != nil {
		return err
	}
	var plan []resetTo
	refused := false
	for _, name := range names {
		d, err := found.get(name)
		if err != nil && !errors.Is(err, kerr.GroupIDNotFound) {
			return err
		}
		if err == nil && d.Type != shareGroup && d.State != "Empty" && d.State != "Dead" {
			g.failed(fmt.Sprintf("Assignments can only be reset if the group '%s' is inactive, but the current state is %s.", name, d.State))
			refused = true
			continue
		}
		part, err := g.resetGroup(ctx, name)
		if _, usage := errors.AsType[*toolUsage](err); err != nil && !usage {
			return toolText(messageOf(err))
		} else if usage {
			return err
		}
		plan = append(plan, part...)
	}
	g.printReset(plan, len(names))
	if refused {
		return &codedError{errSilent, exitFailed}
	}
	return nil
}

func (g *groupsToolRun) resetGroup(ctx context.Context, group string) ([]resetTo, error) {
	committed, err := g.adm.FetchOffsets(ctx, group)
	if err != nil && !errors.Is(err, kerr.GroupIDNotFound) {
		return nil, err
	}
	plan, err := g.planReset(ctx, group, committed)
	if err != nil || !g.o.has("execute") {
		return plan, err
	}
	offsets := make(kadm.Offsets)
	for _, r := range plan {
		offsets.AddOffset(r.topic, r.partition, r.offset, -1)
	}
	if len(plan) == 0 {
		return nil, nil
	}
	return plan, g.adm.CommitAllOffsets(ctx, group, offsets)
}

// planReset finds where each partition in scope shall begin.
func (g *groupsToolRun) planReset(ctx context.Context, group string, committed kadm.OffsetResponses) ([]resetTo, error) {
	if file, err := g.o.value("from-file"); err != nil {
		return nil, err
	} else if file != "" {
		return g.planFromFile(ctx, group, file)
	}
	var scope []string
	switch {
	case g.o.has("all-topics"):
		for _, o := range committed.Sorted() {
			scope = append(scope, fmt.Sprintf("%s:%d", o.Topic, o.Partition))
		}
	case g.o.has("topic"):
		scope = g.o.all("topic")
	default:
		return nil, g.o.usage("One of the reset scopes should be defined: --all-topics, --topic.")
	}
	place, err := g.place()
	if err != nil {
		return nil, err
	}
	targets, err := g.targets(ctx, scope, place)
	if err != nil {
		return nil, err
	}
	var plan []resetTo
	for _, t := range targets {
		at, ok := committed.Lookup(t.topic, t.partition)
		switch {
		case g.o.has("to-current") && ok:
			t.at = at.At
		case g.o.has("to-current"):
			t.at = t.end
		case place.kind == atShift && !ok:
			return nil, g.o.usage("Cannot shift offset for partition %s-%d since there is no current committed offset", t.topic, t.partition)
		case place.kind == atShift:
			t.at = at.At + place.value
		}
		plan = append(plan, resetTo{group, t.topic, t.partition, g.inRange(t)})
	}
	return plan, nil
}

// inRange moves an offset outside its partition to the nearest end, and says so.
func (g *groupsToolRun) inRange(t target) int64 {
	switch {
	case g.o.has("to-current"):
	case t.at > t.end:
		g.a.warn("WARN New offset (%d) is higher than latest offset for topic partition %s-%d. Value will be set to %d", t.at, t.topic, t.partition, t.end)
		return t.end
	case t.at < t.start:
		g.a.warn("WARN New offset (%d) is lower than earliest offset for topic partition %s-%d. Value will be set to %d", t.at, t.topic, t.partition, t.start)
		return t.start
	}
	return t.at
}

// targets resolves TOPIC or TOPIC:0,1; one that is not there is an error for all.
func (g *groupsToolRun) targets(ctx context.Context, scope []string, place where) ([]target, error) {
	if len(scope) == 0 {
		return nil, nil
	}
	for _, s := range scope {
		_, parts, some := strings.Cut(s, ":")
		for _, p := range strings.Split(parts, ",") {
			if _, err := strconv.ParseInt(p, 10, 32); some && err != nil {
				return nil, g.o.usage("Invalid partition '%s' specified in topic arg '%s''", p, s)
			}
		}
	}
	l := &listing{}
	targets, err := g.a.resolve(ctx, g.adm, scope, place, l)
	if err != nil {
		return nil, err
	}
	if len(l.errs) > 0 {
		if i := slices.IndexFunc(l.errs, func(e itemError) bool { return strings.Contains(e.Item, ":") }); i >= 0 {
			item := l.errs[i].Item
			j := strings.LastIndexByte(item, ':')
			return nil, toolText(fmt.Sprintf("The partitions \"%s-%s\" do not exist", item[:j], item[j+1:]))
		}
		return nil, kerr.ErrorForCode(l.errs[0].Code)
	}
	slices.SortFunc(targets, func(x, y target) int {
		if c := strings.Compare(x.topic, y.topic); c != 0 {
			return c
		}
		return int(x.partition) - int(y.partition)
	})
	return targets, nil
}

type toolText string

func (t toolText) Error() string { return string(t) }

// place is where --to-… says.
func (g *groupsToolRun) place() (where, error) {
	switch {
	case g.o.has("to-offset"):
		n, err := g.o.number("to-offset", 64, 0)
		return where{atOffset, n}, err
	case g.o.has("to-earliest"):
		return where{kind: atStart}, nil
	case g.o.has("to-latest"), g.o.has("to-current"):
		return where{kind: atEnd}, nil
	case g.o.has("shift-by"):
		n, err := g.o.number("shift-by", 64, 0)
		return where{atShift, n}, err
	case g.o.has("to-datetime"):
		text, err := g.o.value("to-datetime")
		if err != nil {
			return where{}, err
		}
		at, err := javaTime(text)
		return where{atTime, at}, err
	case g.o.has("by-duration"):
		text, err := g.o.value("by-duration")
		if err != nil {
			return where{}, err
		}
		d, err := isoDuration(text)
		return where{atTime, time.Now().Add(-d).UnixMilli()}, err
	}
	return where{}, g.o.usage("Option '[reset-offsets]' requires one of the following scenarios: [%s]", strings.Join(resetScenarios, "], ["))
}

// javaTime reads YYYY-MM-DDThh:mm:ss.sss, in UTC unless it names a zone.
func javaTime(text string) (int64, error) {
	_, clock, ok := strings.Cut(text, "T")
	if !ok {
		return 0, toolText("Error parsing timestamp. It does not contain a 'T' according to ISO8601 format")
	}
	if !strings.ContainsAny(clock, "+-Z") {
		text += "Z"
	}
	for _, layout := range []string{"2006-01-02T15:04:05.000Z07:00", "2006-01-02T15:04:05.000Z0700", "2006-01-02T15:04:05.000Z07", time.RFC3339Nano} {
		if t, err := time.Parse(layout, text); err == nil {
			return t.UnixMilli(), nil
		}
	}
	return 0, toolText(fmt.Sprintf("Unparseable date: \"%s\"", text))
}

var isoPattern = regexp.MustCompile(`^([-+]?)P(?:([-+]?\d+)D)?(?:T(?:([-+]?\d+)H)?(?:([-+]?\d+)M)?(?:([-+]?\d+(?:\.\d{1,9})?)S)?)?$`)

// isoDuration reads PnDTnHnMnS.
func isoDuration(text string) (time.Duration, error) {
	m := isoPattern.FindStringSubmatch(strings.ToUpper(text))
	if m == nil || m[2]+m[3]+m[4]+m[5] == "" {
		return 0, toolText("Text cannot be parsed to a Duration")
	}
	var d time.Duration
	for i, unit := range map[int]time.Duration{2: 24 * time.Hour, 3: time.Hour, 4: time.Minute, 5: time.Second} {
		if m[i] != "" {
			n, err := strconv.ParseFloat(m[i], 64)
			if err != nil {
				return 0, toolText("Text cannot be parsed to a Duration")
			}
			d += time.Duration(n * float64(unit))
		}
	}
	if m[1] == "-" {
		d = -d
	}
	return d, nil
}

// planFromFile reads TOPIC,PARTITION,OFFSET or GROUP,TOPIC,PARTITION,OFFSET a line.
func (g *groupsToolRun) planFromFile(ctx context.Context, group, file string) ([]resetTo, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var wanted []resetTo
	var scope []string
	for _, line := range strings.Split(strings.TrimSpace(string(text)), "\n") {
		fields := strings.Split(strings.TrimSpace(line), ",")
		for i := range fields {
			fields[i] = strings.Trim(strings.TrimSpace(fields[i]), `"`)
		}
		if len(fields) == 3 {
			fields = append([]string{group}, fields...)
		}
		if len(fields) != 4 {
			return nil, toolText(fmt.Sprintf("%s: want TOPIC,PARTITION,OFFSET or GROUP,TOPIC,PARTITION,OFFSET: %s", file, line))
		}
		p, err1 := strconv.ParseInt(fields[2], 10, 32)
		o, err2 := strconv.ParseInt(fields[3], 10, 64)
		if err1 != nil || err2 != nil {
			return nil, toolText(fmt.Sprintf("%s: partition and offset must be numbers: %s", file, line))
		}
		if fields[0] == group {
			wanted = append(wanted, resetTo{group, fields[1], int32(p), o})
			scope = append(scope, fmt.Sprintf("%s:%d", fields[1], p))
		}
	}
	if len(wanted) == 0 {
		g.failed("No reset plan for group " + group + " found")
		return nil, nil
	}
	targets, err := g.targets(ctx, uniq(scope), where{kind: atEnd})
	if err != nil {
		return nil, err
	}
	for i := range wanted {
		for _, t := range targets {
			if t.topic == wanted[i].topic && t.partition == wanted[i].partition {
				t.at = wanted[i].offset
				wanted[i].offset = g.inRange(t)
			}
		}
	}
	return wanted, nil
}

func (g *groupsToolRun) printReset(plan []resetTo, groups int) {
	if g.o.has("export") {
		var b strings.Builder
		for _, r := range plan {
			if groups != 1 {
				b.WriteString(r.group + ",")
			}
			fmt.Fprintf(&b, "%s,%d,%d\n", r.topic, r.partition, r.offset)
		}
		fmt.Fprintln(g.a.Stdout, b.String())
		return
	}
	group, topic := 15, 15
	for _, r := range plan {
		group, topic = max(group, len(r.group)), max(topic, len(r.topic))
	}
	if groups > 0 {
		fmt.Fprintf(g.a.Stdout, "\n%-*s %-*s %-10s %s", group, "GROUP", topic, "TOPIC", "PARTITION", "NEW-OFFSET")
	}
	for _, r := range plan {
		fmt.Fprintf(g.a.Stdout, "\n%-*s %-*s %-10d %d", group, r.group, topic, r.topic, r.partition, r.offset)
	}
	fmt.Fprintln(g.a.Stdout)
}

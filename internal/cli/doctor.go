package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/odradek/odradek/internal/base/vfs"
	"github.com/spf13/cobra"
)

func init() { nouns = append(nouns, doctorCommand) }

// verdicts of a finding.
const (
	fine   = "ok"
	unsure = "look" // it works, and a person may want to know
	broken = "bad"  // it does not work: exit code 7
	untold = "unknown"
)

// finding is what a check found out.
type finding struct {
	Check   string `json:"check"`
	Verdict string `json:"verdict"`
	Found   string `json:"found"`
	Change  string `json:"change,omitempty"` // what to change, if something is to be changed
}

// diagnosis collects findings and prints them.
type diagnosis struct{ list []finding }

func (d *diagnosis) add(check, verdict, change, format string, args ...any) {
	d.list = append(d.list, finding{check, verdict, fmt.Sprintf(format, args...), change})
}

// print prints the findings, and what to change on stderr. It returns an error with exit
// code 7 if something is broken.
func (d *diagnosis) print(a *App) error {
	l := &listing{kind: "Diagnosis", columns: []string{"check", "verdict", "found"}}
	for _, f := range d.list {
		l.add(f, f.Check, f.Verdict, f.Found)
	}
	if err := a.print(l); err != nil {
		return err
	}
	for _, f := range d.list {
		if f.Change != "" && a.out.format == "text" {
			a.warn("%s: %s", f.Check, f.Change)
		}
	}
	if slices.ContainsFunc(d.list, func(f finding) bool { return f.Verdict == broken }) {
		return &codedError{errSilent, exitCheck}
	}
	return nil
}

func doctorCommand(a *App) *cobra.Command {
	s := &starter{App: a}
	c := &cobra.Command{
		Use: "doctor", Short: "Find out what is wrong with a node's surroundings",
		Long: `Check what a node on this machine stands on: how quickly its data folder makes writes
durable, room, open files, the clock; and, of the node that runs there if one does, its
listeners. Verdicts are ok, look (it works, but) and bad, which is exit code 7.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return s.diagnose(c.Context()) },
	}
	c.Flags().StringVarP(&s.file, "config", "c", "", "file of the node's settings")
	c.Flags().StringVar(&s.data, "data", "", "the node's data folder")
	c.AddCommand(doctorListenersCommand(a))
	return c
}

func (s *starter) diagnose(ctx context.Context) error {
	set, err := s.load()
	if err != nil {
		return err
	}
	var d diagnosis
	for _, dir := range set.DataDirs {
		d.disk(dir)
	}
	d.openFiles()
	d.clock(time.Now())
	if err := s.diagnoseListeners(ctx, &d); err != nil && !d.notThere(err) {
		return err
	}
	return d.print(s.App)
}

// notThere takes the absence of a node as a finding.
func (d *diagnosis) notThere(err error) bool {
	if exitCode(err) != exitUnreachable && exitCode(err) != exitTimeout {
		return false
	}
	d.add("listeners", untold, "", "no node answers: %v", err)
	return true
}

// syncs is how often the disk is asked to make a write durable.
const syncs = 200

// disk measures the folder, or the nearest one above it that exists.
func (d *diagnosis) disk(dir string) {
	at := dir
	for {
		info, err := os.Stat(at)
		if err == nil && info.IsDir() {
			break
		}
		if up := filepath.Dir(at); errors.Is(err, fs.ErrNotExist) && up != at {
			at = up
			continue
		}
		d.add("disk", broken, "name another folder: odradek start --data FOLDER", "%s is no folder that can be used: %v", at, err)
		return
	}
	d.room(at)
	took, err := measureSyncs(at)
	if err != nil {
		d.add("disk", broken, "let the node's user write to it, or name another folder", "%s cannot be written: %v", at, err)
		return
	}
	p50, p99, top := took[syncs/2], took[syncs*99/100], took[syncs-1]
	verdict, change := fine, ""
	switch {
	case p99 > 500*time.Millisecond:
		verdict, change = broken, "clients will time out: use another disk, or odradek.durability=os if losing the last records in a power cut is fine"
	case p99 > 50*time.Millisecond:
		verdict, change = unsure, "every acknowledgement waits for this: use a quicker disk, or odradek.durability=os if losing the last records in a power cut is fine"
	}
	d.add("disk", verdict, change, "%s: a durable write takes %s, 1 in 100 %s, at most %s", at, brief(p50), brief(p99), brief(top))
}

func (d *diagnosis) room(dir string) {
	total, free, err := vfs.OS.Space(dir)
	switch {
	case err != nil:
		d.add("room", untold, "", "%s: %v", dir, err)
	case free < 256<<20:
		d.add("room", broken, "make room: writes are refused on a full disk", "%s: %s of %s free", dir, size(free), size(total))
	case free < total/20:
		d.add("room", unsure, "make room, or let topics keep less: retention.ms, retention.bytes", "%s: %s of %s free", dir, size(free), size(total))
	default:
		d.add("room", fine, "", "%s: %s of %s free", dir, size(free), size(total))
	}
}

// measureSyncs makes small writes durable one after the other, as the journal does, and
// returns how long each took, the shortest first.
func measureSyncs(dir string) ([]time.Duration, error) {
	name := filepath.Join(dir, fmt.Sprintf(".odradek-doctor-%d", os.Getpid()))
	f, err := vfs.OS.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, err
	}
	defer os.Remove(name)
	defer f.Close()
	block := make([]byte, 4096)
	if err := f.Preallocate(syncs * int64(len(block))); err != nil {
		return nil, err
	}
	if err := f.Sync(); err != nil {
		return nil, err
	}
	took := make([]time.Duration, 0, syncs)
	for i := range syncs {
		began := time.Now()
		if _, err := f.WriteAt(block, int64(i*len(block))); err != nil {
			return nil, err
		}
		if err := f.Datasync(); err != nil {
			return nil, err
		}
		took = append(took, time.Since(began))
	}
	slices.Sort(took)
	return took, nil
}

// clock judges the time, which is what retention and timestamps go by.
func (d *diagnosis) clock(now time.Time) {
	if now.Year() < 2024 {
		d.add("clock", broken, "set the clock: retention would keep or delete by wrong times", "it says %s", now.UTC().Format(time.RFC3339))
		return
	}
	switch synced, err := clockSynced(); {
	case err != nil:
		d.add("clock", untold, "", "%s; whether it is kept in step is unknown: %v", now.UTC().Format(time.RFC3339), err)
	case !synced:
		d.add("clock", unsure, "run a time service such as chrony", "%s, not kept in step by a time service", now.UTC().Format(time.RFC3339))
	default:
		d.add("clock", fine, "", "%s, kept in step", now.UTC().Format(time.RFC3339))
	}
}

// openFiles judges how many files and connections the process may have.
func (d *diagnosis) openFiles() {
	switch n, err := maxOpenFiles(); {
	case err != nil:
		d.add("open-files", untold, "", "%v", err)
	case n < 10_000:
		d.add("open-files", unsure, "raise it: ulimit -n 100000", "at most %s, each connection and open segment is one", thousands(int(n)))
	default:
		d.add("open-files", fine, "", "at most %s", thousands(int(min(n, 1<<40))))
	}
}

// brief writes a duration with two or three digits that matter.
func brief(d time.Duration) string {
	switch {
	case d < 100*time.Microsecond:
		return d.Round(time.Microsecond).String()
	case d < 100*time.Millisecond:
		return d.Round(10 * time.Microsecond).String()
	}
	return d.Round(time.Millisecond).String()
}

// size writes bytes in the unit that fits.
func size(n int64) string {
	units := []string{"B", "KiB", "MiB", "GiB", "TiB", "PiB"}
	f, i := float64(n), 0
	for f >= 1024 && i < len(units)-1 {
		f, i = f/1024, i+1
	}
	if i == 0 {
		return fmt.Sprintf("%d B", n)
	}
	return fmt.Sprintf("%.1f %s", f, units[i])
}

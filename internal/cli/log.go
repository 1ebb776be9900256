package cli

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/odradek/odradek/internal/base/vfs"
	"github.com/spf13/cobra"
)

func init() { nouns = append(nouns, logCommand) }

func logCommand(a *App) *cobra.Command {
	return noun("log", "Look into a node's files, without a node", logDumpCommand(a))
}

// dumper prints what files hold and judges it.
type dumper struct {
	*App
	records bool
	layout  layout
	out     *bufio.Writer
	name    string // of the file at hand
	bad     int    // faults found
}

func logDumpCommand(a *App) *cobra.Command {
	d := &dumper{App: a}
	c := &cobra.Command{
		Use: "dump FILE...", Short: "Print the content of log files and check it",
		Long: `Print and check files of a data folder: segments (.log), their indexes (.index,
.timeindex, .txnindex), producer snapshots (.snapshot), checkpoints
(leader-epoch-checkpoint and others), partition.metadata, meta.properties, the journal
(.odj) and the cluster's own log (in __cluster_metadata-0). A folder stands for the files in it. Files are not changed, and a node may be
running: then the end of a file may be half written. Exit code 7 if a checksum or an entry
is wrong.`,
		Example: `  odradek log dump ~/.local/share/odradek/data/orders-0
  odradek log dump 00000000000000000000.log --records`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error { return d.run(args) },
	}
	c.Flags().BoolVar(&d.records, "records", false, "print the records of batches as well")
	return c
}

func (d *dumper) run(args []string) error {
	if f := d.App.out.format; f == "yaml" || f == "name" {
		return usagef("log dump prints text or jsonl, not %s", f)
	}
	d.out = bufio.NewWriterSize(d.Stdout, 64<<10)
	files, err := expand(args)
	for i, f := range files {
		if d.name = f; i > 0 && d.text() {
			fmt.Fprintln(d.out)
		}
		if e := d.file(f); e != nil {
			err = errors.Join(err, e)
		}
	}
	if err := errors.Join(err, d.out.Flush()); err != nil {
		return err
	}
	if d.bad > 0 {
		d.warn("%s", plural(d.bad, "fault"))
		return &codedError{errSilent, exitCheck}
	}
	return nil
}

// dumps are the kinds of files, by the end of their names.
var dumps = []struct {
	end  string
	dump func(*dumper, vfs.File) error
}{
	{".log", (*dumper).segment},
	{".timeindex", (*dumper).timeIndex},
	{".txnindex", (*dumper).txnIndex},
	{".index", (*dumper).offsetIndex},
	{".snapshot", (*dumper).snapshot},
	{".odj", (*dumper).journal},
	{"-checkpoint", (*dumper).checkpoint},
	{"partition.metadata", (*dumper).plain},
	{"meta.properties", (*dumper).plain},
}

// kindOf is the kind of a file, also of one that is on its way in or out.
func kindOf(name string) func(*dumper, vfs.File) error {
	for _, suffix := range []string{".deleted", ".cleaned", ".swap"} {
		name = strings.TrimSuffix(name, suffix)
	}
	for _, k := range dumps {
		if strings.HasSuffix(name, k.end) {
			return k.dump
		}
	}
	return nil
}

// expand replaces folders by the files in them that can be dumped.
func expand(args []string) ([]string, error) {
	var files []string
	var errs []error
	for _, arg := range args {
		info, err := os.Stat(arg)
		switch {
		case err != nil:
			errs = append(errs, notFound(err))
		case info.IsDir():
			entries, err := os.ReadDir(arg)
			errs = append(errs, err)
			for _, e := range entries {
				if !e.IsDir() && kindOf(e.Name()) != nil {
					files = append(files, filepath.Join(arg, e.Name()))
				}
			}
		case kindOf(filepath.Base(arg)) == nil:
			errs = append(errs, usagef("%s: not a kind of file that can be dumped", arg))
		default:
			files = append(files, arg)
		}
	}
	return slices.Compact(files), errors.Join(errs...)
}

func notFound(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return &codedError{err, exitNotFound}
	}
	return err
}

func (d *dumper) file(name string) error {
	f, err := vfs.OS.Open(name)
	if err != nil {
		return notFound(err)
	}
	defer f.Close()
	if d.text() {
		fmt.Fprintf(d.out, "%s\n", name)
	}
	dump := kindOf(filepath.Base(name))
	if inClusterLog(name) {
		dump = map[string]func(*dumper, vfs.File) error{
			".log": (*dumper).clusterLog, ".snapshot": (*dumper).clusterSnapshot,
		}[filepath.Ext(name)]
		if dump == nil {
			return fmt.Errorf("%s: not a file of the cluster's own log", name)
		}
	}
	if err := dump(d, f); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

func (d *dumper) text() bool { return d.App.out.format == "text" }

// line prints one thing that a file holds: text for a person, item for a program.
func (d *dumper) line(item any, format string, args ...any) error {
	if d.text() {
		_, err := fmt.Fprintf(d.out, "  "+format+"\n", args...)
		return err
	}
	enc := json.NewEncoder(d.out)
	enc.SetEscapeHTML(false)
	return enc.Encode(item)
}

// fault is something that is wrong in a file.
type fault struct {
	File     string `json:"file"`
	Position int64  `json:"position"`
	Fault    string `json:"fault"`
}

// fault counts and prints what is wrong at a position.
func (d *dumper) fault(pos int64, format string, args ...any) error {
	d.bad++
	f := fault{d.name, pos, fmt.Sprintf(format, args...)}
	return d.line(f, "BAD at %d: %s", pos, f.Fault)
}

// plain prints a file of text as it is.
func (d *dumper) plain(f vfs.File) error {
	text, err := d.all(f)
	if err != nil {
		return err
	}
	for l := range strings.Lines(text) {
		l = strings.TrimRight(l, "\r\n")
		if err := d.line(struct {
			File string `json:"file"`
			Line string `json:"line"`
		}{d.name, l}, "%s", l); err != nil {
			return err
		}
	}
	return nil
}

// maxText is more than any file of text in a data folder has.
const maxText = 64 << 20

func (d *dumper) all(f vfs.File) (string, error) {
	size, err := f.Size()
	if err != nil {
		return "", err
	}
	if size > maxText {
		return "", fmt.Errorf("%d bytes are too many for this kind of file", size)
	}
	b, err := readAt(f, 0, int(size))
	return string(b), err
}

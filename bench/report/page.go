package report

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

const command = "make bench-peers"

// Write makes the page and its plots beside a file of figures.
func Write(file string) error {
	pages, err := Pages(file)
	if err != nil {
		return err
	}
	for name, text := range pages {
		if err := os.WriteFile(filepath.Join(filepath.Dir(file), name), []byte(text), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// Pages is what Write writes: texts by the names of their files.
func Pages(file string) (map[string]string, error) {
	books, err := Read(file)
	if err != nil {
		return nil, err
	}
	s := results(books)
	names, pages := plots(s)
	pages[strings.TrimSuffix(filepath.Base(file), ".jsonl")+".md"] = page(s, names)
	return pages, nil
}

func page(s Shelf, plots []string) string {
	var b strings.Builder
	b.WriteString(`# Beside others

<!-- generated from peers.jsonl by go run ./bench -page; do not edit -->

Odradek and Apache Kafka on one machine, one after the other in each round, with the same loads from
a process of their own. A comparison begins with

    ` + command + `

which needs Go and Java and takes some hours; bench/README.md says what each load is and how it is
measured.
`)
	if len(s) == 0 {
		b.WriteString("\nNothing has been measured yet.\n")
		return b.String()
	}
	last := s[len(s)-1]
	b.WriteString("\nMedians of the rounds, with their range; ratios are made pair by pair, of one round each, before the\nmedian is taken. Each table is of the newest session that has measured it.\n")
	fmt.Fprintf(&b, "\nThe last session: %s, %d rounds, `%s`, on %s.\n\n", last.ID, last.Rounds, last.Command, last.Machine.text())
	for _, load := range slices.Sorted(maps.Keys(last.Rates)) {
		fmt.Fprintf(&b, "- %s: %s records a second.\n", load, number(last.Rates[load]))
	}
	for _, system := range last.Systems {
		fmt.Fprintf(&b, "- **%s** %s: %s.\n", system.Title, system.Version, system.About)
	}
	b.WriteString("\n## What is to be reached\n\n")
	targetsText(&b, s)
	b.WriteString("\n## Plots\n\n")
	for _, name := range plots {
		fmt.Fprintf(&b, "![%s](%s)\n\n", strings.TrimSuffix(name, ".svg"), name)
	}
	b.WriteString("## All loads\n")
	for _, t := range tables() {
		t.text(&b, s)
	}
	failuresText(&b, s)
	b.WriteString("\n## Sessions\n\n| session | rounds | machine | systems | command |\n| --- | --- | --- | --- | --- |\n")
	for _, book := range s {
		var systems []string
		for _, system := range book.Systems {
			systems = append(systems, strings.TrimSpace(system.Title+" "+system.Version))
		}
		fmt.Fprintf(&b, "| %s | %d | %s | %s | `%s` |\n", book.ID, book.Rounds, book.Machine.text(), strings.Join(systems, "; "), book.Command)
	}
	if len(s) > 1 {
		b.WriteString("\nThe medians of each:\n\n")
		sessionsText(&b, s)
	}
	return b.String()
}

func (m Machine) text() string {
	parts := []string{fmt.Sprintf("%d cores (%s)", m.Cores, m.CPU), number(m.Memory) + " GiB", m.Kernel, m.Disk, m.Go, m.Java}
	if m.Full {
		parts = append(parts, "memory full")
	}
	if m.Others >= 0.1 {
		parts = append(parts, fmt.Sprintf("**%s cores were busy with other work when it began**", number(m.Others)))
	}
	return strings.Join(slices.DeleteFunc(parts, func(p string) bool { return p == "" }), ", ")
}

package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// demoResult is what -o json prints.
type demoResult struct {
	Steps        []demoStep `json:"steps"`
	Sent         int        `json:"sent"`
	Acknowledged int        `json:"acknowledged"`
	Read         int        `json:"read"`
	Lost         int        `json:"lost"`
	Duplicated   int        `json:"duplicated"`
	OutOfOrder   int        `json:"outOfOrder"`
	ReadAgain    int        `json:"readAgain"`
	Millis       int64      `json:"millis"`
}

func (d *demo) verdict() error {
	l, r := d.ledger, &d.result
	r.Sent, r.Acknowledged, r.Read, r.Lost = d.orders, len(l.acked), len(l.read), l.lost()
	r.Duplicated, r.OutOfOrder, r.ReadAgain = l.duplicated, l.disordered, l.again
	r.Millis = time.Since(d.began).Milliseconds()
	if err := d.table(); err != nil {
		return err
	}
	if r.Lost+r.Duplicated+r.OutOfOrder > 0 {
		return fmt.Errorf("%d orders lost, %d duplicated, %d out of order", r.Lost, r.Duplicated, r.OutOfOrder)
	}
	return nil
}

func (d *demo) table() error {
	l, r := d.ledger, d.result
	switch d.out.format {
	case "text":
	case "json", "jsonl":
		return json.NewEncoder(d.Stdout).Encode(r)
	case "yaml":
		return writeYAML(d.Stdout, r)
	default:
		return usagef("unknown output %q: text, json, jsonl or yaml", d.out.format)
	}
	row := func(what, n, worth string) {
		d.say("%s\n", strings.TrimRight(fmt.Sprintf("      %-36s %10s %14s", what, n, worth), " "))
	}
	var sent int64
	for _, o := range makeOrders(d.orders, demoCustomers) {
		sent += o.Cents
	}
	d.say("\n")
	row("", "orders", "worth")
	row("sent", thousands(r.Sent), money(sent))
	row("acknowledged", thousands(r.Acknowledged), money(l.ackedCents))
	row("read", thousands(r.Read), money(l.readCents))
	if r.ReadAgain > 0 {
		row("read again, as not yet committed", thousands(r.ReadAgain), "")
	}
	row("lost", thousands(r.Lost), "")
	row("duplicated", thousands(r.Duplicated), "")
	row("out of order", thousands(r.OutOfOrder), "")
	if r.Lost+r.Duplicated+r.OutOfOrder == 0 {
		d.say("\nEvery order that was acknowledged was kept once and in its customer's order. %.1f s in all.\n", float64(r.Millis)/1000)
	}
	return nil
}

// readAll waits until every order was read. If that does not come, the verdict counts.
func (d *demo) readAll(ctx context.Context) (string, error) {
	patience := time.NewTimer(20 * time.Second)
	defer patience.Stop()
	select {
	case <-d.ledger.reached:
		return strings.Join(d.shares(), ", "), nil
	case <-patience.C:
		return "not within 20 s", nil
	case <-ctx.Done():
		return "", context.Cause(ctx)
	}
}

func (d *demo) shares() []string {
	d.ledger.mu.Lock()
	defer d.ledger.mu.Unlock()
	var list []string
	for _, m := range slices.Sorted(maps.Keys(d.ledger.byMember)) {
		list = append(list, fmt.Sprintf("%s read %s", m, thousands(d.ledger.byMember[m])))
	}
	return list
}

// thousands writes 50000 as 50,000.
func thousands(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

func money(cents int64) string { return fmt.Sprintf("%s.%02d", thousands(int(cents/100)), cents%100) }

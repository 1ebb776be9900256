package cli

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

func featuresSet(a *App) *cobra.Command {
	var unsafe, dry bool
	c := &cobra.Command{
		Use:   "set FEATURE=LEVEL...",
		Short: "Put other levels of features in force",
		Long: `Put other levels of features in force for the whole cluster, as after an upgrade of all
nodes. A lower level is a downgrade: it is refused if it would lose something, unless it is
called --unsafe. Level 0 switches a feature off.`,
		Example: `  odradek cluster features set metadata.version=29 --dry-run`,
		Args:    names(1, "FEATURE=LEVEL"),
		RunE: a.withClient(func(ctx context.Context, cl *kgo.Client, args []string) error {
			wanted, err := keyValues(args)
			if err != nil {
				return err
			}
			return a.setFeatures(ctx, cl, wanted, unsafe, dry)
		}),
	}
	c.Flags().BoolVar(&unsafe, "unsafe", false, "allow a downgrade that loses something")
	dryRunFlag(c, &dry)
	return c
}

func (a *App) setFeatures(ctx context.Context, cl *kgo.Client, wanted map[string]*string, unsafe, dry bool) error {
	now, err := describeFeatures(ctx, cl)
	if err != nil {
		return err
	}
	req := kmsg.NewPtrUpdateFeaturesRequest()
	req.TimeoutMillis, req.ValidateOnly = int32(a.conn.timeout.Milliseconds()), dry
	names := slices.Sorted(maps.Keys(wanted))
	for _, name := range names {
		level, err := strconv.ParseInt(*wanted[name], 10, 16)
		if err != nil || level < 0 {
			return usagef("%s=%s: want a level, 0 or more", name, *wanted[name])
		}
		u := kmsg.NewUpdateFeaturesRequestFeatureUpdate()
		u.Feature, u.MaxVersionLevel, u.UpgradeType = name, int16(level), 1
		if i := slices.IndexFunc(now, func(f featureItem) bool { return f.Feature == name }); i >= 0 && int16(level) < now[i].Finalized {
			u.UpgradeType = 2
		}
		if u.UpgradeType == 2 && unsafe {
			u.UpgradeType = 3
		}
		req.FeatureUpdates = append(req.FeatureUpdates, u)
	}
	resp, err := req.RequestWith(ctx, cl)
	if err != nil {
		return err
	}
	if err := answered(resp.ErrorCode, resp.ErrorMessage); err != nil {
		return err
	}
	l := &listing{kind: "FeatureChange", noun: "feature", columns: []string{"feature", "level", "status"}}
	for _, r := range resp.Results { // up to version 1, each has an answer of its own
		if err := answered(r.ErrorCode, r.ErrorMessage); err != nil {
			l.fail(r.Feature, err)
		}
	}
	for _, name := range names {
		if !slices.ContainsFunc(l.errs, func(e itemError) bool { return e.Item == name }) {
			done := status(dry, "set", "set")
			l.add(featureChange{name, *wanted[name], done}, name, *wanted[name], done)
		}
	}
	return a.print(l)
}

// featureChange is what was done to a feature.
type featureChange struct {
	Feature string `json:"feature"`
	Level   string `json:"level"`
	Status  string `json:"status"`
}

// describeFeatures are the features that brokers support, and what is in force.
func describeFeatures(ctx context.Context, cl *kgo.Client) ([]featureItem, error) {
	req := kmsg.NewPtrApiVersionsRequest()
	req.ClientSoftwareName, req.ClientSoftwareVersion = "odradek", "1"
	resp, err := req.RequestWith(ctx, cl)
	if err != nil {
		return nil, err
	}
	return featureItems(resp), kerr.ErrorForCode(resp.ErrorCode)
}

// row is a feature in a table.
func (f featureItem) row() []string {
	return []string{f.Feature, fmt.Sprint(f.SupportedMin), fmt.Sprint(f.SupportedMax), fmt.Sprint(f.Finalized), fmt.Sprint(f.Epoch)}
}

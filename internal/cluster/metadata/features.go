package metadata

import (
	"cmp"
	"fmt"
	"slices"
)

// Unsupported says why a release that supports these features cannot take part in the
// cluster, or nil if it can.
func (m *Image) Unsupported(ranges []FeatureRange) error {
	for name, level := range m.Features() {
		i := slices.IndexFunc(ranges, func(f FeatureRange) bool { return f.Name == name })
		switch {
		case i < 0:
			return fmt.Errorf("the cluster has the feature %s at level %d, which this release does not know: %w", name, level, ErrUnknownRecord)
		case level > ranges[i].Max:
			return fmt.Errorf("the cluster has the feature %s at level %d, but this release supports at most %d: %w", name, level, ranges[i].Max, ErrUnknownRecord)
		case level < cmp.Or(ranges[i].Min, 1):
			return fmt.Errorf("the cluster has the feature %s at level %d, but this release supports no less than %d: "+
				"start the release that ran before, raise the level with `features upgrade`, then upgrade this node", name, level, ranges[i].Min)
		}
	}
	return nil
}

package chaos

import (
	"os"

	"github.com/odradek/odradek/conformance/disk"
)

// disks gives each node a disk of its own, or none of them.
func (r *Rig) disks() error {
	for _, n := range r.Nodes {
		if err := os.MkdirAll(n.dir, 0o755); err != nil {
			return err
		}
		d, err := disk.New(n.dir, r.DiskBytes)
		if err != nil {
			for _, n := range r.Nodes {
				if n.Disk != nil {
					_ = n.Disk.Close()
					n.Disk = nil
				}
			}
			return err
		}
		n.Disk = d
	}
	return nil
}

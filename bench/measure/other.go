//go:build !linux

package measure

// Of reads what processes have used.
func Of(...int) (Usage, error) { return Usage{}, ErrUnknown }

// Now reads what the whole machine has used.
func Now() (Machine, error) { return Machine{}, ErrUnknown }

// Resident is the memory of processes that is in RAM, in bytes.
func Resident(...int) (int64, error) { return 0, ErrUnknown }

// Disk is the block device that a folder is on.
type Disk struct{}

// DiskOf finds the disk of a folder.
func DiskOf(string) (*Disk, error) { return nil, ErrUnknown }

// Written is how many bytes the device was given to write.
func (*Disk) Written() (int64, error) { return 0, ErrUnknown }

// Sync waits until what was written is on the disk.
func (*Disk) Sync() error { return ErrUnknown }

// Package disk makes disks that can be hurt: each is an ext4 in a file, mounted by way of
// a loop device. The power can be cut, by an ioctl that stops the file system where it
// stands: what was not synced is gone, as with the plug pulled, and what was is there when
// it is mounted again. It can be full. Only Linux has them, and only for root; the error
// of New says what is lacking. A Disk has no goroutine; Close unmounts it.
package disk

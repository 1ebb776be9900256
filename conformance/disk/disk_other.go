//go:build !linux

package disk

import "errors"

// Disk is what there is none of here.
type Disk struct{ Image, Mount string }

var errNone = errors.New("loop devices are Linux's")

// New says that there is no such disk.
func New(string, int64) (*Disk, error) { return nil, errNone }

// Cut cannot be.
func (d *Disk) Cut() error { return errNone }

// Remount cannot be.
func (d *Disk) Remount() error { return errNone }

// Fill cannot be.
func (d *Disk) Fill(int64) error { return errNone }

// Free cannot be.
func (d *Disk) Free() error { return errNone }

// Close has nothing to unmount.
func (d *Disk) Close() error { return nil }

// Sweep has nothing to take away.
func Sweep(func(dir string) bool) {}

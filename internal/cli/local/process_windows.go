package local

import (
	"fmt"
	"os"
	"os/exec"
	"syscall"

	"golang.org/x/sys/windows"
)

// born tells when a process began: with its pid, that is a name that no other has.
func born(pid int) (string, error) {
	h, err := windows.OpenProcess(windows.PROCESS_QUERY_LIMITED_INFORMATION, false, uint32(pid))
	if err != nil {
		return "", err
	}
	defer windows.CloseHandle(h) //nolint:errcheck // it was only read
	var code uint32
	if err := windows.GetExitCodeProcess(h, &code); err != nil {
		return "", err
	}
	if code != stillActive {
		return "", os.ErrProcessDone
	}
	var began, ended, kernel, user windows.Filetime
	if err := windows.GetProcessTimes(h, &began, &ended, &kernel, &user); err != nil {
		return "", err
	}
	return fmt.Sprint(began.Nanoseconds()), nil
}

const stillActive = 259

// memory is not known here.
func memory(int) int64 { return -1 }

// detach keeps the terminal's events and end from the process.
func detach(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{CreationFlags: windows.CREATE_NEW_PROCESS_GROUP | windows.DETACHED_PROCESS}
}

// terminate ends the process there and then: there is no signal that asks. That is as
// safe as kill -9.
func terminate(p *os.Process) error { return p.Kill() }

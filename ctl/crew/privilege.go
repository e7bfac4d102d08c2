package crew

import (
	"errors"
	"fmt"
	"runtime"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// drop leaves the process the capabilities in keep, and no way to more. The threads of the process share it: under the race detector, which links libc, that cannot be done.
func drop(keep ...uint) error {
	if _, _, e := syscall.AllThreadsSyscall6(unix.SYS_PRCTL, unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0, 0); e != 0 {
		if errors.Is(e, errors.ErrUnsupported) {
			return nil
		}
		return fmt.Errorf("crew: no new privileges: %w", e)
	}
	var allowed, had [2]unix.CapUserData
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	if err := unix.Capget(&header, &had[0]); err != nil {
		return fmt.Errorf("crew: capabilities: %w", err)
	}
	for _, c := range keep {
		bit := uint32(1) << (c % 32) & had[c/32].Permitted // what it never had it can't keep
		allowed[c/32].Permitted |= bit
		allowed[c/32].Effective |= bit
	}
	_, _, e := syscall.AllThreadsSyscall(unix.SYS_CAPSET, uintptr(unsafe.Pointer(&header)), uintptr(unsafe.Pointer(&allowed[0])), 0)
	runtime.KeepAlive(&header)
	runtime.KeepAlive(&allowed)
	if e != 0 {
		return fmt.Errorf("crew: drop capabilities: %w", e)
	}
	return nil
}

package bpf

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// systemFS is where systemd mounts the machine's bpffs.
const systemFS = "/sys/fs/bpf"

// PinDir makes the folder in which a daemon with this run directory pins its links. It lies in the machine's own bpffs,
// which outlives a service's private mounts; where there is none, one is mounted below the run directory. outlives is
// false where that mount belongs to a mount namespace that may end with the daemon.
func PinDir(runDir string) (dir string, outlives bool, err error) {
	if isBPFFS(systemFS) {
		dir = systemDir(runDir)
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return "", false, fmt.Errorf("bpf: folder for pins: %w", err)
		}
		return dir, true, nil
	}
	dir = filepath.Join(runDir, "bpf")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", false, fmt.Errorf("bpf: folder for pins: %w", err)
	}
	if !isBPFFS(dir) {
		if err := unix.Mount("bpf", dir, "bpf", 0, "mode=0700"); err != nil {
			return "", false, fmt.Errorf("bpf: mount a bpffs at %s: %w", dir, err)
		}
	}
	ours, err := os.Readlink("/proc/self/ns/mnt")
	if err != nil {
		return "", false, fmt.Errorf("bpf: %w", err)
	}
	first, err := os.Readlink("/proc/1/ns/mnt")
	return dir, err == nil && ours == first, nil
}

// RemovePins takes away all pins of a daemon with this run directory: programs that only a pin held come off their
// ports. Where there are none it is no error.
func RemovePins(runDir string) error {
	err := unix.Unmount(filepath.Join(runDir, "bpf"), unix.MNT_DETACH)
	if err != nil && !errors.Is(err, unix.EINVAL) && !errors.Is(err, unix.ENOENT) {
		return fmt.Errorf("bpf: unmount pins: %w", err)
	}
	if err := os.RemoveAll(systemDir(runDir)); err != nil {
		return fmt.Errorf("bpf: remove pins: %w", err)
	}
	return nil
}

// PinName is the name of a port's pin. A bpffs takes no dots.
func PinName(netdev string) string { return "port-" + strings.ReplaceAll(netdev, ".", "_") }

func systemDir(runDir string) string {
	if abs, err := filepath.Abs(runDir); err == nil {
		runDir = abs
	}
	name := strings.NewReplacer("/", "_", ".", "_").Replace(strings.Trim(runDir, "/"))
	return filepath.Join(systemFS, "nave", name)
}

func isBPFFS(dir string) bool {
	var st unix.Statfs_t
	return unix.Statfs(dir, &st) == nil && st.Type == unix.BPF_FS_MAGIC
}

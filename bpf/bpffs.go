package bpf

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// MountFS makes sure that a bpffs is mounted at dir, where links are pinned. Mounted once, it stays.
func MountFS(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("bpf: folder for pins: %w", err)
	}
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err == nil && st.Type == unix.BPF_FS_MAGIC {
		return nil
	}
	if err := unix.Mount("bpf", dir, "bpf", 0, "mode=0700"); err != nil {
		return fmt.Errorf("bpf: mount a bpffs at %s: %w", dir, err)
	}
	return nil
}

// UnmountFS takes the bpffs at dir away, and with it every pin: programs that only a pin held come off their ports.
func UnmountFS(dir string) error {
	if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
		return fmt.Errorf("bpf: unmount %s: %w", dir, err)
	}
	return nil
}

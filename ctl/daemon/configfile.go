package daemon

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"nave/ctl/api"
)

// fileSum tells contents of files apart.
type fileSum [sha256.Size]byte

// suffix is what files of configuration end in that others than root may name.
const suffix = ".cfg"

// mostConfig bounds what is read as a configuration, bytes.
const mostConfig = 64 << 20

// fileOf finds the file that a user names; none is the one that naved starts with. naved reads and writes files as root, so who is not root has the *.cfg of that file's folder, and no others:
// not its keys, not its settings, and nothing elsewhere.
func (c *configurator) fileOf(who *api.Caller, name string) (string, error) {
	if name == "" {
		return c.file, nil
	}
	folder := filepath.Dir(c.file)
	path := name
	if !filepath.IsAbs(path) {
		if filepath.Base(path) != path {
			return "", fmt.Errorf("%s: a file is named without its folder, which is %s, or in full", name, folder)
		}
		path = filepath.Join(folder, path)
	}
	path = filepath.Clean(path)
	if strings.ContainsFunc(path, func(r rune) bool { return !strconv.IsPrint(r) }) { // it is shown among the revisions
		return "", fmt.Errorf("%q: a name of printable characters is wanted", name)
	}
	if who.UID != 0 && path != filepath.Clean(c.file) && (filepath.Dir(path) != filepath.Clean(folder) || !strings.HasSuffix(path, suffix) || strings.HasPrefix(filepath.Base(path), ".")) {
		return "", fmt.Errorf("%s: %s may name files in %s that end in %s; root may name any", name, who.Name, folder, suffix)
	}
	return path, nil
}

// readConfig reads a file for a user.
func readConfig(who *api.Caller, path string) ([]byte, error) {
	flags := unix.O_RDONLY | unix.O_CLOEXEC | unix.O_NONBLOCK // a pipe is not waited for
	if who.UID != 0 {
		flags |= unix.O_NOFOLLOW
	}
	f, err := os.OpenFile(path, flags, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() > mostConfig {
		return nil, fmt.Errorf("%s is no configuration: want a file of at most %d MiB", path, mostConfig>>20)
	}
	text := make([]byte, info.Size())
	n, err := readFull(f, text)
	return text[:n], err
}

func readFull(f *os.File, b []byte) (n int, err error) {
	for n < len(b) {
		k, err := f.Read(b[n:])
		n += k
		if k == 0 || err != nil {
			return n, nil //nolint:nilerr // what there is of a file that was cut meanwhile
		}
	}
	return n, nil
}

// writeConfig puts a text into a file, all or nothing, with the owner and mode that the file had (root and 0600 if it is new). What it had stays beside it, with ~ after its name.
func writeConfig(path string, text []byte) (err error) {
	if target, err := filepath.EvalSymlinks(path); err == nil { // a link stays one
		path = target
	}
	folder := filepath.Dir(path)
	defer func() {
		if errors.Is(err, unix.EROFS) || errors.Is(err, fs.ErrPermission) {
			err = fmt.Errorf("%w: naved runs as user %d, who has to be able to make files in %s (chown it to that user, as `make install` does)", err, os.Geteuid(), folder)
		}
	}()
	f, err := os.CreateTemp(folder, "."+filepath.Base(path)+".*")
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	defer func() {
		if err != nil {
			f.Close()
			_ = os.Remove(f.Name())
		}
	}()
	old, err := os.Stat(path)
	switch {
	case err == nil:
		if err := keepOwner(f, old); err != nil {
			return fmt.Errorf("write %s: keep its owner and mode: %w", path, err)
		}
	case !errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("write %s: %w", path, err)
	}
	if _, err := f.Write(text); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	if err := f.Sync(); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	if err := f.Close(); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	if old != nil {
		_ = os.Remove(path + "~")
		_ = os.Link(path, path+"~") // some file systems have no links: then there is no copy of before
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return syncFolder(folder)
}

// guarded says what is wrong with a folder for files with keys in them: where anybody may write there may be a link that leads elsewhere, or a file that stays its owner's.
func guarded(folder string) error {
	info, err := os.Stat(folder)
	if err != nil {
		return err
	}
	if info.Mode().Perm()&0o002 != 0 {
		return fmt.Errorf("anybody may write in %s, and there are keys in a configuration: name a folder where only its owner may", folder)
	}
	return nil
}

// keepOwner gives a file the owner, group and mode of another. Who is not root can't give files away: then it is naved's own, and where not even the group can be kept, it is for nobody of a group.
func keepOwner(f *os.File, old fs.FileInfo) error {
	mode := old.Mode().Perm()
	if s, ok := old.Sys().(*syscall.Stat_t); ok {
		err := f.Chown(int(s.Uid), int(s.Gid))
		if errors.Is(err, unix.EPERM) {
			err = f.Chown(-1, int(s.Gid))
		}
		switch {
		case errors.Is(err, unix.EPERM):
			mode &^= 0o070
		case err != nil:
			return err
		}
	}
	return f.Chmod(mode)
}

// syncFolder makes a rename outlive the machine's power.
func syncFolder(folder string) error {
	d, err := os.Open(folder)
	if err != nil {
		return err
	}
	defer d.Close()
	if err := d.Sync(); err != nil && !errors.Is(err, unix.EINVAL) { // some file systems have nothing to do
		return err
	}
	return nil
}

// sumOf is the sum of a file's contents, and whether it could be read.
func sumOf(path string) (fileSum, bool) {
	b, err := os.ReadFile(path)
	return sha256.Sum256(b), err == nil
}

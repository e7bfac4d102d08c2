package host

import (
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// netnsFolder is where `ip netns` looks for namespaces.
const netnsFolder = "/run/netns"

// namePrefix is in front of a VRF's name in that of its namespace.
const namePrefix = "nave-"

// Namespaces are the network namespaces of the VRFs of one daemon. Each is a file below /run/netns, so it outlives the daemon, and `ip netns` sees it. Whose it is stands in
// the alias of its loopback: it comes and goes with the namespace, and no note can say otherwise.
//
// The namespace of VRF red is nave-red. If another daemon has that one (each in a network namespace of its own, but with one /run, as labs are), it is nave-red-N with the
// number of the namespace that the daemon runs in.
type Namespaces struct {
	home *Host
	dir  string
	run  string
	lock *os.File
}

// lockPatience is how long another process may still have the namespaces that is about to end.
const lockPatience = time.Second

// NewNamespaces is for a daemon that runs in home, with a run directory. What is added in them is remembered below that. One process has them, until Close or its end.
func NewNamespaces(home *Host, runDir string) (*Namespaces, error) {
	abs, err := filepath.Abs(runDir)
	if err != nil {
		return nil, fmt.Errorf("host: %w", err)
	}
	f, err := os.OpenFile(filepath.Join(abs, "namespaces.lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("host: %w", err)
	}
	for late := time.Now().Add(lockPatience); ; time.Sleep(5 * time.Millisecond) {
		err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if err != unix.EWOULDBLOCK || time.Now().After(late) {
			break
		}
	}
	if err != nil {
		f.Close()
		if err == unix.EWOULDBLOCK {
			return nil, fmt.Errorf("host: another naved has the run directory %s: stop that one first, or give this one another", abs)
		}
		return nil, fmt.Errorf("host: lock the namespaces of VRFs: %w", err)
	}
	return &Namespaces{home: home, dir: runDir, run: abs, lock: f}, nil
}

// Close lets another process have the namespaces.
func (n *Namespaces) Close() { n.lock.Close() }

// mark is the alias of the loopback of a VRF's namespace.
func (n *Namespaces) mark(vrf string) string { return mark(vrf, n.home.Inode(), n.run) }

const markPrefix = "nave VRF "

func mark(vrf string, home uint64, run string) string {
	return shortMark(fmt.Sprintf("%s%s of %d %s", markPrefix, vrf, home, run))
}

// fileName is a VRF's name as that of a file.
func fileName(vrf string) string { return url.PathEscape(vrf) }

// Open finds the namespace of a VRF, or makes it.
func (n *Namespaces) Open(vrf string) (*Host, error) {
	name, err := n.find(vrf)
	if err != nil {
		return nil, err
	}
	for tries := 0; name == ""; tries++ {
		name = namePrefix + fileName(vrf)
		if tries > 0 {
			name = fmt.Sprintf("%s-%d", name, n.home.Inode())
		}
		if tries > 1 {
			name = fmt.Sprintf("%s-%d", name, tries)
		}
		err := n.create(name, n.mark(vrf))
		if errors.Is(err, os.ErrExist) && tries < 100 {
			name = "" // somebody else's
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("host: network namespace %s of VRF %s (a naved with CAP_SYS_ADMIN can make it): %w", name, vrf, err)
		}
	}
	return OpenIn(filepath.Join(netnsFolder, name), n.memory(vrf))
}

// memory is where it is remembered what was added in a VRF's namespace.
func (n *Namespaces) memory(vrf string) string { return filepath.Join(n.dir, "vrf-"+fileName(vrf)) }

// find is the name of the namespace of a VRF; "" if there is none.
func (n *Namespaces) find(vrf string) (string, error) {
	names, err := candidates()
	if err != nil {
		return "", err
	}
	for _, name := range names {
		if strings.HasPrefix(name, namePrefix+fileName(vrf)) && aliasIn(name) == n.mark(vrf) {
			return name, nil
		}
	}
	return "", nil
}

// Left lists the VRFs that have a namespace of this daemon: those of an earlier run, too.
func (n *Namespaces) Left() ([]string, error) {
	names, err := candidates()
	if err != nil {
		return nil, err
	}
	var out []string
	for _, name := range names {
		rest, ok := strings.CutPrefix(aliasIn(name), markPrefix)
		vrf, _, found := strings.Cut(rest, " ")
		if ok && found && aliasIn(name) == n.mark(vrf) {
			out = append(out, vrf)
		}
	}
	slices.Sort(out)
	return out, nil
}

// candidates are the namespaces that could be of a VRF, by name.
func candidates() ([]string, error) {
	entries, err := os.ReadDir(netnsFolder)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("host: network namespaces: %w", err)
	}
	var out []string
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), namePrefix) {
			out = append(out, e.Name())
		}
	}
	return out, nil
}

// aliasIn is the alias of the loopback of a namespace; "" also of one that can't be entered: it is being made, or taken away.
func aliasIn(name string) (alias string) {
	_ = onThread(func() error {
		f, err := os.Open(filepath.Join(netnsFolder, name))
		if err != nil {
			return err
		}
		defer f.Close()
		if err := unix.Setns(int(f.Fd()), unix.CLONE_NEWNET); err != nil {
			return err
		}
		lo, err := netlink.LinkByName("lo")
		if err == nil {
			alias = lo.Attrs().Alias
		}
		return err
	})
	return alias
}

// staleAge is how old a file that no namespace is mounted on must be to be a left-over, and not one that somebody is about to mount.
const staleAge = 10 * time.Second

// create makes a namespace. The error is os.ErrExist if there is one of that name.
func (n *Namespaces) create(name, mark string) error {
	if err := shareFolder(); err != nil {
		return err
	}
	path := filepath.Join(netnsFolder, name)
	if st, err := os.Lstat(path); err == nil && st.Mode().IsRegular() && !isNamespace(path) && time.Since(st.ModTime()) > staleAge {
		_ = os.Remove(path) // in vain if it became one meanwhile: a mount is on it
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL, 0o444)
	if err != nil {
		return err
	}
	f.Close()
	err = onThread(func() error {
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			return fmt.Errorf("unshare: %w", err)
		}
		if err := furnish(mark); err != nil { // before anybody sees it
			return err
		}
		if err := unix.Mount(ownNamespace, path, "", unix.MS_BIND, ""); err != nil {
			return fmt.Errorf("mount: %w", err)
		}
		return nil
	})
	if err != nil {
		return errors.Join(err, os.Remove(path))
	}
	return nil
}

// furnish readies the caller's namespace, which is new. The kernel forwards nothing there: nave does.
func furnish(mark string) error {
	if err := os.WriteFile("/proc/sys/net/ipv4/ip_forward", []byte("0"), 0o644); err != nil {
		return err
	}
	lo, err := netlink.LinkByName("lo")
	if err != nil {
		return fmt.Errorf("loopback: %w", err)
	}
	if err := netlink.LinkSetAlias(lo, mark); err != nil {
		return fmt.Errorf("loopback: alias: %w", err)
	}
	if err := netlink.LinkSetUp(lo); err != nil {
		return fmt.Errorf("loopback: %w", err)
	}
	return nil
}

func isNamespace(path string) bool {
	var st unix.Statfs_t
	return unix.Statfs(path, &st) == nil && st.Type == unix.NSFS_MAGIC
}

// shareFolder makes the folder of namespaces, and lets what is mounted there be seen in mount namespaces that were made of this one.
func shareFolder() error {
	if err := os.MkdirAll(netnsFolder, 0o755); err != nil {
		return err
	}
	err := unix.Mount("", netnsFolder, "none", unix.MS_SHARED|unix.MS_REC, "")
	if err == unix.EINVAL { // it is no mount yet
		if err = unix.Mount(netnsFolder, netnsFolder, "none", unix.MS_BIND|unix.MS_REC, ""); err == nil {
			err = unix.Mount("", netnsFolder, "none", unix.MS_SHARED|unix.MS_REC, "")
		}
	}
	if err != nil {
		return fmt.Errorf("share %s: %w", netnsFolder, err)
	}
	return nil
}

// Private tells whether this process mounts in a mount namespace of its own, as sandboxing options of a service manager have it: then namespaces of VRFs are not seen by
// `ip netns`, and are gone when the service ends.
func (n *Namespaces) Private() bool {
	ours, err := identify("/proc/thread-self/ns/mnt")
	first, err1 := identify("/proc/1/ns/mnt")
	if err == nil && err1 == nil {
		return ours != first
	}
	text, err := os.ReadFile("/proc/self/mountinfo") // without the right to look at the first process
	return err == nil && isSlave(string(text), netnsFolder)
}

// isSlave tells whether what is mounted below a folder stays in this mount namespace, by the lines of mountinfo (proc(5)): the mount that the folder is on gets what others
// mount, and does not give.
func isSlave(mountinfo, folder string) bool {
	best, slave := "", false
	for _, line := range strings.Split(mountinfo, "\n") {
		f := strings.Fields(line)
		if len(f) < 7 {
			continue
		}
		at := f[4]
		if at != "/" && at != folder && !strings.HasPrefix(folder, at+"/") || len(at) < len(best) {
			continue
		}
		best, slave = at, false
		for _, o := range f[6:] {
			if o == "-" {
				break
			}
			slave = slave || strings.HasPrefix(o, "master:")
		}
	}
	return slave
}

// ErrInUse is in the error of Remove where the namespace has netdevs that would be lost with it.
var ErrInUse = errors.New("it has netdevs that would be lost")

// Remove takes a VRF's namespace away, with the twins in it. Not with any other netdev: a veth dies with its namespace. h is closed either way.
func (n *Namespaces) Remove(vrf string, h *Host) error {
	defer h.Close()
	links, err := h.nl.LinkList()
	if err != nil {
		return fmt.Errorf("host: network namespace %s: list interfaces: %w", h.name, err)
	}
	var held []string
	for _, l := range links {
		if !isExpendable(l) {
			held = append(held, l.Attrs().Name)
		}
	}
	if len(held) > 0 {
		return fmt.Errorf("host: the network namespace %s of VRF %s stays: %w: %s (`ip -n %s link set NETDEV netns 1` takes one out)", h.name, vrf, ErrInUse, strings.Join(held, ", "), h.name)
	}
	if err := h.DropTwins(func(string) bool { return false }); err != nil {
		return err
	}
	if err := unmount(h.name); err != nil {
		return err
	}
	if err := os.RemoveAll(n.memory(vrf)); err != nil {
		return fmt.Errorf("host: %w", err)
	}
	return nil
}

// Destroy takes away the namespaces that a daemon with this run directory has left, whatever is in them: a veth is lost, a network card comes back to the first namespace of
// the machine. It is for who takes down a lab: nobody runs by that directory any more.
func Destroy(runDir string) error {
	abs, err := filepath.Abs(runDir)
	if err != nil {
		return fmt.Errorf("host: %w", err)
	}
	names, err := candidates()
	if err != nil {
		return err
	}
	var failed error
	for _, name := range names {
		alias := aliasIn(name)
		vrf, rest, ok := strings.Cut(strings.TrimPrefix(alias, markPrefix), " of ")
		home, _, _ := strings.Cut(rest, " ")
		if number, err := strconv.ParseUint(home, 10, 64); ok && err == nil && alias == mark(vrf, number, abs) {
			failed = errors.Join(failed, unmount(name))
		}
	}
	return failed
}

// unmount takes the file of a namespace away, and the namespace with it, unless a process or a socket holds it.
func unmount(name string) error {
	path := filepath.Join(netnsFolder, name)
	if err := unix.Unmount(path, unix.MNT_DETACH); err != nil && err != unix.EINVAL && err != unix.ENOENT {
		return fmt.Errorf("host: network namespace %s: unmount: %w", name, err)
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("host: network namespace %s: %w", name, err)
	}
	return nil
}

// fallback are the devices that modules of the kernel make in every namespace.
var fallback = []string{"lo", "tunl0", "gre0", "gretap0", "erspan0", "ip_vti0", "ip6_vti0", "sit0", "ip6tnl0", "ip6gre0", LastResort}

// isExpendable tells whether a netdev may go with its namespace: it is the kernel's own, or a twin.
func isExpendable(l netlink.Link) bool {
	a := l.Attrs()
	return slices.Contains(fallback, a.Name) || strings.HasPrefix(a.Alias, twinMark)
}

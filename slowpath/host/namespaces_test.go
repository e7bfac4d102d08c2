package host

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"nave/testbed/netns"
)

// spaces opens the namespaces of the VRFs of a daemon in router, and takes them away after the test.
func spaces(t *testing.T, router *netns.NS, dir string) (*Host, *Namespaces) {
	t.Helper()
	home := open(t, router, dir)
	n, err := NewNamespaces(home, dir)
	must(t, err)
	t.Cleanup(func() {
		n.Close()
		n, err := NewNamespaces(home, dir)
		must(t, err)
		defer n.Close()
		left, err := n.Left()
		must(t, err)
		for _, vrf := range left {
			h, err := n.Open(vrf)
			must(t, err)
			links, err := h.nl.LinkList()
			must(t, err)
			for _, l := range links {
				if !isExpendable(l) {
					must(t, h.nl.LinkDel(l))
				}
			}
			must(t, n.Remove(vrf, h))
		}
	})
	return home, n
}

func vrf(t *testing.T, n *Namespaces, name string) *Host {
	t.Helper()
	h, err := n.Open(name)
	must(t, err)
	t.Cleanup(h.Close)
	return h
}

func move(t *testing.T, n *Namespaces, netdev string, from, to *Host) {
	t.Helper()
	if moved, err := n.Move(netdev, from, to); !moved || err != nil {
		t.Fatalf("%s: moved %v, %v", netdev, moved, err)
	}
}

// A port goes to its VRF and comes home with what others had given it, a crash in between; the namespace is kept as long as it holds a port, and its veth lives.
func TestPortMovesAndReturns(t *testing.T) {
	router, far := lab(t)
	dir := t.TempDir()
	theirs, theirs6, ours := netip.MustParsePrefix("10.1.0.200/24"), netip.MustParsePrefix("2001:db8::7/64"), netip.MustParsePrefix("10.1.0.1/24")
	must(t, router.Sysctl("ipv6/conf/eth0/disable_ipv6", "0"))
	for _, a := range []netip.Prefix{theirs, theirs6} {
		if _, err := router.Run("ip", "addr", "add", a.String(), "dev", "eth0", "nodad"); err != nil {
			t.Fatal(err)
		}
	}
	home, n := spaces(t, router, dir)
	must(t, home.SetAddresses("eth0", []netip.Prefix{ours}))
	red := vrf(t, n, "red-move")
	move(t, n, "eth0", home, red)
	if _, err := home.Link("eth0"); err == nil {
		t.Fatal("the port is still at home")
	}
	must(t, red.SetUp("eth0", true, 0))
	must(t, red.Prepare("eth0"))
	must(t, red.SetAddresses("eth0", []netip.Prefix{ours}))
	if got, err := red.Addresses("eth0"); err != nil || !slices.Equal(got, []netip.Prefix{ours}) {
		t.Fatalf("in the VRF: %v, %v", got, err)
	}
	eventually(t, "the far end reaches it", func() bool { _, err := far.Run("ping", "-c1", "-W1", "10.1.0.1"); return err == nil })
	again, err := n.Open("red-move")
	must(t, err)
	if err := n.Remove("red-move", again); !errors.Is(err, ErrInUse) || !strings.Contains(err.Error(), "eth0") {
		t.Fatalf("removing a namespace that holds a port: %v", err)
	}
	// a daemon that was killed: the next one finds the port where it is
	home2 := open(t, router, dir)
	if _, err := NewNamespaces(home2, dir); err == nil || !strings.Contains(err.Error(), "another naved has the run directory") {
		t.Fatalf("a second process has the namespaces: %v", err)
	}
	n.Close()
	n2, err := NewNamespaces(home2, dir)
	must(t, err)
	defer n2.Close()
	if left, err := n2.Left(); err != nil || !slices.Equal(left, []string{"red-move"}) {
		t.Fatalf("left by the daemon before: %v, %v", left, err)
	}
	red2, err := n2.Open("red-move")
	must(t, err)
	if red2.Name() != red.Name() || red2.Inode() != red.Inode() {
		t.Fatalf("found %s, was %s", red2.Name(), red.Name())
	}
	if at := n2.Find("eth0", home2, red2); at != red2 {
		t.Fatal("the port is not found in its VRF")
	}
	move(t, n2, "eth0", red2, home2)
	if got, err := home2.Addresses("eth0"); err != nil || !slices.Equal(got, []netip.Prefix{theirs}) {
		t.Errorf("at home again: %v, %v; want %v", got, err, theirs)
	}
	if out, err := router.Run("ip", "-6", "addr", "show", "dev", "eth0"); err != nil || !strings.Contains(out, theirs6.String()) {
		t.Errorf("the IPv6 address did not come back: %v %s", err, out)
	}
	if l, err := home2.Link("eth0"); err != nil || !l.Up {
		t.Errorf("at home again: %+v, %v", l, err)
	}
	must(t, home2.SetAddresses("eth0", nil))
	if got, err := home2.Addresses("eth0"); err != nil || !slices.Equal(got, []netip.Prefix{theirs}) {
		t.Errorf("nave took away %v, %v; want %v", got, err, theirs)
	}
	must(t, n2.Remove("red-move", red2))
	if _, err := os.Stat(filepath.Join(netnsFolder, "nave-red-move")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the namespace is still there: %v", err)
	}
	if left, err := n2.Left(); err != nil || len(left) > 0 {
		t.Errorf("left: %v, %v", left, err)
	}
}

// The same addresses in two VRFs, on the loopback and by sockets.
func TestNamespacesOverlap(t *testing.T) {
	router, _ := lab(t)
	home, n := spaces(t, router, t.TempDir())
	red, blue := vrf(t, n, "red-overlap"), vrf(t, n, "blue-overlap")
	same := netip.MustParsePrefix("192.168.11.2/32")
	for i, h := range []*Host{home, red, blue} {
		must(t, h.SetAddresses("lo", []netip.Prefix{same}))
		u, err := h.OpenUDP(4500)
		must(t, err)
		defer u.Close()
		tw, err := h.OpenTwin("Tunnel0", 1400)
		must(t, err)
		defer tw.Close()
		all, err := h.AllAddresses()
		must(t, err)
		if !slices.Contains(all, same.Addr()) {
			t.Errorf("%s: addresses %v", h.describe(), all)
		}
		must(t, h.Within(func() error {
			c, err := net.Dial("udp", "192.168.11.2:4500")
			if err != nil {
				return err
			}
			defer c.Close()
			_, err = c.Write([]byte{byte(i)})
			return err
		}))
		buf := make([]byte, 100)
		if d, err := u.Read(buf); err != nil || d.Payload[0] != byte(i) {
			t.Errorf("%s: %v, %v", h.describe(), d.Payload, err)
		}
	}
	if text, err := os.ReadFile("/proc/sys/net/ipv4/ip_forward"); err != nil || len(text) == 0 {
		t.Fatal(err)
	}
	must(t, red.Within(func() error {
		text, err := os.ReadFile("/proc/sys/net/ipv4/ip_forward")
		if strings.TrimSpace(string(text)) != "0" {
			t.Errorf("the kernel forwards in a VRF: %q", text)
		}
		return err
	}))
}

// What the kernel of a VRF's namespace knows no way to leaves by the last resort, which Routes leave alone, and other routes are preferred.
func TestLastResort(t *testing.T) {
	router, _ := lab(t)
	_, n := spaces(t, router, t.TempDir())
	red := vrf(t, n, "red-resort")
	tw, err := red.OpenTwin(LastResort, 1500)
	must(t, err)
	defer tw.Close()
	must(t, red.SetLastResort(LastResort))
	must(t, red.SetLastResort(LastResort))
	tun, err := red.OpenTwin("Tunnel1", 1400)
	must(t, err)
	defer tun.Close()
	must(t, red.SetAddresses("lo", []netip.Prefix{netip.MustParsePrefix("10.9.9.9/32")}))
	ns := &netns.NS{Name: red.Name()}
	for range 2 {
		r, _ := openRoutes(t, red)
		r.Settle()
		r.Set(netip.MustParsePrefix("10.20.0.0/16"), by("Tunnel1", ""))
		shows(t, ns, []string{"10.20.0.0/16 dev Tunnel1"})
		must(t, r.End())
		shows(t, ns, []string{"default dev nave0"}, "10.20.0.0")
	}
	r, _ := openRoutes(t, red)
	r.Set(netip.MustParsePrefix("10.20.0.0/16"), by("Tunnel1", ""))
	shows(t, ns, []string{"10.20.0.0/16 dev Tunnel1"})
	for dst, dev := range map[string]string{"10.20.1.1": "Tunnel1", "8.8.8.8": LastResort} {
		if out, err := ns.Run("ip", "route", "get", dst); err != nil || !strings.Contains(out, "dev "+dev+" ") || !strings.Contains(out, "src 10.9.9.9") {
			t.Errorf("to %s: %s, %v", dst, out, err)
		}
	}
}

// A namespace of somebody else is not touched, nor one of another daemon with the same /run; a left-over file does not stand in the way.
func TestForeignNamespaces(t *testing.T) {
	router, _ := lab(t)
	other, _ := lab(t)
	_, n := spaces(t, router, t.TempDir())
	_, m := spaces(t, other, t.TempDir())
	a, b := vrf(t, n, "foreign"), vrf(t, m, "foreign")
	if a.Name() != "nave-foreign" || a.Inode() == b.Inode() || !strings.HasPrefix(b.Name(), "nave-foreign-") {
		t.Fatalf("two daemons have %s and %s", a.Name(), b.Name())
	}
	if again := vrf(t, m, "foreign"); again.Name() != b.Name() {
		t.Errorf("the second daemon found %s, had %s", again.Name(), b.Name())
	}
	theirs, err := netns.Add("nave-theirs")
	must(t, err)
	t.Cleanup(func() { must(t, theirs.Delete()) })
	if h := vrf(t, n, "theirs"); h.Name() == theirs.Name {
		t.Error("the namespace of somebody else was taken")
	}
	if left, err := n.Left(); err != nil || !slices.Equal(left, []string{"foreign", "theirs"}) {
		t.Errorf("left: %v, %v", left, err)
	}
	stale := filepath.Join(netnsFolder, "nave-stale")
	must(t, os.WriteFile(stale, nil, 0o444))
	old := time.Now().Add(-time.Minute)
	must(t, os.Chtimes(stale, old, old))
	if h := vrf(t, n, "stale"); h.Name() != "nave-stale" {
		t.Errorf("a left-over stands in the way: %s", h.Name())
	}
}

// A name that is taken in the VRF is said so, and nothing has moved; a netdev that can't move is said so.
func TestMoveRefused(t *testing.T) {
	router, _ := lab(t)
	home, n := spaces(t, router, t.TempDir())
	red := vrf(t, n, "red-refused")
	ns := &netns.NS{Name: red.Name()}
	_, err := ns.Run("ip", "tuntap", "add", "eth0", "mode", "tap")
	must(t, err)
	moved, err := n.Move("eth0", home, red)
	if moved || err == nil || !strings.Contains(err.Error(), "of that name is there already") {
		t.Errorf("a name that is taken: %v", err)
	}
	if _, err := home.Link("eth0"); err != nil {
		t.Error(err)
	}
	if moved, err := n.Move("lo", home, red); moved || err == nil {
		t.Error("the loopback moved")
	}
	if moved, err := n.Move("eth9", home, red); moved || err == nil {
		t.Error("a netdev that is not there moved")
	}
}

// A subinterface's TAP has the MAC address of its port, carries frames both ways, and one that was left behind is taken over, or dropped.
func TestTap(t *testing.T) {
	router, _ := lab(t)
	dir := t.TempDir()
	home, n := spaces(t, router, dir)
	red := vrf(t, n, "red-tap")
	mac := [6]byte{2, 0, 0, 0, 0, 0x55}
	tap, err := red.OpenTap("eth0.10", mac, 1500)
	must(t, err)
	l, err := red.Link("eth0.10")
	must(t, err)
	if l.MAC != mac || l.MTU != 1500 || !l.Up {
		t.Errorf("the TAP is %+v", l)
	}
	if _, err := home.Link("eth0.10"); err == nil {
		t.Error("the TAP is at home")
	}
	must(t, red.SetAddresses("eth0.10", []netip.Prefix{netip.MustParsePrefix("10.3.0.1/24")}))
	must(t, red.Resolve("eth0.10", netip.MustParseAddr("10.3.0.2")))
	buf := make([]byte, 2000)
	for {
		k, err := tap.Read(buf)
		must(t, err)
		if k >= 42 && buf[12] == 8 && buf[13] == 6 {
			break // ARP
		}
	}
	if !slices.Equal(buf[6:12], mac[:]) || !slices.Equal(buf[38:42], []byte{10, 3, 0, 2}) {
		t.Errorf("ARP of the host: % x", buf[:42])
	}
	answer := slices.Clone(buf[:42])
	copy(answer, mac[:])
	copy(answer[6:], []byte{2, 0, 0, 0, 0, 0x66})
	answer[21] = 2
	copy(answer[22:], []byte{2, 0, 0, 0, 0, 0x66, 10, 3, 0, 2})
	copy(answer[32:], append(mac[:], 10, 3, 0, 1))
	must(t, tap.Write(answer))
	ns := &netns.NS{Name: red.Name()}
	eventually(t, "the neighbour is known", func() bool {
		out, _ := ns.Run("ip", "neigh", "show", "10.3.0.2", "dev", "eth0.10")
		return strings.Contains(out, "02:00:00:00:00:66")
	})
	must(t, tap.file.Close()) // killed
	other, err := red.OpenTwin("Tunnel7", 1400)
	must(t, err)
	must(t, red.DropTwins(func(name string) bool { return name == "Tunnel7" }))
	if _, err := red.Link("eth0.10"); err == nil {
		t.Error("a twin that nobody wants is still there")
	}
	if _, err := red.Link("Tunnel7"); err != nil {
		t.Error(err)
	}
	must(t, other.Close())
}

// What a daemon that is gone has left is taken away by its run directory, and nothing else.
func TestDestroy(t *testing.T) {
	router, _ := lab(t)
	dir := t.TempDir()
	home, n := spaces(t, router, dir)
	_, other := spaces(t, router, t.TempDir())
	red, keep := vrf(t, n, "red-destroy"), vrf(t, other, "red-destroy")
	move(t, n, "eth0", home, red)
	must(t, Destroy(dir))
	if left, err := n.Left(); err != nil || len(left) > 0 {
		t.Errorf("left: %v, %v", left, err)
	}
	if left, err := other.Left(); err != nil || len(left) != 1 || !isNamespace(filepath.Join(netnsFolder, keep.Name())) {
		t.Errorf("of another daemon: %v, %v", left, err)
	}
}

// TestIsSlave: whether mounts are seen by others, by the mount that a folder is on.
func TestIsSlave(t *testing.T) {
	const (
		root  = "22 1 253:1 / / rw,relatime shared:1 - ext4 /dev/vda1 rw\n"
		run   = "25 22 0:23 / /run rw,nosuid shared:5 - tmpfs tmpfs rw\n"
		slave = "125 122 0:23 / /run rw,nosuid master:5 - tmpfs tmpfs rw\n"
		both  = "130 125 0:23 /netns /run/netns rw,nosuid shared:99 master:5 - tmpfs tmpfs rw\n"
		own   = "131 25 0:23 /netns /run/netns rw,nosuid shared:99 - tmpfs tmpfs master:rw\n"
		other = "140 25 0:40 / /run/net rw master:7 - tmpfs tmpfs rw\n"
	)
	for text, want := range map[string]bool{
		"": false, root: false, root + run: false, root + slave: true, root + slave + both: true, root + run + own: false, root + run + other: false, "nonsense\n" + root: false,
	} {
		if got := isSlave(text, netnsFolder); got != want {
			t.Errorf("%q: %v", text, got)
		}
	}
}

// Nothing that runs elsewhere afterwards is in the namespace: not the caller, not other goroutines.
func TestWithin(t *testing.T) {
	router, _ := lab(t)
	h := open(t, router, t.TempDir())
	before, err := identify(ownNamespace)
	must(t, err)
	want := errors.New("of f")
	for range 50 {
		err := h.Within(func() error {
			if now, err := identify(ownNamespace); err != nil || now != h.id {
				t.Error("f runs elsewhere")
			}
			return h.Within(func() error { // again, inside
				if now, err := identify(ownNamespace); err != nil || now != h.id {
					t.Error("f in f runs elsewhere")
				}
				return want
			})
		})
		if err != want {
			t.Fatal(err)
		}
		if now, err := identify(ownNamespace); err != nil || now != before {
			t.Fatal("the caller is in the namespace")
		}
	}
	if first, err := identify("/proc/self/ns/net"); err != nil || first != before {
		t.Error("the first thread is in the namespace")
	}
}

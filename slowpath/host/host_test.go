package host

import (
	"context"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"nave/testbed/need"
	"nave/testbed/netns"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// lab is the namespace of a router and that of a host on its Ethernet.
func lab(t *testing.T) (router, far *netns.NS) {
	t.Helper()
	router, far = netns.New(t, "router"), netns.New(t, "far")
	must(t, netns.Veth(netns.End{NS: router, Name: "eth0"}, netns.End{NS: far, Name: "eth0", Addrs: []string{"10.1.0.7/24"}}, 1500))
	return router, far
}

// open opens a Host in a namespace.
func open(t *testing.T, ns *netns.NS, dir string) *Host {
	t.Helper()
	var h *Host
	must(t, ns.Do(func() (err error) { h, err = Open(dir); return err }))
	t.Cleanup(h.Close)
	return h
}

// patience is how long a test waits for what the kernel or another program does on its own.
const patience = time.Minute

// eventually waits for something that the kernel does on its own.
func eventually(t *testing.T, what string, f func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if f() {
			return
		}
	}
	t.Fatalf("not within %v: %s", patience, what)
}

func TestAddressesOursAndTheirs(t *testing.T) {
	router, _ := lab(t)
	dir := t.TempDir()
	pfx := netip.MustParsePrefix
	theirs, a, b := pfx("10.1.0.200/24"), pfx("10.1.0.1/24"), pfx("10.2.0.1/24")
	if _, err := router.Run("ip", "addr", "add", theirs.String(), "dev", "eth0"); err != nil {
		t.Fatal(err)
	}
	h := open(t, router, dir)
	must(t, router.Do(func() error { return h.Prepare("eth0") }))
	// theirs is wanted too: it is there already, so it does not become ours.
	must(t, h.SetAddresses("eth0", []netip.Prefix{a, b, theirs}))
	must(t, h.SetAddresses("eth0", []netip.Prefix{a}))
	got, err := h.Addresses("eth0")
	must(t, err)
	slices.SortFunc(got, netip.Prefix.Compare)
	if want := []netip.Prefix{a, theirs}; !slices.Equal(got, want) {
		t.Fatalf("addresses %v, want %v", got, want)
	}
	// The primary address changes inside its subnet: the new one is there, and theirs still is.
	c := pfx("10.1.0.9/24")
	must(t, h.SetAddresses("eth0", []netip.Prefix{c}))
	got, err = h.Addresses("eth0")
	must(t, err)
	slices.SortFunc(got, netip.Prefix.Compare)
	if want := []netip.Prefix{c, theirs}; !slices.Equal(got, want) {
		t.Fatalf("after the primary address changed: %v, want %v", got, want)
	}
	// A later run knows which were added by nave.
	h = open(t, router, dir)
	must(t, h.SetAddresses("eth0", nil))
	got, err = h.Addresses("eth0")
	must(t, err)
	if want := []netip.Prefix{theirs}; !slices.Equal(got, want) {
		t.Errorf("after a restart without addresses: %v, want %v", got, want)
	}
	if err := h.SetAddresses("eth9", nil); err == nil {
		t.Error("an interface that is not there: no error")
	}
}

// A neighbour that is kept stays resolved though no packet of the kernel confirms it, with ageing made short; and it
// is found again when its MAC address changes.
func TestNeighbourKeptDespiteAgeing(t *testing.T) {
	router, far := lab(t)
	for _, s := range [][2]string{
		{"ipv4/neigh/eth0/base_reachable_time_ms", "300"}, {"ipv4/neigh/eth0/gc_stale_time", "1"},
		{"ipv4/neigh/eth0/delay_first_probe_time", "1"}, {"ipv4/neigh/eth0/retrans_time_ms", "500"},
		{"ipv4/neigh/eth0/interval_probe_time_ms", "200"},
	} {
		must(t, router.Sysctl(s[0], s[1]))
	}
	h := open(t, router, t.TempDir())
	must(t, h.SetAddresses("eth0", []netip.Prefix{netip.MustParsePrefix("10.1.0.1/24")}))
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var mu sync.Mutex
	last := make(map[netip.Addr]Neighbour)
	losses := 0
	must(t, router.Do(func() error {
		return h.Watch(ctx, Watcher{Link: func(Link, bool) {}, Addresses: func() {}, Neighbour: func(n Neighbour) {
			mu.Lock()
			defer mu.Unlock()
			if last[n.Addr].OK && !n.OK {
				losses++
			}
			last[n.Addr] = n
		}})
	}))
	state := func() (Neighbour, int) {
		mu.Lock()
		defer mu.Unlock()
		return last[netip.MustParseAddr("10.1.0.7")], losses
	}
	must(t, h.Keep("eth0", netip.MustParseAddr("10.1.0.7")))
	eventually(t, "the neighbour is resolved", func() bool { n, _ := state(); return n.OK })
	time.Sleep(4 * time.Second) // several times all the ageing set above
	if n, lost := state(); !n.OK || lost != 0 {
		t.Fatalf("after ageing: %+v, lost %d times", n, lost)
	}
	if _, err := far.Run("ip", "link", "set", "eth0", "address", "02:00:00:00:00:77"); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the new MAC address is seen", func() bool { n, _ := state(); return n.OK && n.MAC == [6]byte{2, 0, 0, 0, 0, 0x77} })
	must(t, h.Unkeep("eth0", netip.MustParseAddr("10.1.0.7")))
	if _, err := far.Run("ip", "link", "set", "eth0", "down"); err != nil {
		t.Fatal(err)
	}
}

// The twin carries packets of the host's programs both ways, and is gone with its owner.
func TestTwin(t *testing.T) {
	router, _ := lab(t)
	h := open(t, router, t.TempDir())
	var twin *Twin
	must(t, router.Do(func() (err error) { twin, err = h.OpenTwin("Tunnel0", 1400); return err }))
	must(t, h.SetAddresses("Tunnel0", []netip.Prefix{netip.MustParsePrefix("10.255.0.1/24")}))
	l, err := h.Link("Tunnel0")
	must(t, err)
	if l.MTU != 1400 {
		t.Errorf("MTU %d, want 1400", l.MTU)
	}
	var conn net.Conn
	must(t, router.Do(func() (err error) { conn, err = net.Dial("udp", "10.255.0.2:9"); return err }))
	defer conn.Close()
	if _, err := conn.Write([]byte("out")); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 2000)
	for {
		n, err := twin.Read(buf)
		must(t, err)
		if buf[0]>>4 == 4 && string(buf[28:n]) == "out" {
			break // IPv6 and others come by too
		}
	}
	// Answer: swap addresses and ports. UDP checksum 0 means none.
	copy(buf[12:20], append(append([]byte{}, buf[16:20]...), buf[12:16]...))
	copy(buf[20:24], append(append([]byte{}, buf[22:24]...), buf[20:22]...))
	buf[26], buf[27] = 0, 0
	copy(buf[28:], "in!")
	must(t, twin.Write(buf[:31]))
	must(t, conn.SetReadDeadline(time.Now().Add(patience)))
	if n, err := conn.Read(buf); err != nil || string(buf[:n]) != "in!" {
		t.Errorf("the host received %q, %v", buf[:n], err)
	}
	if err := router.Do(func() error { _, err := h.OpenTwin("Tunnel0", 1400); return err }); err == nil {
		t.Error("a second twin of the same name: no error")
	}
	must(t, twin.Close())
	if _, err := h.Link("Tunnel0"); err == nil {
		t.Error("the twin is still there")
	}
	// of a naved that was killed: what the box sends to the tunnel must not go elsewhere, and the next naved takes it over
	must(t, router.Do(func() (err error) { twin, err = h.OpenTwin("Tunnel0", 1400); return err }))
	must(t, h.SetAddresses("Tunnel0", []netip.Prefix{netip.MustParsePrefix("10.255.0.1/24")}))
	must(t, twin.file.Close())
	if out, err := router.Run("ip", "route", "get", "10.255.0.2"); err != nil || !strings.Contains(out, "dev Tunnel0") {
		t.Errorf("with its owner dead the tunnel's network is reached by %s (%v)", out, err)
	}
	must(t, router.Do(func() (err error) { twin, err = h.OpenTwin("Tunnel0", 1400); return err }))
	must(t, twin.Close())
	if _, err := h.Link("Tunnel0"); err == nil {
		t.Error("the twin is still there after its second owner closed it")
	}
	if err := router.Do(func() error { _, err := h.OpenTwin("Tunnel12345678901", 1400); return err }); err == nil {
		t.Error("a name too long for Linux: no error")
	}
}

// The client gets, renews and loses a lease of a real server.
func TestDHCP(t *testing.T) {
	need.Command(t, "dnsmasq")
	router, far := lab(t)
	h := open(t, router, t.TempDir())
	must(t, h.SetUp("eth0", true, 0))
	server := far.Command("dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--port=0", "--interface=eth0", "--bind-interfaces",
		"--dhcp-authoritative", "--dhcp-range=10.1.0.50,10.1.0.60,255.255.255.0,2m", "--dhcp-option=3,10.1.0.7",
		"--dhcp-leasefile="+t.TempDir()+"/leases", "--pid-file=", "--user=root", "--no-ping")
	server.Stderr = os.Stderr
	must(t, server.Start())
	defer func() { server.Process.Kill(); server.Wait() }()
	ctx, cancel := context.WithCancel(context.Background())
	leases := make(chan Lease, 8)
	done := make(chan error, 1)
	go func() {
		done <- router.Do(func() error {
			h.RunDHCP(ctx, "eth0", "spoke-7", slog.New(slog.DiscardHandler), func(l Lease) { leases <- l })
			return nil
		})
	}()
	defer func() { cancel(); <-done }()
	select {
	case l := <-leases:
		if !netip.MustParsePrefix("10.1.0.0/24").Contains(l.Address.Addr()) || l.Address.Bits() != 24 || l.Gateway != netip.MustParseAddr("10.1.0.7") {
			t.Errorf("lease %+v", l)
		}
		if left := time.Until(l.Expires); left < 120*time.Second-patience || left > 121*time.Second {
			t.Errorf("the lease of 2 minutes ends in %v", left)
		}
	case <-time.After(patience):
		t.Fatal("no lease")
	}
}

func TestParseTooBig(t *testing.T) {
	quoted := []byte{0x45, 0, 5, 220, 0, 0, 0x40, 0, 255, 47, 0, 0, 192, 0, 2, 1, 198, 51, 100, 1, 0x20, 0, 8, 0, 0, 0, 0, 99}
	msg := append([]byte{3, 4, 0, 0, 0, 0, 0x05, 0x14}, quoted...)
	got, ok := parseTooBig(msg)
	if !ok || got.MTU != 1300 || got.Remote != netip.MustParseAddr("198.51.100.1") || got.Local != netip.MustParseAddr("192.0.2.1") || got.Protocol != 47 || len(got.Quoted) != 8 {
		t.Errorf("%+v, %v", got, ok)
	}
	for n := range msg {
		if _, ok := parseTooBig(msg[:n]); ok {
			t.Errorf("cut at %d bytes: taken", n)
		}
	}
	for _, c := range []struct {
		name string
		at   int
		v    byte
	}{{"another type", 0, 11}, {"another code", 1, 1}, {"TCP quoted", 8 + 9, 6}, {"IPv6 quoted", 8, 0x65}, {"a header length that can't be", 8, 0x4f}} {
		bad := slices.Clone(msg)
		bad[c.at] = c.v
		if _, ok := parseTooBig(bad); ok {
			t.Errorf("%s: taken", c.name)
		}
	}
}

func FuzzParseTooBig(f *testing.F) {
	f.Add([]byte{3, 4, 0, 0, 0, 0, 5, 0x14, 0x45, 0, 5, 220, 0, 0, 0x40, 0, 255, 47, 0, 0, 192, 0, 2, 1, 198, 51, 100, 1, 0x20, 0, 8, 0, 0, 0, 0, 99})
	f.Fuzz(func(t *testing.T, b []byte) { parseTooBig(b) })
}

package bgp

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"nave/testbed/need"
	"nave/testbed/netns"
)

const bgpd = "/usr/lib/frr/bgpd"

// TestFRR runs what needs FRR's bgpd in a network namespace of its own: this test again, inside.
func TestFRR(t *testing.T) {
	if os.Getenv("NAVE_BGP_INSIDE") != "" {
		t.Run("client", insideFRRClient)
		t.Run("reflector", insideFRRReflector)
		return
	}
	t.Parallel()
	need.Root(t)
	need.File(t, bgpd)
	need.Command(t, "vtysh", "nsenter", "ip")
	ns := netns.New(t, "frr")
	for n := 1; n <= 4; n++ {
		if _, err := ns.Run("ip", "addr", "add", fmt.Sprintf("10.50.0.%d/24", n), "dev", "lo"); err != nil {
			t.Fatal(err)
		}
	}
	cmd := ns.Command(os.Args[0], "-test.run=^TestFRR$", "-test.v", "-test.timeout=120s")
	cmd.Env = append(os.Environ(), "NAVE_BGP_INSIDE=1")
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "--- PASS: TestFRR/client") || !strings.Contains(string(out), "--- PASS: TestFRR/reflector") {
		t.Errorf("%v\n%s", err, out)
	}
}

// frr is a bgpd.
type frr struct {
	t   *testing.T
	dir string
}

// startFRR starts bgpd without zebra; it listens on an address only.
func startFRR(t *testing.T, listen string, config string) *frr {
	t.Helper()
	f := &frr{t: t, dir: t.TempDir()}
	os.Chmod(f.dir, 0o777)
	conf := filepath.Join(f.dir, "bgpd.conf")
	if err := os.WriteFile(conf, []byte("hostname frr\nlog file "+filepath.Join(f.dir, "log")+"\n"+config), 0o666); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(bgpd, "-S", "-Z", "-n", "-l", listen, "-p", "179", "-P", "0", "-f", conf, "-i", filepath.Join(f.dir, "pid"), "--vty_socket", f.dir)
	var out strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(f.vty("show bgp summary"), f.vty("show bgp neighbors"))
		}
		cmd.Process.Kill()
		cmd.Wait()
		if t.Failed() {
			log, _ := os.ReadFile(filepath.Join(f.dir, "log"))
			t.Logf("bgpd: %s\n%s", out.String(), log)
		}
	})
	wait(t, "bgpd", func() bool { _, err := os.Stat(filepath.Join(f.dir, "bgpd.vty")); return err == nil })
	return f
}

func (f *frr) vty(command string) string {
	out, err := exec.Command("vtysh", "--vty_socket", f.dir, "-d", "bgpd", "-c", command).CombinedOutput()
	if err != nil {
		f.t.Logf("%s: %v: %s", command, err, out)
	}
	return string(out)
}

// vpnPath is what FRR has of a VPN prefix.
func (f *frr) vpnPath(rd, prefix string) (hop string, label uint32, originator string, ok bool) {
	var v map[string]struct {
		Paths []struct {
			RemoteLabel uint32 `json:"remoteLabel"`
			Originator  string `json:"originatorId"`
			Nexthops    []struct {
				IP string `json:"ip"`
			} `json:"nexthops"`
		} `json:"paths"`
	}
	if json.Unmarshal([]byte(f.vty("show bgp ipv4 vpn "+prefix+" json")), &v) != nil || len(v[rd].Paths) == 0 {
		return "", 0, "", false
	}
	p := v[rd].Paths[0]
	return p.Nexthops[0].IP, p.RemoteLabel, p.Originator, true
}

// at moves a box to an address of the namespace.
func at(t *testing.T, n int) *box {
	b := newBox(t, n)
	b.addr = netip.AddrFrom4([4]byte{10, 50, 0, byte(n)})
	return b
}

var frrAddr = netip.MustParseAddr("10.50.0.4")

const frrCommon = `router bgp 65000
 bgp router-id 10.50.0.4
 no bgp default ipv4-unicast
 no bgp network import-check
`

// FRR is a spoke of a hub that makes itself the next hop.
func insideFRRClient(t *testing.T) {
	h, a := at(t, 1), at(t, 2)
	f := startFRR(t, "10.50.0.4", frrCommon+` neighbor 10.50.0.1 remote-as 65000
 neighbor 10.50.0.1 update-source 10.50.0.4
 neighbor 10.50.0.1 timers connect 2
 neighbor 10.50.0.1 password spoke
 address-family ipv4 vpn
  neighbor 10.50.0.1 activate
  network 172.16.4.0/24 rd 1:1 label 102
  network 172.16.5.0/24 rd 2:2 label 103
 exit-address-family
`)
	ch := h.vpn(179, a)
	ch.Neighbours = append(ch.Neighbours, Neighbour{Address: frrAddr, RemoteAS: 65000, UpdateSource: h.addr, Password: "spoke", Families: []Activation{{Family: VPNv4}}, ConnectRetry: 2 * time.Second})
	ch.RouteMaps = map[string]RouteMap{"NEXTHOP": {{NextHop: h.addr}}}
	for i := range ch.Neighbours {
		ch.Neighbours[i].Client = true
		ch.Neighbours[i].Families[0].Out = "NEXTHOP"
	}
	ch.VRFs = twoVRFs()
	ca := a.vpn(179, h)
	ca.VRFs = twoVRFs()
	h.configure(ch)
	a.configure(ca)
	h.announce(Local{VRF: "red", Prefix: pfx("172.16.1.0/24"), Label: 55})
	a.announce(Local{VRF: "red", Prefix: pfx("172.16.2.0/24"), Label: 77}, Local{VRF: "blue", Prefix: pfx("172.16.2.0/24"), Label: 78})
	established(t, h, a)
	for _, c := range []struct {
		rd, prefix string
		label      uint32 // at the one who has it; 0: the hub's own
	}{{"1:1", "172.16.2.0/24", 77}, {"2:2", "172.16.2.0/24", 78}, {"1:1", "172.16.1.0/24", 0}} {
		wait(t, c.prefix+" at FRR", func() bool { _, _, _, ok := f.vpnPath(c.rd, c.prefix); return ok })
		hop, label, originator, _ := f.vpnPath(c.rd, c.prefix)
		if hop != "10.50.0.1" {
			t.Errorf("%s %s at FRR: next hop %s", c.rd, c.prefix, hop)
		}
		if c.label == 0 {
			if label != 55 {
				t.Errorf("the hub's own %s at FRR: label %d", c.prefix, label)
			}
			continue
		}
		if w, ok := h.swapOf(label); !ok || w.NextHop != a.addr || !slices.Equal(w.Labels, []uint32{c.label}) || originator == "" {
			t.Errorf("%s %s at FRR: label %d, which the hub swaps for %+v; originator %s", c.rd, c.prefix, label, w, originator)
		}
	}
	// FRR's routes carry no targets (`network … rd` gives none), so they are in the VPN table only: the spoke has them from the hub.
	var ps []PathStatus
	wait(t, "FRR's routes at the spoke", func() bool {
		var err error
		if ps, err = a.s.Paths("", VPNv4); err != nil {
			t.Fatal(err)
		}
		ps = slices.DeleteFunc(ps, func(p PathStatus) bool { return p.Originator != frrAddr })
		return len(ps) == 2
	})
	for i, p := range ps {
		w, ok := h.swapOf(p.Labels[0])
		if p.NextHop != h.addr || !ok || w.NextHop != frrAddr || w.Labels[0] != uint32(102+i) {
			t.Errorf("FRR's %s at the spoke: next hop %s, label %d, which the hub swaps for %+v", p.Prefix, p.NextHop, p.Labels, w)
		}
	}
	// Clearing at FRR, and everything comes again.
	f.vty("clear bgp ipv4 vpn *")
	wait(t, "the session to end", func() bool { _, down := h.ups(frrAddr); return down > 0 })
	established(t, h)
	wait(t, "the routes again", func() bool { _, _, _, ok := f.vpnPath("1:1", "172.16.2.0/24"); return ok })
}

// FRR reflects between two of ours.
func insideFRRReflector(t *testing.T) {
	a, b := at(t, 2), at(t, 3)
	config := frrCommon
	for _, x := range []*box{a, b} {
		config += fmt.Sprintf(" neighbor %s remote-as 65000\n neighbor %s update-source 10.50.0.4\n neighbor %s timers connect 2\n", x.addr, x.addr, x.addr)
	}
	config += " address-family ipv4 vpn\n"
	for _, x := range []*box{a, b} {
		config += fmt.Sprintf("  neighbor %s activate\n  neighbor %s route-reflector-client\n", x.addr, x.addr)
	}
	startFRR(t, "10.50.0.4", config+" exit-address-family\n")
	for _, x := range []*box{a, b} {
		c := x.vpn(179)
		c.Neighbours = []Neighbour{{Address: frrAddr, RemoteAS: 65000, UpdateSource: x.addr, Families: []Activation{{Family: VPNv4}}, ConnectRetry: 2 * time.Second}}
		c.VRFs = twoVRFs()
		x.configure(c)
	}
	a.announce(Local{VRF: "red", Prefix: pfx("192.168.11.0/24"), Label: 77}, Local{VRF: "blue", Prefix: pfx("192.168.11.0/24"), Label: 78})
	established(t, a, b)
	for vrf, label := range map[string]uint32{"red": 77, "blue": 78} {
		wait(t, vrf, has(b, vrf, "192.168.11.0/24"))
		if r, _ := b.route(vrf, "192.168.11.0/24"); r.NextHop != a.addr || r.Labels[0] != label {
			t.Errorf("%s: %+v", vrf, r)
		}
	}
	if err := a.s.Retract(Key{"red", pfx("192.168.11.0/24")}); err != nil {
		t.Fatal(err)
	}
	wait(t, "the withdrawal", func() bool { return !has(b, "red", "192.168.11.0/24")() })
	if !has(b, "blue", "192.168.11.0/24")() {
		t.Error("blue went, too")
	}
}

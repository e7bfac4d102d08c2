package doctor

import (
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// machine is an imitation of a machine's files.
func machine(t *testing.T, files map[string]string) string {
	t.Helper()
	root := t.TempDir()
	for name, text := range files {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func TestGatherFiles(t *testing.T) {
	root := machine(t, map[string]string{
		"sys/devices/system/cpu/online": "0-3\n", "sys/devices/system/cpu/isolated": "2-3\n", "sys/devices/system/cpu/nohz_full": "(null)\n",
		"sys/devices/system/cpu/cpu0/cpufreq/scaling_governor": "powersave\n", "sys/devices/system/cpu/cpu1/cpufreq/scaling_governor": "performance\n",
		"sys/devices/system/node/node0/cpulist": "0-1\n", "sys/devices/system/node/node1/cpulist": "2-3\n",
		"sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages": "64\n", "sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages": "60\n",
		"proc/sys/net/core/bpf_jit_enable": "1\n", "proc/sys/kernel/unprivileged_bpf_disabled": "2\n", "proc/sys/net/ipv4/ip_forward": "1\n", "proc/sys/net/ipv4/conf/all/rp_filter": "1\n",
		"proc/sys/net/ipv4/conf/eth0/rp_filter": "2\n", "sys/class/net/eth0/device/numa_node": "1\n", "sys/class/net/eth0/ifindex": "7\n", "run/NetworkManager/devices/7": "[device]\nmanaged=true\n",
		"sys/class/net/eth0/device/msi_irqs/40": "msix\n", "proc/irq/40/effective_affinity_list": "2\n", "sys/class/net/eth0/device/msi_irqs/41": "msix\n", "proc/irq/41/smp_affinity_list": "0-3\n",
		"proc/99/comm": "charon\n", "proc/98/comm": "irqbalance\n", "proc/97/comm": "NetworkManager\n", "proc/self/net/udp": "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops\n" +
			"  276: 00000000:01F4 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 4242 2 0000000000000000 0\n  300: 00000000:0035 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 4243 2 0000000000000000 0\n",
		"proc/99/fd/3": "", "etc/nave/naved.env": "# ports\nNAVE_PORTS=\"--port Ethernet0=eth0 --port=Ethernet1=eth1\"\n",
		"etc/nave/nave.cfg": "ip vrf red\n rd 1:1\ninterface Ethernet0\n ip address 192.0.2.1 255.255.255.0\ninterface Tunnel0\n ip address 10.0.0.1 255.255.255.0\n ip mtu 1400\n tunnel source Ethernet0\n tunnel mode gre multipoint\nfastpath cpu 2-3\nfastpath poll strict\n",
	})
	if err := os.Remove(filepath.Join(root, "proc/99/fd/3")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("socket:[4242]", filepath.Join(root, "proc/99/fd/3")); err != nil {
		t.Fatal(err)
	}
	f := Gather(Ask{Root: root, Config: "/etc/nave/nave.cfg", Environment: "/etc/nave/naved.env", Socket: "/run/nave/nave.sock", Look: "no-such-group", Change: "no-such-group"})
	if want := (CPU{Online: []int{0, 1, 2, 3}, Isolated: []int{2, 3}, Governor: map[string]int{"powersave": 1, "performance": 1}, Node: map[int]int{0: 0, 1: 0, 2: 1, 3: 1}}); !reflect.DeepEqual(f.CPU, want) {
		t.Errorf("%+v", f.CPU)
	}
	if f.Huge != (Huge{true, 64, 60}) || f.Kernel.JIT != Yes || f.Kernel.UnprivilegedBPF != No || f.Kernel.IPForward != Yes || f.Kernel.ReversePathStrict != Yes {
		t.Errorf("%+v %+v", f.Huge, f.Kernel)
	}
	if f.Services["charon"] != 99 || f.Services["irqbalance"] != 98 || len(f.Services) != 3 || !slices.Equal(f.Sockets, []Socket{{500, 99, "charon"}}) {
		t.Errorf("%v %v", f.Services, f.Sockets)
	}
	if w := f.Wants; !w.VRFs || !w.Strict || w.Protected || !slices.Equal(w.CPUs, []int{2, 3}) || w.ConfigMode != 0o600 || len(w.Tunnels) != 1 || w.Tunnels[0] != (Tunnel{"Tunnel0", 1400, "Ethernet0", 1424}) {
		t.Errorf("%+v", w)
	}
	if len(f.Ports) != 2 || f.Ports[0].Name != "Ethernet0" || f.Ports[1].Netdev != "eth1" {
		t.Fatalf("%+v", f.Ports)
	}
	if p := f.Ports[0]; p.Virtual || p.Node != 1 || p.RPFilter != 2 || p.Unmanaged != No || !reflect.DeepEqual(p.IRQs, []IRQ{{40, []int{2}}, {41, []int{0, 1, 2, 3}}}) {
		t.Errorf("%+v", p)
	}
	if p := f.Ports[1]; !p.Virtual || p.Node != -1 {
		t.Errorf("%+v", p)
	}
	if f.Access.LookIs || f.Access.MayBe {
		t.Errorf("%+v", f.Access)
	}
}

// What a naved that runs says of its ports goes before what was asked for; there is nothing to be read, and nothing fails.
func TestGatherKnown(t *testing.T) {
	root := machine(t, nil)
	f := Gather(Ask{Root: root, Config: "/none", Ports: []string{"Ethernet0=eth0", "Ethernet1=nosuch0", "broken"}, Known: []Port{{Name: "Ethernet0", Netdev: "eth0", MTU: 1500, Up: true}}})
	if len(f.Ports) != 2 || f.Ports[0].MTU != 1500 || f.Ports[0].Missing || !f.Ports[1].Missing {
		t.Errorf("%+v", f.Ports)
	}
	if f.Wants.Config != "" || f.Wants.ConfigFault != "" {
		t.Errorf("%+v", f.Wants)
	}
	root = machine(t, map[string]string{"x.cfg": "frobnicate\n"})
	f = Gather(Ask{Root: root, Config: "/x.cfg"})
	if f.Wants.ConfigFault == "" {
		t.Errorf("%+v", f.Wants)
	}
}

// This machine can be looked at, and what is said of it is whole.
func TestGatherHere(t *testing.T) {
	f := Gather(Ask{Ports: []string{"Loopback0=lo"}, Socket: "/nonexistent/nave.sock", Look: "nave", Change: "nave-admin"})
	if f.Kernel.Major < 3 || len(f.CPU.Online) == 0 || f.Kernel.Arch == "" || len(f.Ports) != 1 || f.Ports[0].Missing || f.Ports[0].MTU == 0 {
		t.Errorf("%+v", f)
	}
	for _, finding := range Examine(f) {
		if finding.Area == "" || finding.What == "" || finding.Level == Fail && finding.Do == "" || strings.Contains(finding.What, "%!") {
			t.Errorf("%+v", finding)
		}
	}
}

func TestParse(t *testing.T) {
	for text, want := range map[string][]int{"0-3,8\n": {0, 1, 2, 3, 8}, "": nil, "(null)": nil, "5": {5}, "1,x": {1}, "3-1": nil, "0-99999999": nil} {
		if got := list(text); !slices.Equal(got, want) {
			t.Errorf("%q: %v", text, got)
		}
	}
	for text, want := range map[string][2]int{"6.18.1-x": {6, 18}, "5.4": {5, 4}, "5": {5, 0}, "x": {0, 0}} {
		if a, b := release(text); a != want[0] || b != want[1] {
			t.Errorf("%q: %d.%d", text, a, b)
		}
	}
	const limits = "Limit                     Soft Limit           Hard Limit           Units     \nMax core file size        0                    unlimited            bytes     \nMax open files            1024                 524288               files     \nMax locked memory         unlimited            unlimited            bytes     \n"
	for name, want := range map[string]int64{"Max core file size": 0, "Max open files": 1024, "Max locked memory": -1} {
		if n, ok := limit(limits, name); !ok || n != want {
			t.Errorf("%s: %d %v", name, n, ok)
		}
	}
	if _, ok := limit(limits, "Max nothing"); ok {
		t.Error("a limit that there is not")
	}
	if s := "Name:\tx\nCapEff:\t0000000000004000\n"; !capability(s, 14) || capability(s, 13) || capability("", 14) {
		t.Error("capabilities")
	}
	if got := portFlags([]string{"--copy", "--port", "a=b", "--port=c=d", "--port"}); !slices.Equal(got, []string{"a=b", "c=d"}) {
		t.Error(got)
	}
}

package doctor

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"nave/slowpath/host/nic"
)

// healthy are the facts of a machine that there is nothing to say about.
func healthy() *Facts {
	return &Facts{
		Root:   true,
		Kernel: Kernel{Release: "6.18.1", Major: 6, Minor: 18, Arch: "x86_64", AFXDP: Yes, XDP: Yes, TUN: Yes, BPFFS: Yes, Namespaces: Yes, JIT: Yes, UnprivilegedBPF: No, IPForward: No, ReversePathStrict: No},
		CPU:    CPU{Online: []int{0, 1, 2, 3}, Isolated: []int{2, 3}, NoHzFull: []int{2, 3}, Governor: map[string]int{"performance": 4}, Node: map[int]int{0: 0, 1: 0, 2: 0, 3: 0}},
		Huge:   Huge{Known: true, Total: 64, Free: 60},
		Clock:  Clock{Known: true, Synchronised: true, Year: 2026},
		Ports: []Port{{Name: "Ethernet0", Netdev: "eth0", Driver: "ice", Up: true, Carrier: true, MTU: 1500, Queues: 2, Native: Yes, ZeroCopy: Yes, Node: 0, RPFilter: 2,
			NIC:  &nic.State{Channels: nic.Channels{Combined: 2, MaxCombined: 8}, Rings: nic.Rings{RX: 2048, MaxRX: 4096}, RSS: nic.Outcome{Done: true, What: "even over 2 queues"}},
			IRQs: []IRQ{{40, []int{2}}, {41, []int{3}}, {42, []int{0}}}}},
		Wants: Wants{Config: "/etc/nave/nave.cfg", ConfigMode: 0o600, Workers: 2, CPUs: []int{2, 3}, Strict: true, Protected: true, Certificates: true, VRFs: true,
			Tunnels: []Tunnel{{Name: "Tunnel0", IPMTU: 1400, Port: "Ethernet0", Encapsulated: 1480}}},
		Services: map[string]int{},
		Sockets:  []Socket{{Port: 500, PID: 812, Program: "naved"}, {Port: 4500, PID: 812, Program: "naved"}},
		Naved:    Naved{Running: true, PID: 812, Version: "nave 0.1"},
		Limits:   Limits{Known: true, Files: 65536, Core: 0, Locked: -1, CapAdmin: true},
		Access:   Access{Look: "nave", Change: "nave-admin", LookIs: true, MayBe: true, SocketFolder: 0o710, RunDir: "/run/nave", Socket: "/run/nave/nave.sock", SocketGroup: "nave"},
	}
}

func texts(list []Finding) string {
	var b strings.Builder
	for _, f := range list {
		fmt.Fprintf(&b, "%s: %s: %s (%s)\n", f.Area, f.Level, f.What, f.Do)
	}
	return b.String()
}

func TestHealthy(t *testing.T) {
	list := Examine(healthy())
	if Code(list) != 0 {
		t.Errorf("a healthy machine:\n%s", texts(list))
	}
	var areas []string
	for _, f := range list {
		areas = append(areas, f.Area)
	}
	if want := []string{"kernel", "memory", "CPUs", "clock", "port Ethernet0 (eth0)", "tunnels", "services", "limits", "access"}; !slices.Equal(slices.Compact(areas), want) {
		t.Errorf("areas %q", slices.Compact(areas))
	}
}

// Each thing that can be wrong is found, with its level and with what to do, and nothing else is said to be wrong then.
func TestFindings(t *testing.T) {
	for _, c := range []struct {
		name  string
		wrong func(f *Facts)
		level Level
		what  string
		do    string
	}{
		{"old kernel", func(f *Facts) { f.Kernel.Major, f.Kernel.Minor = 5, 4 }, Fail, "too old", "5.16"},
		{"elderly kernel", func(f *Facts) { f.Kernel.Major, f.Kernel.Minor = 5, 10 }, Warn, "refreshed less well", "5.16"},
		{"other CPU", func(f *Facts) { f.Kernel.Arch = "riscv64" }, Fail, "riscv64", "x86-64"},
		{"not root", func(f *Facts) { f.Root = false }, Warn, "not run as root", "sudo"},
		{"no AF_XDP", func(f *Facts) { f.Kernel.AFXDP = No }, Fail, "AF_XDP sockets: no", "CONFIG_XDP_SOCKETS"},
		{"no BPF", func(f *Facts) { f.Kernel.XDP = No }, Fail, "XDP programs: no", "CONFIG_BPF_SYSCALL"},
		{"no TUN", func(f *Facts) { f.Kernel.TUN = No }, Fail, "TUN devices: no", "modprobe tun"},
		{"no bpffs", func(f *Facts) { f.Kernel.BPFFS = No }, Warn, "bpffs", "mount -t bpf"},
		{"no namespaces, and VRFs", func(f *Facts) { f.Kernel.Namespaces = No }, Fail, "network namespaces", "CONFIG_NET_NS"},
		{"no namespaces", func(f *Facts) { f.Kernel.Namespaces, f.Wants.VRFs = No, false }, Warn, "network namespaces", "CONFIG_NET_NS"},
		{"no JIT", func(f *Facts) { f.Kernel.JIT = No }, Warn, "interpreted", "bpf_jit_enable=1"},
		{"BPF for all", func(f *Facts) { f.Kernel.UnprivilegedBPF = Yes }, Warn, "anybody", "unprivileged_bpf_disabled=1"},
		{"strict reverse path", func(f *Facts) { f.Kernel.ReversePathStrict = Yes }, Warn, "rp_filter is 1", "rp_filter=2"},
		{"no huge pages", func(f *Facts) { f.Huge = Huge{Known: true} }, Warn, "no huge pages", "nr_hugepages=N"},
		{"few huge pages", func(f *Facts) { f.Naved.Running, f.Wants.Huge, f.Huge = false, 32, Huge{true, 16, 8} }, Warn, "8 of 2 MiB are free", "nr_hugepages=40"},
		{"too many workers", func(f *Facts) { f.Wants.Workers = 4; f.Ports[0].Queues = 4 }, Warn, "4 CPUs and 4 workers", "count 3"},
		{"no such CPU", func(f *Facts) { f.Wants.CPUs, f.CPU.Isolated, f.CPU.NoHzFull = []int{3, 9}, []int{3, 9}, []int{3, 9} }, Fail, "has CPU 9", "0-3"},
		{"isolated, and not used", func(f *Facts) { f.Wants.CPUs = nil }, Warn, "CPUs 2-3 are isolated", "fastpath cpu 2-3"},
		{"nothing isolated", func(f *Facts) { f.Wants.CPUs, f.CPU.Isolated = nil, nil }, Warn, "no CPU is kept", "isolcpus="},
		{"tied to what others use", func(f *Facts) { f.CPU.Isolated = []int{3} }, Warn, "CPUs 2, where others run", "isolcpus=2-3"},
		{"ticks", func(f *Facts) { f.CPU.NoHzFull = nil }, Warn, "CPUs 2-3, which the kernel's clock interrupts", "nohz_full=2-3"},
		{"governor", func(f *Facts) { f.CPU.Governor = map[string]int{"powersave": 3, "performance": 1} }, Warn, "powersave: 3", "cpupower"},
		{"clock", func(f *Facts) { f.Clock.Synchronised = false }, Warn, "certificates are checked by it", "set-ntp"},
		{"clock without certificates", func(f *Facts) { f.Clock.Synchronised, f.Wants.Certificates = false, false }, Warn, "key chains", "set-ntp"},
		{"clock of long ago", func(f *Facts) { f.Clock.Year = 1970 }, Fail, "1970", "set-ntp"},
		{"no port", func(f *Facts) { f.Ports = nil }, Warn, "no port is known", "--port"},
		{"port missing", func(f *Facts) { f.Ports[0] = Port{Name: "Ethernet0", Netdev: "eth7", Missing: true} }, Fail, "no netdev eth7", "ip link"},
		{"jumbo", func(f *Facts) { f.Ports[0].MTU = 9000 }, Fail, "its MTU is 9000", "mtu 1500"},
		{"in a bridge", func(f *Facts) { f.Ports[0].Master = "br0" }, Fail, "belongs to br0", "nomaster"},
		{"another XDP program", func(f *Facts) { f.Ports[0].XDP = "cil_xdp, number 7" }, Fail, "cil_xdp, number 7", "xdp off"},
		{"no carrier", func(f *Facts) { f.Ports[0].Carrier = false }, Warn, "no carrier", "cable"},
		{"down", func(f *Facts) { f.Ports[0].Up, f.Ports[0].Carrier = false, false }, Warn, "is down", "no shutdown"},
		{"strict again", func(f *Facts) { f.Ports[0].RPFilter = 1 }, Warn, "reverse path filtering strict", "eth0.rp_filter=2"},
		{"managed", func(f *Facts) { f.Ports[0].Unmanaged = No }, Warn, "NetworkManager manages", "nmcli device set eth0 managed no"},
		{"no native XDP", func(f *Facts) { f.Ports[0].Native = No }, Warn, "no XDP of its own", "card"},
		{"no zero-copy", func(f *Facts) { f.Ports[0].ZeroCopy = No }, Warn, "no zero-copy", "card"},
		{"zero-copy not used", func(f *Facts) { f.Ports[0].Copies = "eth1 has none" }, Warn, "does not use it: eth1 has none", ""},
		{"few queues", func(f *Facts) { f.Ports[0].Queues = 1 }, Warn, "1 queues for 2 workers", "ethtool -L eth0 combined 2"},
		{"few queues for ever", func(f *Facts) {
			f.Ports[0].Queues, f.Ports[0].NIC.Channels = 1, nic.Channels{Combined: 1, MaxCombined: 1}
		}, Warn, "has no more", ""},
		{"many queues", func(f *Facts) { f.Ports[0].Queues = 96 }, Fail, "has 96 queues", "combined 64"},
		{"no RSS", func(f *Facts) { f.Ports[0].NIC.RSS = nic.Outcome{Why: "operation not supported"} }, Warn, "operation not supported", "hand-over on"},
		{"small ring", func(f *Facts) { f.Ports[0].NIC.Rings.RX = 512 }, Warn, "512 entries of up to 4096", "ethtool -G eth0 rx 4096"},
		{"one CPU for interrupts", func(f *Facts) { f.Ports[0].IRQs = []IRQ{{1, []int{0}}, {2, []int{0}}, {3, []int{0}}} }, Warn, "all of its 3 interrupts", "smp_affinity_list"},
		{"irqbalance", func(f *Facts) { f.Services["irqbalance"] = 7 }, Warn, "irqbalance moves", "disable --now irqbalance"},
		{"far CPU", func(f *Facts) { f.CPU.Node[3] = 1 }, Warn, "NUMA node 0, and CPUs 3", "fastpath cpu"},
		{"tunnel too long", func(f *Facts) { f.Wants.Tunnels[0].Encapsulated, f.Wants.Tunnels[0].IPMTU = 1580, 1500 }, Warn, "1580 bytes", "`ip mtu 1400` on Tunnel0"},
		{"charon has the port", func(f *Facts) { f.Sockets[0] = Socket{500, 99, "charon"}; f.Services["charon"] = 99 }, Fail, "charon (process 99) has UDP port 500", "stop it"},
		{"somebody has the port", func(f *Facts) { f.Sockets[0] = Socket{Port: 500} }, Fail, "another program has UDP port 500", "ss -ulnp"},
		{"somebody has the port of nobody", func(f *Facts) { f.Wants.Protected, f.Sockets[1] = false, Socket{4500, 99, "x"} }, Warn, "x (process 99) has UDP port 4500", "stop it"},
		{"an IKE daemon elsewhere", func(f *Facts) { f.Services["pluto"] = 98 }, Warn, "pluto (process 98) runs", "namespace"},
		{"firewalld", func(f *Facts) { f.Services["firewalld"] = 5 }, Warn, "firewalld runs", "add-service=ipsec"},
		{"NetworkManager", func(f *Facts) { f.Services["NetworkManager"] = 5 }, Warn, "NetworkManager runs", "managed no"},
		{"few files", func(f *Facts) { f.Limits.Files = 1024 }, Warn, "1024 open files", "LimitNOFILE"},
		{"core dumps", func(f *Facts) { f.Limits.Core = -1 }, Warn, "core dump", "LimitCORE=0"},
		{"locked memory", func(f *Facts) { f.Limits.Locked = 65536 }, Warn, "lock 65536 bytes", "LimitMEMLOCK"},
		{"no right to VRFs", func(f *Facts) { f.Limits.CapAdmin = false }, Fail, "CAP_SYS_ADMIN", "vrf.conf"},
		{"socket for nobody", func(f *Facts) { f.Access.SocketGroup = "" }, Warn, "not open to group nave", "Group=nave"},
		{"no group", func(f *Facts) { f.Access.LookIs = false }, Warn, "no group nave:", "groupadd --system nave"},
		{"no group of admins", func(f *Facts) { f.Access.MayBe = false }, Warn, "no group nave-admin", "nave-admin"},
		{"open run directory", func(f *Facts) { f.Access.SocketFolder = 0o755 }, Warn, "open to others (mode 755)", "chmod 710 /run/nave"},
		{"open configuration", func(f *Facts) { f.Wants.ConfigMode = 0o644 }, Warn, "has keys in it", "chmod 600"},
		{"unread configuration", func(f *Facts) { f.Wants.ConfigFault = "it has errors" }, Warn, "it has errors", "nave check /etc/nave/nave.cfg"},
	} {
		f := healthy()
		c.wrong(f)
		list := Examine(f)
		bad := slices.DeleteFunc(slices.Clone(list), func(f Finding) bool { return f.Level == OK })
		if len(bad) != 1 || bad[0].Level != c.level || !strings.Contains(bad[0].What, c.what) || !strings.Contains(bad[0].Do, c.do) {
			t.Errorf("%s: want %s %q, do %q:\n%s", c.name, c.level, c.what, c.do, texts(bad))
		}
		if want := map[Level]int{Warn: 1, Fail: 2}[c.level]; Code(list) != want {
			t.Errorf("%s: exit status %d", c.name, Code(list))
		}
	}
}

// What can't be found out is no finding, and virtual machines with virtual links are not told to buy cards.
func TestUnknown(t *testing.T) {
	list := Examine(&Facts{Root: true, Kernel: Kernel{Release: "6.1.0", Major: 6, Minor: 1, Arch: "aarch64"}, Ports: []Port{{Netdev: "eth0", Virtual: true, Driver: "veth", MTU: 1500, Queues: 1, Native: Yes, ZeroCopy: No, Node: -1}},
		Access: Access{Look: "nave", Change: "nave-admin", LookIs: true, MayBe: true}})
	if Code(list) != 0 {
		t.Errorf("\n%s", texts(list))
	}
}

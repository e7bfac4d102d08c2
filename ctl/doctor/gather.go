package doctor

import (
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/features"
	"golang.org/x/sys/unix"

	"nave/ctl/config"
)

// Ask is what the doctor is told beforehand.
type Ask struct {
	Config string   // configuration file
	Ports  []string // INTERFACE=NETDEV; none: those of Environment
	// Environment is the file with the start's NAVE_PORTS.
	Environment string
	Socket      string // of naved
	// Known is what a naved that runs says of its ports; it goes before what is found out otherwise.
	Known   []Port
	Running bool
	Version string
	Huge    int // pages that its packets lie in
	// Look and Change are the groups of those who may look, and change things.
	Look, Change string
	// Root is where the file system begins, for tests; empty: at /.
	Root string
}

// Gather looks at the machine. It changes nothing.
func Gather(a Ask) *Facts {
	g := &gatherer{Ask: a, f: &Facts{Root: os.Geteuid() == 0}}
	g.kernel()
	g.cpu()
	g.huge()
	g.clock()
	g.wants()
	g.processes()
	g.naved()
	g.ports()
	g.sockets()
	g.limits()
	g.access()
	return g.f
}

type gatherer struct {
	Ask
	f *Facts
	// comms are the processes of each name.
	comms map[string][]int
}

// read is the text of a file below the root; empty where it can't be read.
func (g *gatherer) read(path ...string) string {
	b, err := os.ReadFile(filepath.Join(append([]string{"/", g.Root}, path...)...))
	if err != nil {
		return ""
	}
	return string(b)
}

// number is the number in a file.
func (g *gatherer) number(path ...string) (n int, ok bool) {
	n, err := strconv.Atoi(strings.TrimSpace(g.read(path...)))
	return n, err == nil
}

// is tells whether the number in a file is one.
func (g *gatherer) is(want int, path ...string) Answer {
	n, ok := g.number(path...)
	if !ok {
		return Unknown
	}
	return answer(n == want)
}

// glob lists what is below the root.
func (g *gatherer) glob(pattern ...string) []string {
	root := filepath.Join("/", g.Root)
	found, _ := filepath.Glob(filepath.Join(append([]string{root}, pattern...)...)) // the patterns are ours
	for i := range found {
		found[i] = strings.TrimPrefix(found[i], strings.TrimSuffix(root, "/"))
	}
	return found
}

func (g *gatherer) kernel() {
	k := &g.f.Kernel
	var u unix.Utsname
	if unix.Uname(&u) == nil {
		k.Release, k.Arch = unix.ByteSliceToString(u.Release[:]), unix.ByteSliceToString(u.Machine[:])
		k.Major, k.Minor = release(k.Release)
	}
	fd, err := unix.Socket(unix.AF_XDP, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
	if err == nil {
		_ = unix.Close(fd)
	}
	k.AFXDP = tried(err, unix.EAFNOSUPPORT)
	switch err := features.HaveProgramType(ebpf.XDP); {
	case err == nil:
		k.XDP = Yes
	case errors.Is(err, ebpf.ErrNotSupported):
		k.XDP = No
	}
	fd, err = unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err == nil {
		_ = unix.Close(fd)
	}
	k.TUN = tried(err, unix.ENOENT, unix.ENODEV, unix.ENXIO)
	var fs unix.Statfs_t
	if err := unix.Statfs("/sys/fs/bpf", &fs); err == nil {
		k.BPFFS = answer(fs.Type == unix.BPF_FS_MAGIC)
	} else if errors.Is(err, unix.ENOENT) {
		k.BPFFS = No
	}
	_, err = os.Stat("/proc/self/ns/net")
	k.Namespaces = answer(err == nil)
	if jit := g.is(0, "proc/sys/net/core/bpf_jit_enable"); jit != Unknown {
		k.JIT = answer(jit == No)
	}
	k.UnprivilegedBPF = g.is(0, "proc/sys/kernel/unprivileged_bpf_disabled")
	k.IPForward = g.is(1, "proc/sys/net/ipv4/ip_forward")
	k.ReversePathStrict = g.is(1, "proc/sys/net/ipv4/conf/all/rp_filter")
}

// tried is what trying tells: no for certain errors, unknown for others (that it is not permitted, perhaps).
func tried(err error, no ...error) Answer {
	if err == nil {
		return Yes
	}
	for _, e := range no {
		if errors.Is(err, e) {
			return No
		}
	}
	return Unknown
}

func (g *gatherer) cpu() {
	c := &g.f.CPU
	const cpus = "sys/devices/system/cpu"
	c.Online, c.Isolated, c.NoHzFull = list(g.read(cpus, "online")), list(g.read(cpus, "isolated")), list(g.read(cpus, "nohz_full"))
	c.Governor, c.Node = make(map[string]int), make(map[int]int)
	for _, p := range g.glob(cpus, "cpu[0-9]*", "cpufreq/scaling_governor") {
		c.Governor[strings.TrimSpace(g.read(p))]++
	}
	for _, p := range g.glob("sys/devices/system/node/node[0-9]*/cpulist") {
		node, err := strconv.Atoi(strings.TrimPrefix(filepath.Base(filepath.Dir(p)), "node"))
		if err != nil {
			continue
		}
		for _, cpu := range list(g.read(p)) {
			c.Node[cpu] = node
		}
	}
}

func (g *gatherer) huge() {
	const pages = "sys/kernel/mm/hugepages/hugepages-2048kB"
	total, ok := g.number(pages, "nr_hugepages")
	free, ok2 := g.number(pages, "free_hugepages")
	g.f.Huge = Huge{Known: ok && ok2, Total: total, Free: free}
}

func (g *gatherer) clock() {
	var t unix.Timex
	state, err := unix.Adjtimex(&t) // without a mode it only asks
	g.f.Clock = Clock{Known: err == nil, Synchronised: err == nil && state != unix.TIME_ERROR && t.Status&unix.STA_UNSYNC == 0, Year: time.Now().Year()}
}

// wants reads the configuration and the start's ports.
func (g *gatherer) wants() {
	w := &g.f.Wants
	w.Huge = g.Huge
	if len(g.Ports) == 0 && g.Environment != "" {
		g.Ports = portFlags(strings.Fields(environment(g.read(g.Environment), "NAVE_PORTS")))
	}
	if g.Config == "" {
		return
	}
	path := filepath.Join("/", g.Root, g.Config)
	st, err := os.Stat(path)
	if errors.Is(err, os.ErrNotExist) {
		return // there is none yet
	}
	w.Config = g.Config
	if err == nil {
		w.ConfigMode = uint32(st.Mode().Perm())
	}
	text, err := os.ReadFile(path)
	if err != nil {
		w.ConfigFault = err.Error()
		return
	}
	tree, diags := config.Parse(g.Config, text)
	if diags.HasErrors() {
		w.ConfigFault = "it has errors"
	}
	g.fromTree(tree)
}

func (g *gatherer) fromTree(tree *config.Config) {
	w := &g.f.Wants
	w.Workers, w.CPUs, w.Strict = tree.Fastpath.Count, tree.Fastpath.CPUs, tree.Fastpath.Poll == "strict"
	w.VRFs, w.Certificates = len(tree.VRFs) > 0, len(tree.PKI.Trustpoints) > 0
	for _, i := range tree.Interfaces {
		if !i.IsTunnel() {
			continue
		}
		w.Protected = w.Protected || i.Tunnel.Protection.Profile != ""
		port := tree.SourcePort(&i.Tunnel)
		if port == nil || i.IPMTU == 0 {
			continue
		}
		name := port.Name
		if parent := port.Parent(); parent != "" {
			name = parent
		}
		if n, known := tree.Encapsulated(i, i.IPMTU); known {
			w.Tunnels = append(w.Tunnels, Tunnel{Name: i.Name, IPMTU: i.IPMTU, Port: name, Encapsulated: n})
		}
	}
}

// processes notes who runs.
func (g *gatherer) processes() {
	g.comms = make(map[string][]int)
	for _, p := range g.glob("proc/[0-9]*/comm") {
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(p)))
		if err == nil {
			name := strings.TrimSpace(g.read(p))
			g.comms[name] = append(g.comms[name], pid)
		}
	}
	g.f.Services = make(map[string]int)
	for _, name := range slices.Concat(ikeDaemons, []string{"irqbalance", "NetworkManager", "firewalld"}) {
		comm := name[:min(len(name), 15)] // the kernel cuts names
		if pids := g.comms[comm]; len(pids) > 0 {
			g.f.Services[name] = slices.Min(pids)
		}
	}
}

// netdevs are the ports by netdev, as asked for.
func (g *gatherer) netdevs() map[string]string {
	out := make(map[string]string)
	for _, p := range g.Ports {
		if name, dev, ok := strings.Cut(p, "="); ok && dev != "" {
			out[dev] = name
		}
	}
	for _, p := range g.Known {
		delete(out, p.Netdev)
	}
	return out
}

func (g *gatherer) ports() {
	for _, p := range g.Known {
		g.fromSys(&p)
		g.f.Ports = append(g.f.Ports, p)
	}
	wanted := g.netdevs()
	for _, dev := range slices.Sorted(maps.Keys(wanted)) {
		p := Port{Name: wanted[dev], Netdev: dev, Node: -1}
		g.link(&p)
		g.fromSys(&p)
		g.f.Ports = append(g.f.Ports, p)
	}
}

package doctor

import "nave/slowpath/host/nic"

// Answer is what could be found out.
type Answer uint8

// Answers. Unknown is what nobody here may ask, or what the kernel does not say.
const (
	Unknown Answer = iota
	Yes
	No
)

// answer makes one of a truth.
func answer(yes bool) Answer {
	if yes {
		return Yes
	}
	return No
}

// Facts are what is known of a machine.
type Facts struct {
	Root   bool // the doctor may look at everything
	Naved  Naved
	Kernel Kernel
	CPU    CPU
	Huge   Huge
	Clock  Clock
	Ports  []Port
	Wants  Wants
	// Services are programs that run here, by name, of those that may be in nave's way.
	Services map[string]int // a process of each
	Sockets  []Socket       // of UDP 500 and 4500, in this network namespace
	Limits   Limits
	Access   Access
}

// Naved is the daemon, if it runs.
type Naved struct {
	Running bool
	PID     int
	Version string
}

// Kernel is what Linux has.
type Kernel struct {
	Release           string
	Major, Minor      int
	Arch              string
	AFXDP             Answer
	XDP               Answer // programs of that type
	TUN               Answer
	BPFFS             Answer // at /sys/fs/bpf
	Namespaces        Answer // of networks
	JIT               Answer // of BPF programs
	UnprivilegedBPF   Answer // anybody may load programs
	IPForward         Answer
	ReversePathStrict Answer // net.ipv4.conf.all.rp_filter is 1
}

// CPU is the machine's.
type CPU struct {
	Online   []int
	Isolated []int          // isolcpus
	NoHzFull []int          // nohz_full
	Governor map[string]int // how many CPUs have which; none: there is no frequency to be set
	Node     map[int]int    // NUMA node of a CPU
}

// Huge are pages of 2 MiB.
type Huge struct {
	Known       bool
	Total, Free int
}

// Clock is how true the time is.
type Clock struct {
	Known        bool
	Synchronised bool
	Year         int
}

// Wants is what the configuration and naved's start want of the machine.
type Wants struct {
	Config       string // the file; empty: none was read
	ConfigFault  string // why it was not
	ConfigMode   uint32 // its permissions
	Workers      int    // 0: one a queue
	CPUs         []int  // of workers, in their order
	Strict       bool   // they poll without pause
	Huge         int    // pages that naved would take; 0: not known
	Protected    bool   // there are protected tunnels: IKE
	Certificates bool
	VRFs         bool
	Tunnels      []Tunnel
}

// Tunnel is how long the packets of one are.
type Tunnel struct {
	Name         string
	IPMTU        int
	Port         string // that they leave by
	Encapsulated int    // bytes of the longest
}

// Port is a netdev that is a port, or is to be.
type Port struct {
	Name    string // of the interface; empty: not known
	Netdev  string
	Missing bool // there is no such netdev in this network namespace
	Driver  string
	Virtual bool // there is no card
	Up      bool
	Carrier bool
	MTU     int
	Queues  int        // that receive
	NIC     *nic.State // nil: it was not asked
	Native  Answer     // XDP by the driver
	// ZeroCopy is what the driver has; Copies is why naved does not use it, of a naved that runs.
	ZeroCopy  Answer
	Copies    string
	XDP       string // an XDP program that is on it and is not nave's
	Master    string // bridge or bond that it is in
	Node      int    // NUMA node; -1: none
	IRQs      []IRQ
	RPFilter  int
	Unmanaged Answer // NetworkManager leaves it alone
}

// IRQ is an interrupt of a card and the CPUs that take it.
type IRQ struct {
	Number int
	CPUs   []int
}

// Socket is a UDP port that somebody has.
type Socket struct {
	Port    int
	PID     int // 0: not known
	Program string
}

// Limits are those of a naved that runs.
type Limits struct {
	Known    bool
	Files    int64 // -1: none, as for all
	Core     int64
	Locked   int64
	CapIPC   bool // CAP_IPC_LOCK: what may be locked has no limit
	CapAdmin bool // CAP_SYS_ADMIN: VRFs can be made
}

// Access is who may use nave.
type Access struct {
	Look, Change  string // groups
	LookIs, MayBe bool   // they exist
	SocketFolder  uint32 // permissions of the run directory; 0: there is none
	RunDir        string
	Socket        string
	// SocketGroup is the group that the socket is open to; empty: to none.
	SocketGroup string
}

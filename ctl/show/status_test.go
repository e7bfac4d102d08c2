package show

import (
	"net/netip"
	"time"

	"nave/bpf"
	"nave/fastpath"
	"nave/fastpath/fib"
	"nave/fastpath/port/afxdp"
	"nave/slowpath"
	"nave/slowpath/host/nic"
	"nave/slowpath/nhrp"
	"nave/slowpath/rib"
)

func addr(s string) netip.Addr  { return netip.MustParseAddr(s) }
func pfx(s string) netip.Prefix { return netip.MustParsePrefix(s) }

var now = time.Date(2026, time.March, 1, 12, 0, 0, 0, time.UTC)

func ago(d time.Duration) time.Time { return now.Add(-d) }

// sample is a spoke of one network and a hub of another, with one of everything that can be shown.
func sample() *Status {
	s := &Status{
		Time: now, Started: ago(8*24*time.Hour + 3*time.Hour + 61*time.Second), Version: "nave 0.1 (0123456789ab)", Hostname: "branch7",
		Running:  "hostname branch7\n!\nend\n",
		Problems: []Problem{{"interface Tunnel5", "`ip vrf forwarding` is read and not carried out by this version: the interface stays down"}},
		Interfaces: map[string]Configured{
			"Ethernet0": {Description: "to the internet"},
			"Ethernet1": {Bandwidth: 10000, Delay: 100},
			"Ethernet2": {Shutdown: true},
			"Tunnel0":   {Source: "Ethernet0", Multipoint: true, Bandwidth: 1000, Delay: 1000, Description: "to the hubs"},
			"Tunnel1":   {Source: "192.0.2.7", Profile: "vpn"},
			"Loopback0": {}, "Tunnel2": {Source: "Ethernet2", Multipoint: true}, "Tunnel5": {},
		},
		Memory: []Memory{{Worker: 0, Huge: true, Pages: 20}, {Worker: 1, Why: "20 huge pages of 2 MiB: cannot allocate memory", Pages: 20}},
		Workers: []Process{
			{PID: 4711, CPU: 2, Started: ago(48 * time.Hour), Adopted: true}, {Worker: 1, PID: 98765, CPU: -1, Started: ago(time.Minute), Restarts: 3}, {Worker: 2, CPU: 4, Restarts: 1},
		},
		Shares:   []int{40, 72, 72, 72},
		Steering: bpf.Verdicts{Nave: 123456, Kernel: 789, NoSocket: 4}, QueueLost: 3,
		Ports: []Port{
			{Name: "Ethernet0", Netdev: "eth0", ID: 1, MAC: [6]byte{2, 0, 0xab, 0xcd, 0, 1}, MTU: 1500, Up: true, Native: true,
				Queues: []Queue{
					{Worker: 0, ZeroCopy: true, BusyPoll: 20, Ring: 2048, Stats: afxdp.Stats{Wakeups: 12345, Dropped: 5, RingFull: 2, FillEmpty: 77}},
					{Queue: 1, Worker: 1, Ring: 2048, CopyWhy: "operation not supported", BusyWhy: "operation not permitted", Stats: afxdp.Stats{Dropped: 1, Invalid: 3}},
				},
				Relays: []Relay{{2, 0}, {3, 1}}, HandsOver: true, WhyHandOver: "2 queues, 4 workers", NIC: sampleCard()},
			{Name: "Ethernet1", Netdev: "enp3s0f1", ID: 2, MAC: [6]byte{2, 0, 0, 0, 0, 2}, MTU: 9000, Queues: []Queue{{}}},
		},
	}
	s.System = System{
		Kernel: "6.1.0-28-amd64", Machine: "x86_64", Model: "AMD EPYC 7543P", CPUs: 4, Memory: 16 << 30, Image: "/usr/sbin/naved", Go: "go1.26.0 for linux/amd64", Synchronized: true,
	}
	s.Usage = sampleUsage()
	s.Cleared = map[string]ClearedCount{"Ethernet0": {At: ago(time.Hour), From: fastpath.LinkCount{Rx: fastpath.Count{Packets: 1, Bytes: 100}}}}
	s.Router = slowpath.Status{Interfaces: interfaces(), Refused: []string{"route 0 10.77.0.0/16: table full"}}
	s.Router.Policed[fastpath.TTLExpired] = 11
	s.Router.NHRP = nhrp.Status{Time: now, Limit: 65536, Interfaces: nhrpInterfaces(), Entries: entries()}
	s.Fastpath = fastpath.Snapshot{
		Workers: []fastpath.WorkerCount{
			{Polls: 2000, EmptyPolls: 500, Packets: 60000, Forwarded: 59000, Ticks: 6000000, LinkTicks: 1200000},
			{Polls: 7, EmptyPolls: 7},
		},
		Ports:       map[fib.PortID]fastpath.LinkCount{1: {Rx: fastpath.Count{Packets: 1000, Bytes: 100000}, Tx: fastpath.Count{Packets: 2000, Bytes: 250000}}, 2: {}},
		Tunnels:     map[fib.TunnelID]fastpath.LinkCount{1: {Rx: fastpath.Count{Packets: 10, Bytes: 840}, Tx: fastpath.Count{Packets: 20, Bytes: 1680}}},
		Adjacencies: map[fib.AdjID]fastpath.Count{16: {}, 17: {}}, Routes: 12, Generation: 99, ArenaUsed: 3 << 20, ArenaSize: 256 << 20,
	}
	s.Fastpath.Reasons[fastpath.NoRoute], s.Fastpath.Reasons[fastpath.NHRP], s.Fastpath.Lost[fastpath.Glean] = 42, 17, 6
	return s
}

func sampleUsage() Usage {
	return Usage{
		Sampled: ago(2 * time.Second), CPUs: 4, All: Shares{52.5, 40, 30.25}, Packets: Shares{50, 38, 29}, Memory: MemoryUsage{Total: 16 << 30, Used: 5 << 30, Free: 11 << 30},
		Processes: []ProcessUsage{
			{PID: 900, Name: "naved", Runtime: 95 * time.Second, Invoked: 80000, Share: Shares{2.5, 2, 1.25}, Allocated: 9 << 30, Freed: 8 << 30, Holding: 250 << 20},
			{PID: 4711, Name: "nave-worker-0", Runtime: 48 * time.Hour, Invoked: 7, Share: Shares{25, 20, 15}, Allocated: 80 << 20, Freed: 1 << 20, Holding: 79 << 20},
			{PID: 98765, Name: "nave-worker-1", Runtime: 30 * time.Second, Share: Shares{25, 18, 14}, Holding: 300 << 20},
		},
		Links: map[string]LinkUsage{
			"Ethernet0": {InBits: 50_000_000, OutBits: 1_000, InPackets: 9000, OutPackets: 2, LastIn: ago(2 * time.Second), LastOut: ago(2 * time.Minute)},
			"Tunnel0":   {InBits: 8_000, LastIn: ago(26 * time.Hour)},
		},
	}
}

func sampleCard() *nic.State {
	return &nic.State{
		Driver:   nic.Driver{Name: "ice", Firmware: "4.40", Bus: "0000:17:00.0"},
		Channels: nic.Channels{Combined: 2, MaxCombined: 64}, Rings: nic.Rings{RX: 2048, TX: 512, MaxRX: 8160, MaxTX: 8160},
		RSS:    nic.Outcome{Done: true, What: "512 entries over 2 queues"},
		Fields: map[string]string{"ipv4": "addresses", "tcp": "addresses and ports", "udp": "addresses and ports", "esp": "unknown: hash fields of esp: the driver has none (operation not supported)"},
		NTuple: nic.Outcome{Done: true}, Rules: 17, Refused: 1, ZeroCopy: "supported",
	}
}

func interfaces() []rib.Interface {
	return []rib.Interface{
		{Name: "Ethernet0", Addrs: []netip.Prefix{pfx("192.0.2.7/24"), pfx("192.0.3.7/24")}, Up: true, Port: 1, MAC: [6]byte{2, 0, 0xab, 0xcd, 0, 1}, MTU: 1500},
		{Name: "Ethernet1", Addrs: []netip.Prefix{pfx("10.7.0.1/24")}, Port: 2, MAC: [6]byte{2, 0, 0, 0, 0, 2}, MTU: 9000},
		{Name: "Ethernet2", Port: 3, MAC: [6]byte{2, 0, 0, 0, 0, 3}, MTU: 1500},
		{Name: "Loopback0", Addrs: []netip.Prefix{pfx("10.255.7.7/32")}, Up: true, MTU: 1500},
		{Name: "Tunnel0", Addrs: []netip.Prefix{pfx("10.0.0.7/24")}, Up: true, MTU: 1400, MSS: 1360,
			Tunnel: &rib.Tunnel{ID: 1, Local: addr("192.0.2.7"), Key: 700, HasKey: true, TTL: 255, PathMTU: true, Network: 7}},
		{Name: "Tunnel1", Addrs: []netip.Prefix{pfx("10.1.0.1/30")}, Up: true, MTU: 1476,
			Tunnel: &rib.Tunnel{ID: 2, Local: addr("192.0.2.7"), Remote: addr("198.51.100.1"), TTL: 64, Protected: true}},
		{Name: "Tunnel2", MTU: 1476, Tunnel: &rib.Tunnel{ID: 3, TTL: 255}},
	}
}

func routes() []rib.Route {
	hop := func(iface, a string) rib.NextHop {
		n := rib.NextHop{Iface: iface}
		if a != "" {
			n.Addr = addr(a)
		}
		return n
	}
	return []rib.Route{
		{Prefix: pfx("0.0.0.0/0"), Source: rib.DHCP, Distance: 254, Hops: []rib.NextHop{hop("Ethernet0", "192.0.2.254")}},
		{Prefix: pfx("10.0.0.0/24"), Source: rib.Connected, Hops: []rib.NextHop{hop("Tunnel0", "")}},
		{Prefix: pfx("10.0.0.7/32"), Source: rib.Local, Hops: []rib.NextHop{hop("Tunnel0", "")}},
		{Prefix: pfx("10.8.0.0/16"), Source: rib.Static, Distance: 1, Hops: []rib.NextHop{hop("Tunnel0", "10.0.0.1"), hop("Tunnel0", "10.0.0.2")}},
		{Prefix: pfx("10.9.0.0/24"), Source: rib.Shortcut, Distance: 250, Hops: []rib.NextHop{hop("Tunnel0", "10.0.0.9")}},
		{Prefix: pfx("10.10.0.0/16"), Source: rib.Static, Distance: 200, Hops: []rib.NextHop{hop("Ethernet1", "")}},
		{Prefix: pfx("10.11.0.0/16"), Source: rib.Static, Distance: 1},
		{Prefix: pfx("192.0.2.0/24"), Source: rib.Connected, Hops: []rib.NextHop{hop("Ethernet0", "")}},
	}
}

func nhrpInterfaces() []nhrp.InterfaceStatus {
	spoke := nhrp.InterfaceStatus{
		Name: "Tunnel0", ID: 1, NetworkID: 7, Address: pfx("10.0.0.7/24"), NBMA: addr("192.0.2.7"), Spoke: true,
		NHS: []nhrp.NHSStatus{
			{Protocol: addr("10.0.0.1"), NBMA: addr("198.51.100.1"), State: nhrp.NHSResponding, Priority: 0, Cluster: 0, Since: ago(22 * 24 * time.Hour), Requests: 12, Replies: 11, Failures: 1, Next: now.Add(time.Minute)},
			{Protocol: addr("10.0.0.2"), NBMA: addr("198.51.100.2"), State: nhrp.NHSExpecting, Priority: 5, Cluster: 3, Requests: 4},
			{NBMA: addr("198.51.100.3"), State: nhrp.NHSWaiting, Dynamic: true},
		},
		Peers: []nhrp.PeerStatus{
			{NBMA: addr("198.51.100.1"), Tunnel: addr("10.0.0.1"), Entries: 1, Stage: nhrp.StageUp, Since: ago(22 * 24 * time.Hour), Static: true, Sent: 12, Received: 11},
			{NBMA: addr("198.51.100.2"), Tunnel: addr("10.0.0.2"), Entries: 1, Stage: nhrp.StageNHRP, Static: true, Sent: 4},
			{NBMA: addr("203.0.113.9"), Tunnel: addr("10.0.0.9"), Entries: 2, Stage: nhrp.StageUp, Since: ago(94 * time.Second), Dynamic: true, NATed: true},
			{NBMA: addr("203.0.113.199"), Tunnel: addr("10.0.0.199"), Entries: 1, Stage: nhrp.StageIKE, Since: ago(26 * time.Hour), Dynamic: true, NoSocket: true},
			{Tunnel: addr("10.0.0.55"), Entries: 1, Stage: nhrp.StageNHRP, Since: ago(time.Second), Incomplete: true, NoSocket: true},
			{NBMA: addr("192.0.2.7"), Tunnel: addr("10.0.0.7"), Entries: 3, Stage: nhrp.StageUp, Since: ago(time.Hour), Dynamic: true, Local: true, NoSocket: true},
		},
		MaxSend: nhrp.MaxSend{Packets: 100, Interval: 10 * time.Second}, Usage: 3,
	}
	spoke.Traffic.Sent = [9]uint64{0, 18, 10, 42, 0, 3, 6, 1, 2}
	spoke.Traffic.Received = [9]uint64{1, 11, 15, 0, 36, 7, 2, 0, 5}
	spoke.Traffic.Drops[nhrp.DropAuth], spoke.Traffic.Drops[nhrp.DropMalformed] = 4, 2
	hub := nhrp.InterfaceStatus{
		Name: "Tunnel1", ID: 2, NetworkID: 8, Address: pfx("10.1.0.1/30"), NBMA: addr("192.0.2.7"),
		MaxSend: nhrp.MaxSend{Packets: 500, Interval: 30 * time.Second}, Usage: 100,
	}
	return []nhrp.InterfaceStatus{spoke, hub}
}

func entries() []nhrp.EntryStatus {
	return []nhrp.EntryStatus{
		{Iface: "Tunnel0", Prefix: pfx("10.0.0.1/32"), NextHop: addr("10.0.0.1"), Type: nhrp.TypeStatic, Flags: nhrp.FlagAuthoritative | nhrp.FlagNHS | nhrp.FlagUsed,
			NBMA: addr("198.51.100.1"), Claimed: addr("198.51.100.1"), Created: ago(22 * 24 * time.Hour)},
		{Iface: "Tunnel0", Prefix: pfx("10.0.0.9/32"), NextHop: addr("10.0.0.9"), Type: nhrp.TypeDynamic,
			Flags: nhrp.FlagAuthoritative | nhrp.FlagUnique | nhrp.FlagRouter | nhrp.FlagNAT | nhrp.FlagNATed,
			NBMA:  addr("203.0.113.9"), Claimed: addr("172.16.0.9"), Created: ago(94 * time.Second), Expires: now.Add(206 * time.Second)},
		{Iface: "Tunnel0", Prefix: pfx("10.0.0.55/32"), NextHop: addr("10.0.0.55"), Type: nhrp.TypeIncomplete, Flags: nhrp.FlagVia,
			NBMA: addr("198.51.100.1"), Created: ago(time.Second), Expires: now.Add(3 * time.Minute)},
		{Iface: "Tunnel0", Prefix: pfx("10.0.0.66/32"), Type: nhrp.TypeNegative, Created: ago(30 * time.Second), Expires: now.Add(30 * time.Second)},
		{Iface: "Tunnel0", Prefix: pfx("10.0.0.199/32"), NextHop: addr("10.0.0.199"), Type: nhrp.TypeDynamic, Flags: nhrp.FlagImplicit | nhrp.FlagNoSock,
			NBMA: addr("203.0.113.199"), Claimed: addr("203.0.113.199"), Created: ago(26 * time.Hour), Expires: now.Add(26 * time.Hour)},
		{Iface: "Tunnel0", Prefix: pfx("10.7.0.0/24"), NextHop: addr("10.0.0.7"), Type: nhrp.TypeDynamic, Flags: nhrp.FlagLocal | nhrp.FlagUnique | nhrp.FlagRouter,
			NBMA: addr("192.0.2.7"), Claimed: addr("192.0.2.7"), Created: ago(time.Hour), Expires: now.Add(time.Hour), Holders: []netip.Addr{addr("10.0.0.9"), addr("10.0.0.199")}},
		{Iface: "Tunnel1", Prefix: pfx("10.1.0.2/32"), NextHop: addr("10.1.0.2"), Type: nhrp.TypeDynamic, Flags: nhrp.FlagRegistered | nhrp.FlagRib,
			NBMA: addr("198.51.100.1"), Claimed: addr("198.51.100.1"), Created: ago(400 * 24 * time.Hour), Expires: now.Add(time.Minute)},
	}
}

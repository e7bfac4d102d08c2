package dmvpn

import (
	"net/netip"
	"testing"
	"time"

	"nave/fastpath/fib"
	"nave/slowpath/ike"
	"nave/slowpath/nbma"
)

// FuzzMachine gives the machine whatever events in whatever order. What must hold in every step is checked by the rig: nothing is sent in clear or
// by an association that is not there, and no association outlives its child. In the end, when nobody wants anything, nothing is left.
func FuzzMachine(f *testing.F) {
	f.Add([]byte{0, 1, 4, 1, 5, 1, 12, 200, 6, 1, 12, 200})
	f.Add([]byte{0, 1, 0, 2, 4, 1, 5, 1, 4, 1, 5, 2, 6, 1, 6, 2, 12, 9, 1, 1, 1, 2, 12, 200})
	f.Add([]byte{4, 2, 5, 1, 7, 0x21, 0, 3, 7, 0x33, 1, 2, 6, 1})
	f.Add([]byte{0, 0, 2, 0, 12, 80, 2, 0, 12, 80, 3, 1, 11, 1, 11, 0, 13, 3})
	f.Add([]byte{4, 0x20, 4, 0x30, 14, 0x30, 4, 0x20, 7, 0x32, 0, 0x32})                          // another child than the active one moves
	f.Add([]byte{4, 4, 4, 1, 7, 0x11, 7, 0x12})                                                   // a peer moves to the address of another, and on
	f.Add([]byte{13, 4, 0, 0, 4, 0xc4, 12, 30, 5, 0x10, 13, 0, 4, 0xc4, 5, 0x20, 13, 4, 12, 200}) // a hub behind NAT: refused, permitted, refused
	f.Add([]byte{13, 12, 0, 1, 4, 0x55, 4, 1, 18, 1, 5, 0x20, 4, 0x55, 14, 2, 12, 200})
	f.Add([]byte{0, 1, 4, 1, 5, 0x10, 4, 2, 14, 0, 5, 0x20, 15, 1, 12, 3, 4, 1, 5, 0x30, 14, 1, 12, 200, 2, 1})
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 400 {
			return
		}
		r := newRig(t)
		addrs := []string{peerA, peerB, "198.51.100.2", "203.0.113.9"}
		for ; len(data) >= 2; data = data[2:] {
			op, arg := data[0], data[1]
			addr, iface := addrs[arg&3], []string{"Tunnel0", "Tunnel1", "Tunnel9", "Tunnel7"}[arg>>2&3]
			child, sa := ike.ChildID(arg>>4), fib.SAID(arg>>3)
			var inside netip.Addr
			if arg&64 != 0 {
				inside = netip.AddrFrom4([4]byte{10, 0, 0, arg >> 7})
			}
			switch op % 19 {
			case 18:
				r.event(Client{iface, ip(addr)})
			case 17:
				r.event(Open{Iface: iface, NBMA: at(addr), Endpoint: port(addr, 1000+uint16(arg)), Calls: arg&16 != 0})
			case 0:
				r.event(Wanted{iface, nbma.Behind(ip(addr), inside)})
			case 1:
				r.event(Released{iface, nbma.Behind(ip(addr), inside)})
			case 2:
				r.event(FromIKE{ike.Failed{Protection: 7, Remote: port(addr, 500), Why: ike.Why(arg % 19)}})
			case 3:
				r.event(Reset{NBMA: ip(addr)})
			case 4:
				change := func(k *ike.Child) {
					k.Replaces = child
					if arg&4 != 0 {
						behindNAT(uint16(arg) + 1000)(k)
					}
					if arg&8 != 0 {
						k.Peer.Value = "one of all"
					}
					if arg&16 != 0 {
						k.Protection = 8
					}
					if arg&64 != 0 {
						k.NAT = ike.NAT{Self: arg&16 != 0, Peer: arg&128 != 0}
					}
					if arg&32 != 0 { // one of several behind an address, and some say which
						k.Claimed, k.Initiator = netip.AddrFrom4([4]byte{10, 0, 0, arg >> 6}), arg&128 != 0
					}
				}
				r.event(FromIKE{ike.Install{Child: r.child(addr, change)}})
			case 5:
				r.event(FromIKE{ike.Activate{Child: child}})
			case 6:
				r.event(FromIKE{ike.Remove{Child: child, Why: ike.Why(arg % 19)}})
			case 7:
				r.event(FromIKE{ike.Rehomed{Child: child, Path: ike.Path{Local: port("192.0.2.1", 4500), Remote: port(addr, 4500+uint16(arg))}}})
			case 8:
				r.event(Heard{sa}, Used{sa + 1})
			case 9:
				r.event(SoftLimit{SA: sa, Hard: arg&1 != 0}, Moved{sa, port(addr, uint16(arg))})
			case 10:
				r.event(Refused{sa})
			case 11:
				path := ike.Path{Local: port("192.0.2.1", 500), Remote: port(addr, 500)}
				r.event(FromIKE{ike.Log{Kind: ike.LogKind(arg & 1), SA: ike.SAID(child), Path: path}})
			case 12:
				r.wait(time.Duration(arg) * time.Second)
			case 13:
				c := two()
				if arg&4 != 0 {
					c.Protections[0].NoHubBehindNAT, c.Protections[0].Hub = true, arg&8 != 0
					c.Protections[0].Servers = []netip.Addr{ip(peerA)}
				}
				switch arg & 3 {
				case 1:
					c.Protections[0].Ifaces = []string{"Tunnel1", "Tunnel7"}
				case 2:
					c.Protections[0].Local, c.Protections[0].IdleTime = ip("192.0.2.2"), time.Minute
				case 3:
					c.Protections = c.Protections[1:]
				}
				r.configure(c)
			case 14:
				r = r.inherit()
				if arg&1 != 0 {
					r.configure(Config{})
				}
				r.configure(two())
			case 15:
				r.event(Stray{Local: port("192.0.2.1", 0), Remote: port(addr, 0)})
			case 16:
				r.event(EndInherited{Remote: ip(addr)})
			}
		}
		for _, w := range r.m.sortedWants() {
			r.event(Released{w.iface, w.at})
		}
		r.do(r.m.Disinherit(r.now))
		r.wait(24 * time.Hour)
		if len(r.m.sessions)+len(r.m.children)+len(r.m.bySA)+len(r.sas)+len(r.secured)+len(r.m.timers) != 0 {
			t.Errorf("left over: sessions %v, associations %v, secured %v, timers %d", r.m.Status(r.now).Sessions, r.sas, r.secured, len(r.m.timers))
		}
	})
}

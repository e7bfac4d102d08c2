package show

import (
	"net/netip"
	"slices"

	"nave/fastpath/fib"
	"nave/slowpath/nhrp"
)

// Form is the generation of IOS whose text is printed, where they differ.
type Form uint8

// The forms.
const (
	Legacy Form = iota // 12.2SR and 12.4, as the DMVPN guide prints it
	Modern             // 15 and IOS-XE 16, which later scripts read
)

// Forms are the words that choose a Form: `terminal show-format WORD`.
var Forms = []string{Legacy: "legacy", Modern: "modern"}

// String is the word that chooses the form.
func (f Form) String() string {
	if int(f) < len(Forms) {
		return Forms[f]
	}
	return "unknown"
}

// GlobalVRF is the word that commands take for the table that is no VRF's.
const GlobalVRF = "global"

// Select is which part of a command's output is wanted, and how. What is not set does not restrict.
type Select struct {
	Iface   string
	Peer    netip.Addr   // a peer's outer address
	Tunnel  netip.Addr   // a peer's tunnel address
	Network netip.Prefix // a network: of a full length, what covers it; otherwise, what is inside
	VRF     string       // of the tunnel, or of the interface; GlobalVRF: of none
	Front   string       // VRF of outer packets; GlobalVRF: none
	Map     string       // a crypto map's name
	Type    string       // of an entry of NHRP: dynamic, static, incomplete
	Local   bool         // only what this router answered for
	Static  bool         // only what is configured
	Active  bool         // only what carries packets
	Detail  bool
	Sorted  bool // by what most is used of
	Form    Form
}

// wants tells whether a flow is selected.
func (sel *Select) wants(s *Status, f *flow) bool {
	return (sel.Iface == "" || slices.Contains(f.ifaces(), sel.Iface)) && (!sel.Peer.IsValid() || sel.Peer == f.Peer) &&
		(!sel.Active || len(f.children) > 0) && (sel.VRF == "" || s.insideVRF(f.ifaces(), "") == sel.vrf()) && (sel.Front == "" || s.vrfName(fib.VRF(f.VRF)) == sel.front()) &&
		(sel.Map == "" || slices.ContainsFunc(f.ifaces(), func(i string) bool { return mapTag(i, f.Profile, f.Shared) == sel.Map }))
}

// vrf is the name of the VRF that is selected; "" for the global table.
func (sel *Select) vrf() string {
	if sel.VRF == GlobalVRF {
		return ""
	}
	return sel.VRF
}

func (sel *Select) front() string {
	if sel.Front == GlobalVRF {
		return ""
	}
	return sel.Front
}

// wantsTunnel tells whether NHRP's part of an interface is selected.
func (sel *Select) wantsTunnel(i *nhrp.InterfaceStatus) bool {
	return (sel.Iface == "" || i.Name == sel.Iface) && (sel.VRF == "" || i.VRF == sel.vrf())
}

// narrow tells whether some peers only are selected: interfaces without any of them are left out.
func (sel *Select) narrow() bool {
	return sel.Peer.IsValid() || sel.Tunnel.IsValid() || sel.Network.IsValid() || sel.Static
}

// tunnels are NHRP's interfaces that are selected, each with the peers that are.
func (s *Status) tunnels(sel *Select) (out []nhrp.InterfaceStatus) {
	var behind map[peerName]bool
	if sel.Tunnel.IsValid() || sel.Network.IsValid() {
		behind = s.behind(sel)
	}
	for _, i := range s.Router.NHRP.Interfaces {
		if !sel.wantsTunnel(&i) {
			continue
		}
		if sel.narrow() {
			all := i.Peers
			i.Peers = nil
			for _, p := range all {
				if sel.wantsPeer(i.Name, &p, behind) {
					i.Peers = append(i.Peers, p)
				}
			}
			if len(i.Peers) == 0 {
				continue
			}
		}
		out = append(out, i)
	}
	return out
}

// wantsPeer tells whether a peer of an interface is selected. behind has those that NHRP knows what is wanted behind.
func (sel *Select) wantsPeer(iface string, p *nhrp.PeerStatus, behind map[peerName]bool) bool {
	switch {
	case sel.Static && !p.Static, sel.Peer.IsValid() && p.NBMA != sel.Peer:
		return false
	case !sel.Tunnel.IsValid() && !sel.Network.IsValid():
		return true
	case sel.Tunnel.IsValid() && !sel.Network.IsValid() && p.Tunnel == sel.Tunnel:
		return true
	}
	return p.NBMA.IsValid() && behind[peerName{iface, p.NBMA, p.Inside}]
}

// peerName is how NHRP names a peer of an interface.
type peerName struct {
	iface        string
	nbma, inside netip.Addr
}

// behind are the peers that NHRP knows what is selected behind.
func (s *Status) behind(sel *Select) map[peerName]bool {
	out := make(map[peerName]bool)
	for k := range s.Router.NHRP.Entries {
		e := &s.Router.NHRP.Entries[k]
		if e.NBMA.IsValid() && (!sel.Tunnel.IsValid() || e.NextHop == sel.Tunnel) && (!sel.Network.IsValid() || covers(sel.Network, e.Prefix)) {
			out[peerName{e.Iface, e.NBMA, e.Inside}] = true
		}
	}
	return out
}

// byPeer are NHRP's entries by the peer that they lead to.
func (s *Status) byPeer() map[peerName][]*nhrp.EntryStatus {
	out := make(map[peerName][]*nhrp.EntryStatus)
	for k := range s.Router.NHRP.Entries {
		if e := &s.Router.NHRP.Entries[k]; e.NBMA.IsValid() {
			n := peerName{e.Iface, e.NBMA, e.Inside}
			out[n] = append(out[n], e)
		}
	}
	return out
}

// covers tells whether a prefix is selected by another: one address selects what it is in, a network what is inside.
func covers(selected, p netip.Prefix) bool {
	if selected.IsSingleIP() {
		return p.Contains(selected.Addr())
	}
	return selected.Bits() <= p.Bits() && selected.Contains(p.Addr())
}

// cache are the entries of NHRP that are selected, in order.
func (s *Status) cache(sel *Select) (out []nhrp.EntryStatus) {
	there := make(map[string]bool)
	for k := range s.Router.NHRP.Interfaces {
		if i := &s.Router.NHRP.Interfaces[k]; sel.wantsTunnel(i) {
			there[i.Name] = true
		}
	}
	for _, e := range s.Router.NHRP.Entries {
		local := e.Flags&nhrp.FlagLocal != 0
		if !there[e.Iface] || sel.Type != "" && e.Type.String() != sel.Type || sel.Local && !local || sel.Network.IsValid() && !covers(sel.Network, e.Prefix) {
			continue
		}
		out = append(out, e)
	}
	return out
}

package show

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"nave/fastpath"
	"nave/fastpath/fib"
	"nave/slowpath/dmvpn"
	"nave/slowpath/ike"
	"nave/slowpath/nhrp"
	"nave/slowpath/rib"
)

// Ask is a packet that `explain` is asked about. What is zero is chosen by Complete, or by the box.
type Ask struct {
	Src     netip.Addr `json:"source"`
	Dst     netip.Addr `json:"destination"`
	VRF     string     `json:"vrf,omitempty"`
	In      string     `json:"in,omitempty"`  // the interface that it comes in by; "": the one by which packets go to Src
	Box     bool       `json:"box,omitempty"` // this box sends it
	Proto   uint8      `json:"protocol"`
	SrcPort uint16     `json:"source_port,omitempty"`
	DstPort uint16     `json:"destination_port,omitempty"`
	Size    int        `json:"size,omitempty"` // of the IPv4 packet, bytes
	TTL     uint8      `json:"ttl"`
	TOS     uint8      `json:"tos,omitempty"`
	DF      bool       `json:"df,omitempty"`
	Labels  []uint32   `json:"labels,omitempty"` // that it comes with, outermost first
}

// Limits of what can be asked.
const (
	DefaultAskSize = 100
	MostAskLabels  = 8
)

// Check tells what is wrong with a question.
func (a *Ask) Check() error {
	switch {
	case !a.Src.Is4() || !a.Dst.Is4():
		return fmt.Errorf("explain: from %s to %s: want two IPv4 addresses", a.Src, a.Dst)
	case a.Box && a.In != "":
		return errors.New("explain: a packet of this box comes in by no interface; leave out `box` or `in`")
	case a.Box && len(a.Labels) > 0:
		return errors.New("explain: a packet of this box comes without labels; leave out `box` or `label`")
	case len(a.Labels) > MostAskLabels:
		return fmt.Errorf("explain: %d labels: at most %d", len(a.Labels), MostAskLabels)
	}
	for _, l := range a.Labels {
		if l > fib.LastLabel {
			return fmt.Errorf("explain: label %d: they end at %d", l, fib.LastLabel)
		}
	}
	return nil
}

// Explanation is what would become of a packet, by the fast path's word, and what the control plane knows of the entries that it meets.
type Explanation struct {
	Time    time.Time
	Asked   Ask // with all that was left out
	Back    netip.Prefix
	BackVRF fib.VRF // the route that says where the packet comes in; the zero Prefix: it was asked for so, or its source is ours
	Chosen  bool    // the label is one of ours for the VRF: packets from there come with it
	Packet  fastpath.Explanation

	Ports   map[fib.PortID]string
	Tunnels map[fib.TunnelID]string
	VRFs    map[fib.VRF]string // the global table is not among them
	BGPAS   uint32
	Profile string // of the hardware that is emulated

	Routes   []ExplainedRoute // of each look
	Labels   []rib.LabelEntry // of those labels that are known
	NHRP     []nhrp.EntryStatus
	Sessions []dmvpn.SessionStatus
	IKE      []ike.SAStatus
}

// ExplainedRoute is what the RIB knows of a route that was looked up.
type ExplainedRoute struct {
	Known bool // there is a route of a protocol
	Route rib.Route
	Hop   netip.Addr // next hop of the way that is taken; zero: the destination is on the link, or there is none
	Iface string
}

// ErrExplainOrigin says that nothing tells where a packet comes in.
func ErrExplainOrigin(src netip.Addr, table string, null netip.Prefix) error {
	why := "there is no route back to " + src.String()
	if null.IsValid() {
		why = "the route back to " + src.String() + ", " + null.String() + ", leads out by no interface"
	}
	return fmt.Errorf("%s in the %s, so it is not known where its packets come in; say `in INTERFACE`", why, table)
}

// ErrExplainInterface says that no packet comes in by an interface.
func ErrExplainInterface(name string) error {
	return fmt.Errorf("no packet comes in by %s: it is down, or neither a port nor a tunnel; `show interfaces` tells", name)
}

// ErrExplainFault says that nave has a fault, and where.
func ErrExplainFault(what any, calls []string) error {
	return fmt.Errorf("explain: this question meets a fault of nave (%v); nothing has changed by it. Please report it, with this:\n%s", what, strings.Join(calls, "\n"))
}

// table is what operators call a VRF.
func (x *Explanation) table(id fib.VRF) string {
	if id == fib.Global {
		return "global table"
	}
	if name := x.VRFs[id]; name != "" {
		return "table of VRF " + name
	}
	return fmt.Sprintf("table of VRF number %d", id)
}

// iface is the name of an interface.
func (x *Explanation) iface(p fib.PortID, t fib.TunnelID) string {
	if t != 0 {
		if name := x.Tunnels[t]; name != "" {
			return name
		}
		return fmt.Sprintf("tunnel number %d", t)
	}
	if name := x.Ports[p]; name != "" {
		return name
	}
	return fmt.Sprintf("port number %d", p)
}

// entry is what NHRP knows of an address on a tunnel: the entry of the longest prefix; nil: nothing.
func (x *Explanation) entry(iface string, a netip.Addr) (best *nhrp.EntryStatus) {
	for i := range x.NHRP {
		e := &x.NHRP[i]
		if e.Iface == iface && e.Prefix.Contains(a) && (best == nil || e.Prefix.Bits() > best.Prefix.Bits()) {
			best = e
		}
	}
	return best
}

// session is the session with a peer of a tunnel; nil: there is none.
func (x *Explanation) session(w *fastpath.Way) *dmvpn.SessionStatus {
	name, peer := x.iface(w.Port, w.Tunnel), w.Peer
	if e := x.entry(name, x.target(w)); !peer.IsValid() && e != nil {
		peer = e.NBMA // that is not installed yet
	}
	var found *dmvpn.SessionStatus
	for i := range x.Sessions {
		s := &x.Sessions[i]
		for _, c := range s.Children {
			if len(w.Seals) > 0 && (c.ESPOut == w.Seals[0].ID || c.AHOut == w.Seals[0].ID) {
				return s
			}
		}
		for _, t := range s.Ifaces {
			if t == name && s.Peer == peer && found == nil {
				found = s
			}
		}
	}
	return found
}

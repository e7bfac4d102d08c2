package show

import (
	"log/slog"

	"nave/slowpath"
	"nave/slowpath/bgp"
	"nave/slowpath/dmvpn"
	"nave/slowpath/eigrp"
	"nave/slowpath/ike"
	"nave/slowpath/ldp"
	"nave/slowpath/nhrp"
)

// LogFields are the parts of an event, for programs that read the log. Keys and other secrets are in no event.
func LogFields(e slowpath.Event) []slog.Attr {
	f := attrs{slog.String("event", e.About())}
	switch l := e.(type) {
	case nhrp.Log:
		f.nhrp(l)
	case ike.Log:
		f[0] = slog.String("event", "ike "+l.Kind.String())
		f.ike(&l)
	case HardwareLog:
		return l.Fields()
	case dmvpn.Log:
		f.session(&l)
	case WorkerLog:
		f.add(true, "worker", l.Worker)
	case ldp.Log:
		f.ldp(&l)
	case bgp.Session:
		f.add(l.VRF != "", "vrf", l.VRF)
		f.add(l.Neighbour.IsValid(), "neighbor", l.Neighbour)
		f.add(l.Reason != "", "reason", l.Reason)
	case slowpath.NoLabel:
		f.add(l.VRF != "", "vrf", l.VRF)
		f.add(l.Prefix.IsValid(), "prefix", l.Prefix)
	case slowpath.EIGRPLog:
		f.eigrp(&l)
	}
	return f
}

// attrs collects what there is of an event.
type attrs []slog.Attr

func (f *attrs) add(has bool, key string, value any) {
	if has {
		*f = append(*f, slog.Any(key, value))
	}
}

func (f *attrs) nhrp(l nhrp.Log) {
	f.add(l.Iface != "", "interface", l.Iface)
	f.add(l.Protocol.IsValid(), "address", l.Protocol)
	f.add(l.NBMA.IsValid(), "nbma", l.NBMA)
	f.add(l.Code != 0, "code", l.Code)
	f.add(l.Count != 0, "count", l.Count)
}

func (f *attrs) ike(l *ike.Log) {
	f.add(l.Version != 0, "version", l.Version)
	f.add(l.Path.Local.IsValid(), "local", l.Path.Local)
	f.add(l.Path.Remote.IsValid(), "peer", l.Path.Remote)
	f.add(l.SA != 0, "ike_sa", l.SA)
	f.add(l.Child != 0, "child", l.Child)
	f.add(l.Peer.Kind != ike.IDNone, "identity", l.Peer.String())
	f.add(l.Why != ike.WhyNone, "reason", l.Why.String())
	f.add(l.Code != 0, "notify", l.Code)
}

func (f *attrs) session(l *dmvpn.Log) {
	f.add(l.Profile != "", "profile", l.Profile)
	f.add(len(l.Ifaces) > 0, "interfaces", l.Ifaces)
	f.add(l.Local.IsValid(), "local", l.Local)
	f.add(l.Peer.IsValid(), "peer", l.Peer)
	f.add(l.Identity.Kind != ike.IDNone, "identity", l.Identity.String())
	f.add(l.Why != ike.WhyNone, "reason", l.Why.String())
}

func (f *attrs) ldp(l *ldp.Log) {
	f.add(l.Neighbor != (ldp.ID{}), "neighbor", l.Neighbor)
	f.add(l.Iface != "", "interface", l.Iface)
	f.add(l.Address.IsValid(), "address", l.Address)
	f.add(l.Prefix.IsValid(), "prefix", l.Prefix)
	f.add(l.Code != 0, "status", l.Code)
	f.add(l.Code != 0, "received", l.Received)
	f.add(l.Count != 0, "count", l.Count)
}

func (f *attrs) eigrp(l *slowpath.EIGRPLog) {
	f.add(true, "as", l.AS)
	f.add(l.VRF != "", "vrf", l.VRF)
	f.add(l.Name != "", "process", l.Name)
	f.add(l.Iface != "", "interface", l.Iface)
	f.add(l.Neighbor.IsValid(), "neighbor", l.Neighbor)
	f.add(l.Prefix.IsValid(), "prefix", l.Prefix)
	f.add(l.Kind == eigrp.LogNeighborDown, "reason", l.Reason)
}

package bgp

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/osrg/gobgp/v4/api"
	"github.com/osrg/gobgp/v4/pkg/apiutil"
	"github.com/osrg/gobgp/v4/pkg/packet/bgp"
	"google.golang.org/protobuf/proto"

	"nave/slowpath/bgp/bgpmsg"
)

// State is a session's state (RFC 4271 section 8.2.2).
type State uint8

// States.
const (
	Idle State = iota + 1
	Connect
	Active
	OpenSent
	OpenConfirm
	Established
)

func (s State) String() string {
	names := []string{"", "Idle", "Connect", "Active", "OpenSent", "OpenConfirm", "Established"}
	if int(s) < len(names) {
		return names[s]
	}
	return fmt.Sprintf("State(%d)", uint8(s))
}

// Status is what BGP does, for `show`.
type Status struct {
	AS         uint32
	RouterID   netip.Addr
	ClusterID  netip.Addr
	Neighbours []NeighbourStatus // by VRF, then address
	VRFs       []VRFStatus
	Labels     int    // of ours for prefixes of others, and those that wait to be released
	Strangers  uint64 // connections of no neighbour
	Unlabelled uint64 // routes that there was no label for
	Version    uint64 // grows with every best path that is new, another, or gone
}

// VRFStatus is a VRF with the number of its routes.
type VRFStatus struct {
	Name           string
	RD             RD
	Import, Export []RouteTarget
	Imported       int // prefixes
	Learned        int // of its neighbours
	Local          int
}

// NeighbourStatus is a neighbour, with what of its configuration `show` prints.
type NeighbourStatus struct {
	VRF               string
	Address           netip.Addr
	Description       string
	RemoteAS, LocalAS uint32
	External          bool
	Dynamic           bool // out of a range
	Client            bool
	Passive           bool
	RouterID          netip.Addr // the neighbour's; the zero Addr: never heard of
	State             State
	Shutdown          bool // `neighbor shutdown`, or no family is activated
	OverLimit         bool // more prefixes than maximum-prefix; until `clear ip bgp`
	Since             time.Time
	Local             netip.AddrPort // of the connection, or of the last
	Remote            netip.AddrPort
	UpdateSource      netip.Addr
	Hold, Keepalive   time.Duration // negotiated while established, else configured
	Sent, Received    Messages
	QueuedOut         uint32
	Flaps             uint64 // times that an established session ended
	LastReset         string
	LastDial          string // why the last try to connect failed
	LastDialAt        time.Time
	Signed            bool // with a password
	Capabilities      []Capability
	Families          []FamilyStatus
	TCP               *TCP // what the kernel says of the connection; nil while there is none. Only Neighbour fills it in
}

// Messages counts messages by type.
type Messages struct{ Opens, Updates, Notifications, Keepalives, Refreshes, Total uint64 }

// Capability is one that either side has (RFC 5492), by the name of its kind.
type Capability struct {
	Name                 string
	Family               Family // of "multiprotocol", where it is one that a session can carry here
	Advertised, Received bool
}

// FamilyStatus is a family of a session.
type FamilyStatus struct {
	Activation
	// Received and Accepted are prefixes that the neighbour sent and those that the policies let in; Advertised those sent to it, which
	// takes a walk through the table: only Neighbour fills it in.
	Received, Accepted, Advertised uint64
}

// Status tells what BGP does.
func (s *Speaker) Status() (Status, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := Status{AS: s.cfg.AS, RouterID: s.cfg.RouterID, ClusterID: orDefault(s.cfg.ClusterID, s.cfg.RouterID), Strangers: s.stranger, Unlabelled: s.unlabelled, Version: s.version}
	s.swaps.mu.Lock()
	st.Labels = len(s.swaps.m)
	s.swaps.mu.Unlock()
	for _, v := range s.vrfs {
		n := 0
		for k := range s.locals {
			if k.VRF == v.Name {
				n++
			}
		}
		st.VRFs = append(st.VRFs, VRFStatus{v.Name, v.RD, v.Import, v.Export, len(v.imports), len(v.learned), n})
	}
	slices.SortFunc(st.VRFs, func(a, b VRFStatus) int { return cmp.Compare(a.Name, b.Name) })
	var errs []error
	for _, in := range s.instances {
		errs = append(errs, in.neighbours("", false, func(n NeighbourStatus) { st.Neighbours = append(st.Neighbours, n) }))
	}
	slices.SortFunc(st.Neighbours, func(a, b NeighbourStatus) int {
		return cmp.Or(cmp.Compare(a.VRF, b.VRF), a.Address.Compare(b.Address))
	})
	return st, errors.Join(errs...)
}

// Neighbour is one neighbour's status, with all its counts.
func (s *Speaker) Neighbour(vrf string, a netip.Addr) (NeighbourStatus, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out NeighbourStatus
	in, l, err := s.find(vrf, a)
	if err != nil {
		return out, err
	}
	return out, in.neighbours(l.alias.String(), true, func(n NeighbourStatus) { out = n })
}

func (s *Speaker) find(vrf string, a netip.Addr) (*instance, *link, error) {
	in := s.instances[vrf]
	if in == nil || in.links[a] == nil {
		return nil, nil, fmt.Errorf("bgp: no neighbor %s%s", a, inVRF(vrf))
	}
	return in, in.links[a], nil
}

// neighbours reports an instance's neighbours. The caller holds the speaker's lock.
func (in *instance) neighbours(alias string, all bool, f func(NeighbourStatus)) error {
	return in.srv.ListPeer(context.Background(), &api.ListPeerRequest{Address: alias, EnableAdvertised: all}, func(p *api.Peer) {
		a, err := netip.ParseAddr(p.GetState().GetNeighborAddress())
		if err != nil {
			return
		}
		if l := in.byName[a]; l != nil && in.links[l.addr] == l {
			n := l.status(p)
			if all {
				n.TCP = l.tcp()
			}
			f(n)
		}
	})
}

func (l *link) status(p *api.Peer) NeighbourStatus {
	cfg, st := l.config(), p.GetState()
	n := NeighbourStatus{
		VRF: l.in.vrf, Address: l.addr, Description: cfg.Description, RemoteAS: cfg.RemoteAS, LocalAS: l.s.cfg.AS, External: cfg.external,
		Dynamic: l.template != nil, Client: cfg.Client, Passive: cfg.Passive, UpdateSource: cfg.UpdateSource, Signed: cfg.Password != "",
		Since: l.peer.since, Flaps: l.peer.flaps, LastReset: l.peer.reason, QueuedOut: st.GetOutQ(),
		Sent: l.peer.sent.plus(st.GetMessages().GetSent()), Received: l.peer.received.plus(st.GetMessages().GetReceived()),
		OverLimit: st.GetAdminState() == api.PeerState_ADMIN_STATE_PFX_CT, Shutdown: cfg.Shutdown,
		Capabilities: capabilities(st.GetLocalCap(), st.GetRemoteCap()),
	}
	n.RouterID, _ = netip.ParseAddr(st.GetRouterId())
	n.State = State(st.GetSessionState())
	l.mu.Lock()
	if n.State == Active && l.dial == dialling {
		n.State = Connect
	}
	if l.outer != nil {
		n.Local, n.Remote = addrPort(l.outer.LocalAddr()), addrPort(l.outer.RemoteAddr())
	}
	n.LastDial, n.LastDialAt = l.peer.dialErr, l.peer.dialAt
	l.mu.Unlock()
	n.Hold = orDefault(cfg.Hold, defaultHold)
	n.Keepalive = orDefault(cfg.Keepalive, n.Hold/3)
	if t := p.GetTimers().GetState(); n.State == Established && t.GetNegotiatedHoldTime() > 0 {
		n.Hold, n.Keepalive = time.Duration(t.NegotiatedHoldTime)*time.Second, time.Duration(t.KeepaliveInterval)*time.Second
	}
	for _, a := range cfg.Families {
		f := FamilyStatus{Activation: a}
		for _, x := range p.GetAfiSafis() {
			if proto.Equal(x.GetConfig().GetFamily(), apiFamily(a.Family)) {
				f.Received, f.Accepted, f.Advertised = x.GetState().GetReceived(), x.GetState().GetAccepted(), x.GetState().GetAdvertised()
			}
		}
		n.Families = append(n.Families, f)
	}
	return n
}

func addrPort(a interface{ String() string }) netip.AddrPort {
	p, _ := netip.ParseAddrPort(a.String())
	return netip.AddrPortFrom(p.Addr().Unmap(), p.Port())
}

func (a Messages) plus(m *api.Message) Messages {
	return Messages{
		a.Opens + m.GetOpen(), a.Updates + m.GetUpdate(), a.Notifications + m.GetNotification(), a.Keepalives + m.GetKeepalive(), a.Refreshes + m.GetRefresh(), a.Total + m.GetTotal(),
	}
}

func capabilities(local, remote []*api.Capability) []Capability {
	var out []Capability
	note := func(cs []*api.Capability, mark func(*Capability)) {
		native, err := apiutil.UnmarshalCapabilities(cs)
		if err != nil {
			return
		}
		for _, c := range native {
			name, fam := c.Code().String(), Family(0)
			if mp, ok := c.(*bgp.CapMultiProtocol); ok {
				k := slices.IndexFunc(families, func(f Family) bool { return goFamily(f) == mp.CapValue })
				if k >= 0 {
					fam = families[k]
				} else {
					name += " " + mp.CapValue.String()
				}
			}
			i := slices.IndexFunc(out, func(x Capability) bool { return x.Name == name && x.Family == fam })
			if i < 0 {
				i = len(out)
				out = append(out, Capability{Name: name, Family: fam})
			}
			mark(&out[i])
		}
	}
	note(local, func(c *Capability) { c.Advertised = true })
	note(remote, func(c *Capability) { c.Received = true })
	return out
}

// PathStatus is a path of a table, for `show ip bgp` and `show ip bgp vpnv4`.
type PathStatus struct {
	RD          RD
	Prefix      netip.Prefix
	VRF         string // our own: the VRF that it is of
	Best        bool
	Stale       bool // kept while its neighbour restarts
	Own         bool
	Imported    bool // into this VRF
	NextHop     netip.Addr
	Labels      []uint32 // as received; of our own: our label
	OurLabel    uint32   // what those who use our next hop are told; 0: none
	Metric      uint32
	LocalPref   uint32
	ASPath      []uint32
	Origin      Origin
	Communities []uint32
	Extended    []RouteTarget // all extended communities
	Originator  netip.Addr    // router ID
	Neighbour   netip.Addr
	External    bool
	Since       time.Time
}

// Paths are all paths of a family of the global table, or of a VRF's neighbours and what is imported for them (IPv4Unicast).
func (s *Speaker) Paths(vrf string, f Family) ([]PathStatus, error) {
	return s.paths(vrf, apiutil.ListPathRequest{TableType: api.TableType_TABLE_TYPE_GLOBAL, Family: goFamily(f)}, nil)
}

// ReceivedFrom are the paths that a neighbour sent, before the policies.
func (s *Speaker) ReceivedFrom(vrf string, a netip.Addr, f Family) ([]PathStatus, error) {
	return s.pathsOf(vrf, a, f, api.TableType_TABLE_TYPE_ADJ_IN)
}

// AdvertisedTo are the paths that a neighbour is sent, with next hops and labels as it sees them.
func (s *Speaker) AdvertisedTo(vrf string, a netip.Addr, f Family) ([]PathStatus, error) {
	return s.pathsOf(vrf, a, f, api.TableType_TABLE_TYPE_ADJ_OUT)
}

func (s *Speaker) pathsOf(vrf string, a netip.Addr, f Family, t api.TableType) ([]PathStatus, error) {
	s.mu.Lock()
	_, l, err := s.find(vrf, a)
	s.mu.Unlock()
	if err != nil {
		return nil, err
	}
	req := apiutil.ListPathRequest{TableType: t, Name: l.alias.String(), Family: goFamily(f)}
	if t == api.TableType_TABLE_TYPE_ADJ_IN {
		return s.paths(vrf, req, nil)
	}
	return s.paths(vrf, req, l.rules.Load())
}

func (s *Speaker) paths(vrf string, req apiutil.ListPathRequest, out *bgpmsg.Rules) ([]PathStatus, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	in := s.instances[vrf]
	if in == nil {
		return nil, fmt.Errorf("bgp: not running%s", inVRF(vrf))
	}
	var ps []PathStatus
	err := in.srv.ListPath(req, func(_ bgp.NLRI, list []*apiutil.Path) {
		for _, g := range list {
			if p, ok := in.readPath(g); ok {
				ps = append(ps, s.pathStatus(p, g, out))
			}
		}
	})
	slices.SortStableFunc(ps, func(a, b PathStatus) int {
		return cmp.Or(cmp.Compare(a.RD, b.RD), a.Prefix.Addr().Compare(b.Prefix.Addr()), cmp.Compare(a.Prefix.Bits(), b.Prefix.Bits()))
	})
	return ps, err
}

func (s *Speaker) pathStatus(p *path, g *apiutil.Path, out *bgpmsg.Rules) PathStatus {
	st := PathStatus{
		RD: p.rd, Prefix: p.prefix, Best: g.Best, Stale: g.Stale, Own: p.own(), NextHop: p.nextHop, Labels: p.labels, Metric: p.med, LocalPref: p.localPref,
		ASPath: p.asPath, Origin: p.origin, Communities: p.communities, Extended: p.targets, Originator: p.routerID, Neighbour: p.neighbour,
		External: p.external, Since: time.Unix(g.Age, 0),
	}
	s.swaps.mu.Lock()
	if e := s.swaps.m[LabelFor{RD: p.rd, Prefix: p.prefix}]; e != nil && e.ready && p.rd != 0 {
		st.OurLabel = e.label
	}
	s.swaps.mu.Unlock()
	if st.Own {
		st.VRF = s.owners[p.key()]
	}
	if p.neighbour == importHop {
		st.Imported, st.Neighbour = true, netip.Addr{}
	}
	if out != nil {
		fam := bgpmsg.IPv4
		if p.rd != 0 {
			fam = bgpmsg.VPNv4
			if !p.prefix.Addr().Is4() {
				fam = bgpmsg.VPNv6
			}
		}
		hop := out.HopOf(fam, p.nextHop)
		st.NextHop = orDefault(hop.Address, p.nextHop)
		if hop.Swap && st.OurLabel != 0 {
			st.Labels = []uint32{st.OurLabel}
		}
	} else if st.NextHop == ownHop || st.NextHop == innerAddr {
		st.NextHop = netip.IPv4Unspecified()
	}
	return st
}

// Clear is `clear ip bgp`.
type Clear struct {
	VRF       string
	Neighbour netip.Addr // the zero Addr: all (`*`)
	Soft      bool
	In, Out   bool // of Soft; neither: both
}

// Clear ends sessions, or has routes sent and looked at again. A neighbour that sent too many prefixes is let in again.
func (s *Speaker) Clear(c Clear) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	in := s.instances[c.VRF]
	if in == nil {
		return fmt.Errorf("bgp: not running%s", inVRF(c.VRF))
	}
	var errs []error
	for addr, l := range in.links {
		if c.Neighbour.IsValid() && c.Neighbour != addr {
			continue
		}
		if c.Soft {
			dir := api.ResetPeerRequest_DIRECTION_BOTH
			if c.In != c.Out {
				dir = api.ResetPeerRequest_DIRECTION_IN
				if c.Out {
					dir = api.ResetPeerRequest_DIRECTION_OUT
				}
			}
			in.soft(l, dir)
			continue
		}
		over := false
		errs = append(errs, in.neighbours(l.alias.String(), false, func(n NeighbourStatus) { over = n.OverLimit }))
		if over && !l.config().Shutdown {
			errs = append(errs, in.srv.EnablePeer(context.Background(), &api.EnablePeerRequest{Address: l.alias.String()}))
			continue
		}
		errs = append(errs, in.srv.ResetPeer(context.Background(), &api.ResetPeerRequest{Address: l.alias.String()}))
	}
	if c.Neighbour.IsValid() && in.links[c.Neighbour] == nil {
		errs = append(errs, fmt.Errorf("bgp: no neighbor %s%s", c.Neighbour, inVRF(c.VRF)))
	}
	return errors.Join(errs...)
}

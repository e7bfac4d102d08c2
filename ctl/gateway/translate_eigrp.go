package gateway

import (
	"fmt"
	"net/netip"
	"slices"
	"time"

	"nave/ctl/config"
	"nave/fastpath/fib"
	"nave/slowpath"
	"nave/slowpath/eigrp"
)

// eigrpTranslation makes one process of one address family. What can't be carried out and would let a packet or a route through that may not pass is carried out in the way that
// lets none pass.
type eigrpTranslation struct {
	*translation
	e   *config.EIGRP
	f   *config.EIGRPFamily
	vrf fib.VRF
	out slowpath.EIGRP
	// filtered says that functions were made, which say what the lists and maps of the configuration say.
	filtered bool
}

// eigrp follows the interfaces, whose addresses it uses.
func (t *translation) eigrp() {
	ids := make(map[slowpath.EIGRPKey]netip.Addr)
	for _, e := range t.tree.EIGRP {
		for _, f := range e.Families {
			x := &eigrpTranslation{translation: t, e: e, f: f}
			if x.family(ids) {
				t.out.EIGRP = append(t.out.EIGRP, x.out)
			}
		}
	}
	t.numbers.eigrp = ids
}

// name is the process and the family, as problems name it.
func (x *eigrpTranslation) name() string {
	what := fmt.Sprintf("router eigrp %d", x.e.AS)
	if x.e.Name != "" {
		what = fmt.Sprintf("router eigrp %s: address-family ipv4", x.e.Name)
	}
	if x.f.VRF != "" {
		if x.e.Name == "" {
			what += ": address-family ipv4"
		}
		what += " vrf " + x.f.VRF
	}
	if x.e.Name != "" {
		what += fmt.Sprintf(" autonomous-system %d", x.f.AS)
	}
	return what
}

// wrong reports a problem with a line of the family.
func (x *eigrpTranslation) wrong(line, why string) {
	what := x.name()
	if line != "" {
		what += ": " + line
	}
	x.problem(what, why)
}

// family is false where there is no process to run.
func (x *eigrpTranslation) family(ids map[slowpath.EIGRPKey]netip.Addr) bool {
	var ok bool
	f := x.f
	switch x.vrf, ok = x.vrfNumber(f.VRF); {
	case x.e.Shutdown || f.Shutdown:
		return false
	case f.VRF != "" && x.tree.VRF(f.VRF) == nil:
		x.wrong("", "VRF "+f.VRF+" is not defined, and EIGRP does not run there: say `ip vrf "+f.VRF+"`")
		return false
	case !ok:
		return false // it is a problem already
	case f.AS == 0:
		x.wrong("", "the family has no AS number and does not run: say `autonomous-system NUMBER` in it")
		return false
	}
	key := slowpath.EIGRPKey{VRF: x.vrf, AS: f.AS}
	if slices.ContainsFunc(x.translation.out.EIGRP, func(o slowpath.EIGRP) bool { return o.Key == key }) {
		x.wrong("", fmt.Sprintf("EIGRP with AS %d runs in %s already: this one does not run; give it another AS number", f.AS, table(f.VRF)))
		return false
	}
	id := f.RouterID
	if !id.IsValid() {
		ids[key] = x.routerID(x.vrf, x.numbers.eigrp[key])
		id = ids[key]
	}
	if !id.Is4() || id.IsUnspecified() {
		if len(f.Networks) > 0 {
			x.wrong("", "EIGRP has no router ID and stays down: say `eigrp router-id A.B.C.D`, or give an interface of "+table(f.VRF)+" an address; a loopback with one is best")
		}
		return false
	}
	x.out = slowpath.EIGRP{Key: key, Name: x.e.Name, Quiet: !f.LogChanges.Or(true), NoWarnings: !f.LogWarnings.Or(true)}
	x.out.Run = eigrp.Config{
		AS: f.AS, RouterID: id, Wide: x.e.Name != "", Variance: f.Variance, MaximumPaths: f.MaximumPaths, MaximumHops: f.MaximumHops,
		Internal: f.DistanceInternal, External: f.DistanceExternal, ActiveTime: f.ActiveTime, ActiveDisabled: f.ActiveDisabled, AutoSummary: f.AutoSummary.Or(false),
	}
	x.weights()
	x.interfaces()
	x.stub()
	x.distribute()
	x.redistributed()
	if x.filtered {
		x.out.Policy = x.fingerprint()
	}
	return true
}

// routerID is the identifier of a protocol in a table where none is configured: the highest loopback address, else the highest address. While it is configured anywhere in the table
// it stays, whatever goes up or down, as all neighbours are lost when it changes.
func (t *translation) routerID(vrf fib.VRF, current netip.Addr) netip.Addr {
	var loopback, any netip.Addr
	for k := range t.out.Interfaces {
		i := &t.out.Interfaces[k]
		if i.VRF != vrf {
			continue
		}
		for _, p := range i.Addrs {
			a := p.Addr()
			if a == current {
				return a
			}
			if c := t.find(i.Name); c != nil && c.IsLoopback() && i.Up && a.Compare(loopback) > 0 {
				loopback = a
			}
			if a.Compare(any) > 0 {
				any = a
			}
		}
	}
	if loopback.IsValid() {
		return loopback
	}
	return any
}

// weights are the constants of the metric. All zero means the defaults to the protocol, so that is no set to ask for.
func (x *eigrpTranslation) weights() {
	w := x.f.Weights
	if len(w) == 0 {
		return
	}
	for k, v := range w[1:] {
		x.out.Run.K[k] = uint8(v)
	}
	if w[0] != 0 {
		x.wrong("metric weights", "there is one type of service, 0: the constants count for that")
	}
	if x.out.Run.K == [6]uint8{} {
		x.wrong("metric weights", "with all constants 0 all routes are alike: the defaults, 0 1 0 1 0 0, are in use")
	}
}

// interfaces are those of the table that `network` covers: those with an address, primary or not, that is within.
func (x *eigrpTranslation) interfaces() {
	for k := range x.translation.out.Interfaces {
		in := &x.translation.out.Interfaces[k]
		if in.VRF != x.vrf {
			continue
		}
		c := x.find(in.Name)
		if c == nil {
			continue
		}
		var told []netip.Prefix
		for _, p := range in.Addrs {
			if x.f.Covers(p.Addr()) {
				told = append(told, p.Masked())
			}
		}
		if len(told) == 0 {
			continue
		}
		if len(told) == len(in.Addrs) {
			told = nil
		}
		if to, ok := x.iface(c, told); ok {
			x.out.Run.Interfaces = append(x.out.Run.Interfaces, to)
		}
	}
	for _, n := range x.f.Neighbors {
		if !slices.ContainsFunc(x.out.Run.Interfaces, func(i eigrp.Interface) bool { return i.Name == n.Interface }) {
			x.wrong("neighbor "+n.Addr.String()+" "+n.Interface, "EIGRP does not run on that interface: no `network` is about an address that it has in "+table(x.f.VRF))
		}
	}
}

// iface is one interface; told are the subnets of it that neighbours hear of, nil for all.
func (x *eigrpTranslation) iface(c *config.Interface, told []netip.Prefix) (eigrp.Interface, bool) {
	s := x.e.Settings(x.f, c)
	if s.Shutdown.Or(false) {
		return eigrp.Interface{}, false
	}
	where := "interface " + c.Name
	if x.e.Name != "" {
		where = x.name() + ": af-interface " + c.Name
	}
	out := eigrp.Interface{
		Name: c.Name, Subnets: told, NoSplitHorizon: !s.SplitHorizon.Or(true), NoNextHopSelf: !s.NextHopSelf.Or(true), Hello: s.Hello, Hold: s.Hold,
		BandwidthPercent: s.BandwidthPercent, Auth: x.auth(where, &s),
		// A loopback has no neighbour but itself.
		Passive: s.Passive.Or(false) || c.IsLoopback(),
	}
	for _, n := range x.f.Neighbors {
		if n.Interface == c.Name {
			out.Neighbors = append(out.Neighbors, n.Addr)
		}
	}
	if len(out.Neighbors) > 0 && out.Passive && !c.IsLoopback() {
		x.wrong("neighbor "+out.Neighbors[0].String()+" "+c.Name, "the interface is passive: it has no neighbours, not by unicast either")
	}
	for _, m := range s.Summaries {
		to := eigrp.Summary{Prefix: m.Prefix, Distance: m.Distance}
		if m.LeakMap != "" {
			leak := x.leak(m.LeakMap)
			to.Leak = func(p netip.Prefix) bool { return leak(p, c.Name) }
		}
		out.Summaries = append(out.Summaries, to)
	}
	return out, true
}

// auth is the authentication of an interface. A mode whose keys are missing lets nothing pass.
func (x *eigrpTranslation) auth(where string, s *config.EIGRPInterface) (out eigrp.Auth) {
	switch s.AuthMode {
	case "":
		if s.KeyChain != "" {
			x.problem(where+": authentication key-chain "+s.KeyChain, "it has no effect without `authentication mode`: packets are not authenticated")
		}
		return out
	case "md5":
		out.Mode = eigrp.AuthMD5
	default:
		out.Mode = eigrp.AuthSHA256
	}
	const silent = ": EIGRP has no neighbours there, and sends nothing"
	switch chain := x.keyChain(s.KeyChain); {
	case s.KeyChain == "" && s.AuthPassword != "":
		out.Keys = []eigrp.Key{{Secret: eigrp.Secret(s.AuthPassword.Reveal())}}
	case s.KeyChain == "":
		x.problem(where+": authentication mode "+s.AuthMode, "no key chain is named"+silent+"; say `authentication key-chain`")
	case chain == nil:
		x.problem(where+": authentication key-chain "+s.KeyChain, "the key chain is not defined"+silent+"; say `key chain "+s.KeyChain+"`")
	default:
		for _, k := range chain.Keys {
			x.key(&out, chain, k)
		}
		if len(out.Keys) == 0 {
			x.problem(where+": authentication key-chain "+s.KeyChain, "the key chain has no key with a `key-string`"+silent)
		}
	}
	return out
}

func (t *translation) keyChain(name string) *config.KeyChain {
	k := slices.IndexFunc(t.tree.KeyChains, func(k *config.KeyChain) bool { return k.Name == name })
	if k < 0 {
		return nil
	}
	return t.tree.KeyChains[k]
}

// key adds a key of a chain, unless it has no string or nobody knows when it is good.
func (x *eigrpTranslation) key(out *eigrp.Auth, chain *config.KeyChain, k *config.Key) {
	if k.String == "" {
		return
	}
	to := eigrp.Key{ID: k.ID, Secret: eigrp.Secret(k.String.Reveal())}
	for _, l := range []struct {
		text        string
		from, until *time.Time
	}{{k.Send, &to.SendFrom, &to.SendUntil}, {k.Accept, &to.AcceptFrom, &to.AcceptUntil}} {
		life, err := config.ParseKeyLifetime(l.text)
		if err != nil {
			x.problem(fmt.Sprintf("key chain %s: key %d", chain.Name, k.ID), err.Error()+": the key is not used")
			return
		}
		*l.from, *l.until = life.In(time.Local)
	}
	out.Keys = append(out.Keys, to)
}

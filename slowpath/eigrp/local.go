package eigrp

import (
	"net/netip"
	"slices"

	"nave/slowpath/eigrp/eigrpmsg"
)

// connect brings the connected routes of an interface in line with its state.
func (m *Machine) connect(ifc *iface) {
	want := map[netip.Prefix]bool{}
	if ifc.running && !ifc.state.Unnumbered { // else the subnet is the lender's
		for _, p := range ifc.state.Addrs {
			if p = p.Masked(); !martian(p) && (ifc.cfg.Subnets == nil || slices.Contains(ifc.cfg.Subnets, p)) {
				want[p] = true
			}
		}
	}
	for _, p := range sortedPrefixes(ifc.have) {
		if !want[p] {
			path := ifc.have[p]
			delete(ifc.have, p)
			m.dropLocal(p, path)
		}
	}
	for _, p := range sortedPrefixes(want) {
		if ifc.have[p] == nil {
			path := &path{kind: fromConnected, ifc: ifc}
			ifc.have[p] = path
			m.addLocal(p, path)
		}
	}
}

// addLocal gives a prefix a path of our own.
func (m *Machine) addLocal(prefix netip.Prefix, p *path) {
	e := m.entryOf(prefix)
	e.paths = append(e.paths, p)
	m.measure(e, p)
	m.evaluate(e, nil)
}

func (m *Machine) dropLocal(prefix netip.Prefix, p *path) {
	if e := m.entries[prefix]; e != nil {
		m.fade(e, p)
		m.evaluate(e, nil)
	}
}

// localOf is a path of ours of a kind that a prefix has once.
func (m *Machine) localOf(prefix netip.Prefix, kind pathKind) (*entry, *path) {
	e := m.entries[prefix]
	if e != nil {
		for _, p := range e.paths {
			if p.kind == kind {
				return e, p
			}
		}
	}
	return e, nil
}

// setLocal is addLocal for such a path, or a change of it.
func (m *Machine) setLocal(prefix netip.Prefix, kind pathKind, v vector, ext *eigrpmsg.External) {
	e, p := m.localOf(prefix, kind)
	add := p == nil
	if add {
		p = &path{kind: kind}
	}
	if p.reported, p.external, p.ext = v, ext != nil, (eigrpmsg.External{}); ext != nil {
		p.ext = *ext
	}
	if add {
		m.addLocal(prefix, p)
		return
	}
	m.measure(e, p)
	m.evaluate(e, nil)
}

func (m *Machine) redistribute(ev Redistributed) {
	for _, p := range ev.Gone {
		p = p.Masked()
		delete(m.externals, p)
		if e, path := m.localOf(p, fromRedistribution); path != nil {
			m.fade(e, path)
			m.evaluate(e, nil)
		}
	}
	for _, r := range ev.Changed {
		if !r.Prefix.IsValid() || !r.Prefix.Addr().Is4() || martian(r.Prefix) {
			continue
		}
		r.Prefix = r.Prefix.Masked()
		m.externals[r.Prefix] = r
		if m.on {
			m.takeExternal(r)
		}
	}
}

func (m *Machine) takeExternal(r ExternalRoute) {
	v := m.scaled(r.Bandwidth, r.Delay)
	v.Reliability, v.Load, v.MTU = r.Reliability, r.Load, min(r.MTU, 1<<24-1)
	if r.HasVector {
		v = m.inward(&eigrpmsg.Route{Metric: r.Vector})
	}
	if r.Internal {
		m.setLocal(r.Prefix, fromRedistribution, v, nil)
		return
	}
	m.setLocal(r.Prefix, fromRedistribution, v, &eigrpmsg.External{
		Router: orDefault(r.Router, m.cfg.RouterID), AS: r.AS, Tag: r.Tag, Metric: r.Metric, Protocol: r.Protocol,
	})
}

package gateway

import (
	"maps"
	"slices"

	"nave/fastpath/fib"
)

// maxVRFs is how many VRFs a box can have beside the global table: as many as the fast path has numbers for by default.
const maxVRFs = 255

// vrfNumbers gives VRFs the numbers by which the fast path knows them. A number that a VRF had is given to another as late as can be: labels and packets may be under
// way that mean the old one.
type vrfNumbers struct {
	vrfs    map[string]fib.VRF
	resting []fib.VRF // of VRFs that are gone, the longest first
	before  *tablesOf // nil when all is taken over, or there was nothing
}

// tablesOf is what the fast path had before this process began.
type tablesOf struct {
	ports   []fib.Port
	tunnels []fib.Tunnel
	vrfs    map[fib.VRF]bool // all that something was in
}

// vrfClaim says that an interface that is in the VRF of a name now was in that of a number. The name of the global table is empty.
type vrfClaim struct {
	name string
	was  fib.VRF
}

func (n *vrfNumbers) inheritTables(b *fib.Batch) {
	t := &tablesOf{ports: slices.Clone(b.Ports), tunnels: slices.Clone(b.Tunnels), vrfs: make(map[fib.VRF]bool)}
	for i := range b.Ports {
		t.vrfs[b.Ports[i].VRF] = true
	}
	for i := range b.Tunnels {
		t.vrfs[b.Tunnels[i].VRF], t.vrfs[b.Tunnels[i].OuterVRF] = true, true
	}
	for i := range b.Adjacencies {
		t.vrfs[b.Adjacencies[i].VRF] = true
	}
	for i := range b.Routes {
		t.vrfs[b.Routes[i].VRF] = true
	}
	for i := range b.Labels {
		t.vrfs[b.Labels[i].VRF] = true
	}
	for i := range b.SAs {
		t.vrfs[b.SAs[i].OuterVRF] = true
	}
	n.before = t
}

func (n *vrfNumbers) isInheriting() bool { return n.before != nil }

// oldPort finds a port of before.
func (n *vrfNumbers) oldPort(mac [6]byte, vlan uint16) (fib.Port, bool) {
	k := slices.IndexFunc(n.before.ports, func(p fib.Port) bool { return p.MAC == mac && p.VLAN == vlan })
	if k < 0 {
		return fib.Port{}, false
	}
	return n.before.ports[k], true
}

// oldTunnel finds the tunnel of before with the ends and key of t. In two VRFs there may be the same addresses: there has to be just one, of the VRF outside if that is
// certain.
func (n *vrfNumbers) oldTunnel(t *fib.Tunnel, outer bool) (found fib.Tunnel, ok bool) {
	for i := range n.before.tunnels {
		if o := &n.before.tunnels[i]; sameEnds(t, o) && (!outer || o.OuterVRF == t.OuterVRF) {
			if ok {
				return fib.Tunnel{}, false
			}
			found, ok = *o, true
		}
	}
	return found, ok
}

// inheritVRFs gives VRFs the numbers of before that their interfaces tell.
func (n *vrfNumbers) inheritVRFs(claims []vrfClaim) { maps.Copy(n.vrfs, n.certain(claims)) }

// certain are the numbers of before that VRFs without one have. Only where all interfaces of a VRF tell the same one, and no interface of another VRF does, is it certain
// that what stands in the old table is this VRF's: otherwise it gets a number that was not in use, and what stands there goes.
func (n *vrfNumbers) certain(claims []vrfClaim) map[string]fib.VRF {
	numbers, names := make(map[string]map[fib.VRF]bool), make(map[fib.VRF]map[string]bool)
	for _, c := range claims {
		if numbers[c.name] == nil {
			numbers[c.name] = make(map[fib.VRF]bool)
		}
		if names[c.was] == nil {
			names[c.was] = make(map[string]bool)
		}
		numbers[c.name][c.was], names[c.was][c.name] = true, true
	}
	out := make(map[string]fib.VRF)
	for name, was := range numbers {
		if _, has := n.vrfs[name]; has || name == "" || len(was) != 1 {
			continue
		}
		for id := range was {
			if id != fib.Global && len(names[id]) == 1 && !n.isGiven(id) {
				out[name] = id
			}
		}
	}
	return out
}

func (n *vrfNumbers) isGiven(id fib.VRF) bool {
	for _, o := range n.vrfs {
		if o == id {
			return true
		}
	}
	return false
}

// keepVRFs takes the numbers of all VRFs but these back.
func (n *vrfNumbers) keepVRFs(names []string) {
	for _, name := range slices.Sorted(maps.Keys(n.vrfs)) {
		if !slices.Contains(names, name) {
			n.resting = append(n.resting, n.vrfs[name])
			delete(n.vrfs, name)
		}
	}
}

// vrf is the number of a VRF, 0 of the global table, whose name is empty. ok is false where there is none left.
func (n *vrfNumbers) vrf(name string) (id fib.VRF, ok bool) {
	if name == "" {
		return fib.Global, true
	}
	if id, ok := n.vrfs[name]; ok {
		return id, true
	}
	for id := fib.VRF(1); id <= maxVRFs; id++ {
		if n.isGiven(id) || n.before != nil && n.before.vrfs[id] || slices.Contains(n.resting, id) {
			continue
		}
		n.vrfs[name] = id
		return id, true
	}
	for k, id := range n.resting {
		if n.before == nil || !n.before.vrfs[id] {
			n.resting = slices.Delete(n.resting, k, k+1)
			n.vrfs[name] = id
			return id, true
		}
	}
	return 0, false
}

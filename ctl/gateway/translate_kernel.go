package gateway

import (
	"slices"

	"nave/ctl/config"
	"nave/fastpath/fib"
	"nave/slowpath"
)

// kernel is which tables have the routes that others put into the kernel's: those that the configuration names, and those where they are redistributed, with the distances that
// their protocols have.
func (t *translation) kernel() {
	for _, k := range t.tree.KernelImport {
		what := "ip route import kernel"
		if k.VRF != "" {
			what += " vrf " + k.VRF
		}
		vrf, ok := t.vrfNumber(k.VRF)
		if k.VRF != "" && t.tree.VRF(k.VRF) == nil || !ok {
			t.problem(what, "VRF "+k.VRF+" is not defined: nothing is imported; say `ip vrf "+k.VRF+"`")
			continue
		}
		t.imports(vrf, slowpath.KernelImport{Distance: k.Distance})
	}
	redistributed := func(name string, list []config.Redistribute) {
		vrf, ok := t.vrfNumber(name)
		if ok && (name == "" || t.tree.VRF(name) != nil) && slices.ContainsFunc(list, func(r config.Redistribute) bool { return r.Protocol == "kernel" }) {
			t.imports(vrf, slowpath.KernelImport{})
		}
	}
	for _, e := range t.tree.EIGRP {
		for _, f := range e.Families {
			redistributed(f.VRF, f.Redistribute)
		}
	}
	if t.tree.BGP != nil {
		for _, f := range t.tree.BGP.Families {
			if f.Family == "ipv4" {
				redistributed(f.VRF, f.Redistribute)
			}
		}
	}
}

// imports has a table import, unless something was said of it already.
func (t *translation) imports(vrf fib.VRF, k slowpath.KernelImport) {
	if t.out.Kernel == nil {
		t.out.Kernel = make(map[fib.VRF]slowpath.KernelImport)
	}
	if _, has := t.out.Kernel[vrf]; !has {
		t.out.Kernel[vrf] = k
	}
}

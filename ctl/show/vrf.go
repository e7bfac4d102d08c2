package show

import (
	"fmt"
	"strings"

	"nave/fastpath/fib"
	"nave/slowpath/rib"
)

// VRF is a VRF as it is configured, and its number.
type VRF struct {
	Name           string
	ID             fib.VRF // 0: it is not carried out
	Description    string
	RD             string // empty: none
	Import, Export []string
	ImportMap      string
	ExportMap      string
	PerVRF         bool   // one label for all routes
	Prefixes       int    // that routing knows anything of
	Netns          string // what `ip netns` calls its network namespace; empty where there is none
}

// UnknownVRF says that there is no VRF of a name, and which there are.
func UnknownVRF(s *Status, name string) error {
	var names []string
	for _, v := range s.VRFs {
		names = append(names, v.Name)
	}
	switch n := len(names); n {
	case 0:
		return fmt.Errorf("%% No VRF named %s; none is configured (`ip vrf NAME`)", name)
	case 1:
		return fmt.Errorf("%% No VRF named %s; there is %s", name, names[0])
	default:
		return fmt.Errorf("%% No VRF named %s; there are %s and %s", name, strings.Join(names[:n-1], ", "), names[n-1])
	}
}

// HasVRF tells whether a VRF is configured.
func (s *Status) HasVRF(name string) bool { return s.vrf(name) != nil }

func (s *Status) vrf(name string) *VRF {
	for i := range s.VRFs {
		if s.VRFs[i].Name == name {
			return &s.VRFs[i]
		}
	}
	return nil
}

// vrfName is the name of a VRF; empty for the global table. One that has no name any more is its number.
func (s *Status) vrfName(id fib.VRF) string {
	if id == fib.Global {
		return ""
	}
	for i := range s.VRFs {
		if s.VRFs[i].ID == id {
			return s.VRFs[i].Name
		}
	}
	return fmt.Sprint(id)
}

// vrfOr is the name of a VRF, or another text for the global table.
func (s *Status) vrfOr(id fib.VRF, global string) string {
	if id == fib.Global {
		return global
	}
	return s.vrfName(id)
}

// members are the interfaces of a VRF.
func (s *Status) members(v *VRF) (out []rib.Interface) {
	for _, i := range s.Router.Interfaces {
		if i.VRF == v.ID && v.ID != fib.Global {
			out = append(out, i)
		}
	}
	return out
}

func (v *VRF) rd() string {
	if v.RD == "" {
		return "<not set>"
	}
	return v.RD
}

// picked are the VRFs of a name, or all.
func (s *Status) picked(name string) (out []*VRF) {
	for i := range s.VRFs {
		if name == "" || s.VRFs[i].Name == name {
			out = append(out, &s.VRFs[i])
		}
	}
	return out
}

// IPVRF is `show ip vrf`.
func IPVRF(s *Status, name string) string {
	var b strings.Builder
	b.WriteString("  Name                             Default RD          Interfaces\n")
	for _, v := range s.picked(name) {
		lead := fmt.Sprintf("  %-32s %-19s", v.Name, v.rd())
		column(&b, lead, s.members(v), func(i *rib.Interface) string { return i.Name })
	}
	return b.String()
}

// ShowVRF is `show vrf`.
func ShowVRF(s *Status, name string) string {
	var b strings.Builder
	b.WriteString("  Name                             Default RD            Protocols   Interfaces\n")
	for _, v := range s.picked(name) {
		lead := fmt.Sprintf("  %-32s %-21s %-11s", v.Name, v.rd(), "ipv4")
		column(&b, lead, s.members(v), func(i *rib.Interface) string { return shortName(i.Name) })
	}
	return b.String()
}

// column writes a line with the first of a list in its last column, and one below for each further.
func column(b *strings.Builder, lead string, list []rib.Interface, text func(*rib.Interface) string) {
	if len(list) == 0 {
		fmt.Fprintf(b, "%s\n", strings.TrimRight(lead, " "))
	}
	for k := range list {
		if k > 0 {
			lead = strings.Repeat(" ", len(lead))
		}
		fmt.Fprintf(b, "%s %s\n", lead, text(&list[k]))
	}
}

// IPVRFDetail is `show ip vrf detail`.
func IPVRFDetail(s *Status, name string) string {
	var b strings.Builder
	for k, v := range s.picked(name) {
		if k > 0 {
			b.WriteString("\n")
		}
		id := ""
		if v.ID != 0 {
			id = fmt.Sprintf(" (VRF Id = %d)", v.ID)
		}
		fmt.Fprintf(&b, "VRF %s%s; default RD %s; default VPNID <not set>\n", v.Name, id, v.rd())
		if v.Description != "" {
			fmt.Fprintf(&b, "  Description: %s\n", v.Description)
		}
		if v.Netns != "" {
			fmt.Fprintf(&b, "  Network namespace: %s\n", v.Netns)
		}
		if list := s.members(v); len(list) == 0 {
			b.WriteString("  No interfaces\n")
		} else {
			b.WriteString("  Interfaces:\n")
			for i := range list {
				fmt.Fprintf(&b, "    %s\n", shortName(list[i].Name))
			}
		}
		fmt.Fprintf(&b, "Address family ipv4 (Table ID = %d (0x%X)):\n", v.ID, uint16(v.ID))
		b.WriteString("  Connected addresses are not in global routing table\n")
		targets(&b, "Export", v.Export)
		targets(&b, "Import", v.Import)
		routeMap(&b, "import", v.ImportMap)
		routeMap(&b, "export", v.ExportMap)
		b.WriteString("  VRF label distribution protocol: not configured\n")
		mode := "per-prefix"
		if v.PerVRF {
			mode = "per-vrf"
		}
		fmt.Fprintf(&b, "  VRF label allocation mode: %s\n", mode)
	}
	return b.String()
}

func targets(b *strings.Builder, what string, list []string) {
	if len(list) == 0 {
		fmt.Fprintf(b, "  No %s VPN route-target communities\n", what)
		return
	}
	fmt.Fprintf(b, "  %s VPN route-target communities\n", what)
	for len(list) > 0 {
		line := "   "
		for range min(3, len(list)) {
			line += fmt.Sprintf(" %-24s", "RT:"+list[0])
			list = list[1:]
		}
		fmt.Fprintf(b, "%s\n", strings.TrimRight(line, " "))
	}
}

func routeMap(b *strings.Builder, what, name string) {
	if name == "" {
		fmt.Fprintf(b, "  No %s route-map\n", what)
		return
	}
	fmt.Fprintf(b, "  %s route-map: %s\n", strings.ToUpper(what[:1])+what[1:], name)
}

// IPVRFInterfaces is `show ip vrf interfaces`.
func IPVRFInterfaces(s *Status, name string) string {
	var b strings.Builder
	b.WriteString("Interface              IP-Address      VRF                              Protocol\n")
	for _, v := range s.picked(name) {
		for _, i := range s.members(v) {
			addr, state := "unassigned", "down"
			if len(i.Addrs) > 0 {
				addr = i.Addrs[0].Addr().String()
			}
			if i.Up {
				state = "up"
			}
			fmt.Fprintf(&b, "%-22s %-15s %-32s %s\n", shortName(i.Name), addr, v.Name, state)
		}
	}
	return b.String()
}

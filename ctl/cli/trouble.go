package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"slices"

	"nave/ctl/api"
	"nave/ctl/config/grammar"
	"nave/ctl/show"
)

// troubleCommands are for finding faults: what a box has and does, in short. Options come in any order.
var troubleCommands = []*grammar.Command{
	{Syntax: "show dmvpn [{detail|static|interface <iface:interface>|vrf <vrf>|network <network:ip> <mask:mask>|peer {nbma <nbma:ip>|tunnel <tunnel:ip>|network <network:ip> <mask:mask>}}...]",
		Help: "peers of the tunnels; with detail, their servers and crypto sessions, too", Data: run(showDMVPN)},
	{Syntax: "show ip nhrp [vrf <vrf>] [{dynamic|static|incomplete|local}] [<network:ip> [<mask:mask>]] [<iface:interface>] [{detail|brief}]", Help: "the NHRP cache", Data: run(showNHRP)},
	{Syntax: "show ip nhrp summary [vrf <vrf>]", Help: "how many entries of which kind the NHRP cache has", Data: shows("ip nhrp summary", show.NHRPSummary)},
	{Syntax: "show ip nhrp traffic [{interface <iface:interface>|vrf <vrf>}...]", Help: "NHRP packets by type", Data: shows("ip nhrp traffic", show.NHRPTraffic)},
	{Syntax: "show ip nhrp nhs [{vrf <vrf>|detail}...] [<iface:interface>] [detail]", Help: "next hop servers", Data: shows("ip nhrp nhs", show.NHS)},
	{Syntax: "show crypto isakmp sa [{detail|active|peer <nbma:ip>|vrf <fvrf>}...]", Help: "IKE SAs of version 1", Data: crypto("crypto isakmp sa", show.IsakmpSA)},
	{Syntax: "show crypto isakmp policy", Help: "proposals of IKE version 1", Data: crypto("crypto isakmp policy", whole(show.IsakmpPolicy))},
	{Syntax: "show crypto ikev2 sa [{detailed|remote <nbma:ip>|fvrf <fvrf>}...]", Help: "IKE SAs of version 2", Data: crypto("crypto ikev2 sa", show.Ikev2SA)},
	{Syntax: "show crypto ipsec sa [{active|detail|interface <iface:interface>|map <map>|peer <nbma:ip>|vrf <vrf>}...]", Help: "IPsec SAs of each tunnel, with what they carried", Data: crypto("crypto ipsec sa", show.IPsecSA)},
	{Syntax: "show crypto ipsec transform-set", Help: "transform sets", Data: crypto("crypto ipsec transform-set", whole(show.TransformSets))},
	{Syntax: "show crypto map [{interface <iface:interface>|tag <map>|peer <nbma:ip>}...]", Help: "what protects each tunnel, and its peers", Data: crypto("crypto map", show.CryptoMap)},
	{Syntax: "show crypto session [{active|detail|interface <iface:interface>|remote <nbma:ip>|ivrf <vrf>|fvrf <fvrf>}...]", Help: "peers with their IKE SAs and protected flows", Data: crypto("crypto session", show.CryptoSession)},
	{Syntax: "show crypto call admission statistics", Help: "who was let in and who was not", Data: crypto("crypto call admission statistics", whole(show.CallAdmission))},
	{Syntax: "show crypto engine connections active", Help: "associations and their packets", Data: crypto("crypto engine connections active", whole(show.CryptoEngine))},
	{Syntax: "show interfaces [<iface:interface>]", Help: "interfaces, their state and traffic", Data: run(showInterfaces)},
	{Syntax: "show ip interface [<iface:interface>]", Help: "what IP has to do with each interface", Data: shows("ip interface", show.IPInterface)},
	{Syntax: "show ip interface brief [<iface:interface>]", Help: "interfaces with address and state, a line each", Data: shows("ip interface", show.IPInterfaceBrief)},
	{Syntax: "show arp [vrf <vrf>] [<address:ip>] [<iface:interface>]", Help: "own addresses, and neighbours on links", Data: run(showARP)},
	{Syntax: "show ip arp [vrf <vrf>] [<address:ip>] [<iface:interface>]", Help: "own addresses, and neighbours on links", Data: run(showARP)},
	{Syntax: "show processes", Help: "the processes of the workers", Data: shows("processes", whole(show.Processes))},
	{Syntax: "show processes cpu [sorted [{5sec|1min|5min}]]", Help: "CPU time of naved and the workers, of all CPUs together", Data: run(showCPU)},
	{Syntax: "show processes memory [sorted]", Help: "memory of naved and the workers", Data: shows("processes memory", show.ProcessesMemory)},
	{Syntax: "show version", Help: "version and uptime, and the machine", Data: shows("version", show.Version)},
	{Syntax: "show clock [detail]", Help: "the time, in UTC", Data: shows("clock", show.Clock)},
	{Syntax: "show tech-support", Help: "all that tells of faults, in one text, with keys masked", Data: tech("tech-support", show.TechSupport)},
	{Syntax: "show tech-support dmvpn", Help: "the same of tunnels, their peers and their protection", Data: tech("tech-support dmvpn", show.TechDMVPN)},
	{Syntax: "terminal show-format {legacy|modern}", Help: "print like IOS 12.2SR and 12.4 (legacy), or like 15 and IOS-XE 16 (modern), where they differ", Data: run(showFormat)},

	{Syntax: "clear dmvpn session [{peer {nbma [<nbma:ip> [inside <inside:ip>]]|tunnel <tunnel:ip>}|interface <iface:interface>|vrf <vrf>|static}...]",
		Help: "take down dynamic sessions; with static, configured ones, too", Data: clearing(api.ClearSessions)},
	{Syntax: "clear dmvpn statistics [{peer {nbma <nbma:ip> [inside <inside:ip>]|tunnel <tunnel:ip>}|interface <iface:interface>|vrf <vrf>}...]", Help: "zero the counters of sessions", Data: clearing(api.ClearStatistics)},
	{Syntax: "clear ip nhrp [{vrf <vrf>|interface <iface:interface>}...] [<network:ip> [<mask:mask>]]", Help: "forget dynamic entries", Data: clearing(api.ClearNHRP)},
	{Syntax: "clear ip nhrp [vrf <vrf>] counters [{interface <iface:interface>|vrf <vrf>}...]", Help: "zero the counters of NHRP", Data: clearing(api.ClearStatistics)},
	{Syntax: "clear counters [<iface:interface>]", Help: "count the traffic of interfaces anew", Data: clearing(api.ClearCounters)},
}

// runs is Session.Run: what is run by a command of the table can't name the table.
var runs func(*Session, string) error

func init() { runs = (*Session).Run }

// selection is what the arguments of a show command select. What they name must be there.
func (s *Session) selection(st *show.Status, m *grammar.Match) (show.Select, error) {
	sel := show.Select{
		Iface: m.Text("iface"), VRF: m.Text("vrf"), Front: m.Text("fvrf"), Map: m.Text("map"), Network: network(m),
		Active: m.Has("active"), Detail: m.Has("detail") || m.Has("detailed"), Static: m.Has("static"), Local: m.Has("local"), Sorted: m.Has("sorted"), Form: s.Format,
	}
	if m.Given("nbma") {
		sel.Peer = m.IP("nbma")
	}
	if m.Given("tunnel") {
		sel.Tunnel = m.IP("tunnel")
	}
	return sel, errors.Join(there(st, sel.Iface, sel.VRF), there(st, "", sel.Front))
}

// network is the network, or host, of the arguments; the zero Prefix where there is none.
func network(m *grammar.Match) netip.Prefix {
	if !m.Given("network") {
		return netip.Prefix{}
	}
	a := m.IP("network")
	bits := a.BitLen()
	if m.Given("mask") {
		if n, ok := grammar.MaskBits(m.Text("mask")); ok {
			bits = n
		}
	}
	return netip.PrefixFrom(a, bits).Masked()
}

// there says what of an interface and a VRF is not there. Empty names are not asked for.
func there(st *show.Status, iface, vrf string) error {
	if iface != "" && !isInterface(st, iface) {
		return show.UnknownInterface(iface)
	}
	if vrf != "" && vrf != show.GlobalVRF && !st.HasVRF(vrf) {
		return show.UnknownVRF(st, vrf)
	}
	return nil
}

func isInterface(st *show.Status, name string) bool {
	_, ok := st.Interfaces[name]
	return ok
}

func showDMVPN(s *Session, m *grammar.Match) error {
	if m.Has("detail") {
		return crypto("dmvpn detail", show.DMVPN)(s, m)
	}
	return shows("dmvpn", show.DMVPN)(s, m)
}

func showNHRP(s *Session, m *grammar.Match) error {
	text := show.NHRP
	if m.Has("brief") {
		text = show.NHRPBrief
	}
	narrow := func(sel show.Select) show.Select {
		sel.Type, sel.Static = m.OneOf("dynamic", "static", "incomplete"), false
		return sel
	}
	return chosen("ip nhrp", func(st *show.Status, sel show.Select) string { return text(st, narrow(sel)) },
		func(st *show.Status, what string, sel show.Select) ([]byte, error) {
			return show.JSON(st, what, narrow(sel))
		})(s, m)
}

func showInterfaces(s *Session, m *grammar.Match) error {
	st, err := s.Daemon.Status()
	if err != nil {
		return err
	}
	sel := show.Select{Iface: m.Text("iface"), Form: s.Format}
	text, ok := show.Interfaces(st, sel)
	if !ok {
		return show.UnknownInterface(sel.Iface)
	}
	out := []byte(text)
	if s.JSON {
		if out, err = show.JSON(st, "interfaces", sel); err != nil {
			return err
		}
	}
	_, err = s.Out.Write(out)
	return err
}

func showARP(s *Session, m *grammar.Match) error {
	st, err := s.Daemon.Status()
	if err != nil {
		return err
	}
	if err := there(st, m.Text("iface"), m.Text("vrf")); err != nil {
		return err
	}
	a, err := s.Daemon.Query(show.Query{Table: show.TableARP, VRF: m.Text("vrf")})
	if err != nil {
		return err
	}
	a.ARP = slices.DeleteFunc(a.ARP, func(n show.Neighbour) bool {
		return m.Given("address") && n.Addr != m.IP("address") || m.Given("iface") && n.Iface != m.Text("iface")
	})
	out := []byte(show.ARP(st, a))
	if s.JSON {
		if out, err = show.ARPJSON(a); err != nil {
			return err
		}
	}
	_, err = s.Out.Write(out)
	return err
}

func showCPU(s *Session, m *grammar.Match) error {
	order := show.ByPID
	if m.Has("sorted") {
		switch m.OneOf("5sec", "1min", "5min") {
		case "1min":
			order = show.ByOneMinute
		case "5min":
			order = show.ByFiveMinutes
		default:
			order = show.ByFiveSeconds
		}
	}
	return shows("processes cpu", func(st *show.Status, _ show.Select) string { return show.ProcessesCPU(st, order) })(s, m)
}

func showFormat(s *Session, m *grammar.Match) error {
	s.Format = show.Form(max(0, slices.Index(show.Forms, m.OneOf(show.Forms...))))
	return nil
}

// techPart is a command of `show tech-support --json`.
type techPart struct {
	Command string          `json:"command"`
	Output  json.RawMessage `json:"output,omitempty"`
	Error   string          `json:"error,omitempty"`
}

// tech makes a command that shows what others show. One that fails says why in its place; without a daemon there is nothing to show.
func tech(what string, commands []string) run {
	return func(s *Session, _ *grammar.Match) error {
		if _, err := s.Daemon.Status(); err != nil {
			return err
		}
		parts := make([]techPart, 0, len(commands))
		for _, c := range commands {
			var out bytes.Buffer
			one := *s
			one.Out = &out
			err := runs(&one, c)
			if s.JSON {
				p := techPart{Command: c, Output: out.Bytes()}
				if err != nil {
					p.Output, p.Error = nil, err.Error()
				}
				parts = append(parts, p)
				continue
			}
			if err != nil {
				fmt.Fprintln(&out, err)
			}
			if _, err := io.WriteString(s.Out, show.TechSection(c, out.String())); err != nil {
				return err
			}
		}
		if !s.JSON {
			return nil
		}
		b, err := json.MarshalIndent(parts, "", "  ")
		if err != nil {
			return fmt.Errorf("show %s: %w", what, err)
		}
		_, err = s.Out.Write(append(b, '\n'))
		return err
	}
}

// Package api is how programs speak with the daemon: HTTP and JSON over a UNIX socket that root may open, and who is in
// the group that may look (access.go): who asks is known by the kernel's word, and what changes something is for those who may, and audited.
//
//	GET  /v1/status  everything that can be shown (show.Status)
//	GET  /v1/flows?most=N  the flows with the most packets (show.FlowCache)
//	POST /v1/query   a table that is too large for a status (show.Query, show.Answer)
//	POST /v1/clear   take down sessions or zero counters (Clear)
//	POST /v1/reload  read the configuration file again
//	POST /v1/config/edit  read a line of configuration (Edit, Edited)
//	POST /v1/config/act   commit, roll back, save, load (ConfigAction, ConfigDone)
//	POST /v1/config/text  a configuration, or what differs between two, keys masked (ConfigText)
//	GET  /v1/logs    where the log goes, and what is remembered of it (message.Status); /v1/logs/follow?severity=N sends lines as they come (LogLine)
//	POST /v1/logs/clear   forget what is remembered of the log
//	GET  /v1/greeting  who asks, and what they may (Greeting)
//	POST /v1/enable  verify the password of privileged exec
//
// An error is a status of 400 or above with {"error": "..."}.
package api

import (
	"net/netip"
	"strconv"
	"strings"

	"nave/ctl/show"
)

// Box is what the server answers for.
type Box interface {
	Status() (s show.Status, ok bool)
	Flows(most int) (c show.FlowCache, ok bool)
	Query(show.Query) (show.Answer, error)
	Clear(Clear) error
	Reload() error
}

// What Clear clears.
const (
	ClearSessions   = "dmvpn session"
	ClearStatistics = "dmvpn statistics"
	ClearNHRP       = "ip nhrp"
	ClearIPsec      = "crypto sa"      // children; those that are wanted are made again
	ClearISAKMP     = "crypto isakmp"  // IKE SAs of version 1, or the one of SA
	ClearIKEv2      = "crypto ikev2"   // IKE SAs of version 2, or the one of SA
	ClearCrypto     = "crypto session" // IKE SAs and children
	ClearBGP        = "ip bgp"         // sessions with BGP neighbours
	ClearLDP        = "mpls ldp neighbor"
	ClearEIGRP      = "ip eigrp neighbors" // of AS in VRF, or of all processes there
	ClearCounters   = "counters"           // of interfaces, as they are shown
)

// Clear says what to clear; what is left out selects everything.
type Clear struct {
	What   string     `json:"what"`
	Iface  string     `json:"interface,omitempty"`
	NBMA   netip.Addr `json:"nbma,omitzero"`   // a peer's outer address
	Inside netip.Addr `json:"inside,omitzero"` // with NBMA: of peers there, the one that has this address behind NAT
	Tunnel netip.Addr `json:"tunnel,omitzero"` // a peer's tunnel address
	// Network is of ClearNHRP: entries inside it.
	Network netip.Prefix `json:"network,omitzero"`
	Static  bool         `json:"static,omitempty"`
	SA      uint32       `json:"sa,omitempty"` // an IKE SA's number

	Neighbour netip.Addr `json:"neighbor,omitzero"` // of BGP and EIGRP its address, of LDP its router ID
	AS        uint32     `json:"as,omitempty"`      // BGP neighbours of that AS; the process of EIGRP
	// VRF is of tunnels (show.GlobalVRF: of none); of BGP, neighbours inside a VRF only; of EIGRP, its table, or show.AllVRFs.
	VRF  string `json:"vrf,omitempty"`
	Soft bool   `json:"soft,omitempty"` // sessions stay; routes are sent (Out) and looked at (In) again, both if neither is set
	In   bool   `json:"in,omitempty"`
	Out  bool   `json:"out,omitempty"`
}

// problem is the body of an error.
type problem struct {
	Error string `json:"error"`
}

// String is the command that clears it.
func (c Clear) String() string {
	words := []string{"clear", c.What}
	add := func(has bool, more ...string) {
		if has {
			words = append(words, more...)
		}
	}
	add(c.VRF != "", "vrf", c.VRF)
	add(c.AS != 0, strconv.FormatUint(uint64(c.AS), 10))
	add(c.NBMA.IsValid(), "peer nbma", c.NBMA.String())
	add(c.Inside.IsValid(), "inside", c.Inside.String())
	add(c.Tunnel.IsValid(), "peer tunnel", c.Tunnel.String())
	add(c.Network.IsValid(), c.Network.String())
	add(c.Neighbour.IsValid(), c.Neighbour.String())
	add(c.SA != 0, strconv.FormatUint(uint64(c.SA), 10))
	add(c.Iface != "", "interface", c.Iface)
	add(c.Static, "static")
	add(c.Soft, "soft")
	add(c.In, "in")
	add(c.Out, "out")
	return strings.Join(words, " ")
}

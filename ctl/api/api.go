// Package api is how programs speak with the daemon: HTTP and JSON over a UNIX socket that only root may open.
//
//	GET  /v1/status  everything that can be shown (show.Status)
//	POST /v1/clear   take down sessions or zero counters (Clear)
//	POST /v1/reload  read the configuration file again
//
// An error is a status of 400 or above with {"error": "..."}.
package api

import (
	"net/netip"

	"nave/ctl/show"
)

// Box is what the server answers for.
type Box interface {
	Status() (s show.Status, ok bool)
	Clear(Clear) error
	Reload() error
}

// What Clear clears.
const (
	ClearSessions   = "dmvpn session"
	ClearStatistics = "dmvpn statistics"
	ClearNHRP       = "ip nhrp"
)

// Clear says what to clear; what is left out selects everything.
type Clear struct {
	What   string     `json:"what"`
	Iface  string     `json:"interface,omitempty"`
	NBMA   netip.Addr `json:"nbma,omitzero"`
	Tunnel netip.Addr `json:"tunnel,omitzero"` // a peer's tunnel address
	Static bool       `json:"static,omitempty"`
}

// problem is the body of an error.
type problem struct {
	Error string `json:"error"`
}

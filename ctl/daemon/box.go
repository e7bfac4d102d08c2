package daemon

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"nave/ctl/api"
	"nave/ctl/config"
	"nave/ctl/gateway"
	"nave/ctl/show"
)

var errStopping = errors.New("the daemon is stopping")

// Status implements api.Box.
func (d *Daemon) Status() (show.Status, bool) {
	s, ok := d.gw.Status()
	if ok {
		d.measured.describe(&s)
	}
	return s, ok
}

// Flows implements api.Box.
func (d *Daemon) Flows(most int) (show.FlowCache, bool) { return d.gw.Flows(most) }

// Query implements api.Box.
func (d *Daemon) Query(q show.Query) (show.Answer, error) { return d.gw.Query(q) }

// problems are the parts of the configuration that are not carried out.
func (d *Daemon) problems() (list []show.Problem) {
	d.gw.Do(func(_ time.Time, c *gateway.Core) { list = c.Problems() })
	return list
}

// changes says in a few words what differs between two configurations.
func changes(before, after *config.Config) string {
	if before == nil {
		return "unknown"
	}
	d := config.Diff(before, after)
	if d.Empty() {
		return "none"
	}
	var words []string
	for _, v := range d.VRFs {
		words = append(words, "VRF "+v.Name)
	}
	for _, i := range d.Interfaces {
		words = append(words, i.Name)
	}
	if n := len(d.RoutesAdded) + len(d.RoutesRemoved); n > 0 {
		words = append(words, fmt.Sprintf("%d routes", n))
	}
	for _, part := range []struct {
		word string
		is   bool
	}{
		{"labels", d.MPLS}, {"hostname", d.Hostname}, {"logging", d.Logging}, {"call admission", d.CallAdmission},
		{"crypto isakmp", d.ISAKMP || len(d.Policies)+len(d.KeysAdded)+len(d.KeysRemoved)+len(d.Keyrings)+len(d.ISAKMPProfiles) > 0},
		{"crypto ikev2", d.IKEv2 || len(d.Proposals)+len(d.IKEv2Policies)+len(d.IKEv2Keyrings)+len(d.IKEv2Profiles) > 0},
		{"crypto ipsec", d.IPsec || len(d.TransformSets)+len(d.IPsecProfiles)+len(d.Identities) > 0}, {"crypto pki", len(d.Trustpoints) > 0},
	} {
		if part.is {
			words = append(words, part.word)
		}
	}
	if d.BGP || len(d.BGPNeighbors)+len(d.BGPFamilies) > 0 {
		words = append(words, "router bgp")
	}
	for _, list := range []struct {
		what    string
		changes []config.Change
	}{{"router eigrp", d.EIGRP}, {"key chain", d.KeyChains}, {"access list", d.AccessLists}, {"prefix list", d.PrefixLists}, {"route map", d.RouteMaps}} {
		for _, c := range list.changes {
			words = append(words, list.what+" "+c.Name)
		}
	}
	if d.KernelImport {
		words = append(words, "ip route import kernel")
	}
	if d.Platform {
		words = append(words, "platform hardware")
	}
	if d.Fastpath {
		words = append(words, "fastpath, from the next start on")
	}
	if len(words) == 0 {
		return "other settings"
	}
	return strings.Join(words, ", ")
}

// audit logs a change, with the name of who made it.
func (d *Daemon) audit(who *api.Caller, what string, err error) {
	text, severity := show.LogAudit(who.Name, what, err)
	d.say(severity, text, slog.String("user", who.Name), slog.String("command", what))
}

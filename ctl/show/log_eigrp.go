package show

import (
	"fmt"

	"nave/slowpath"
	"nave/slowpath/eigrp"
)

// eigrpEnds are why a neighbor went down, in the words of IOS.
var eigrpEnds = map[eigrp.Reason]string{
	eigrp.HoldExpired:    "holding time expired",
	eigrp.RetryLimit:     "retry limit exceeded",
	eigrp.PeerRestarted:  "peer restarted",
	eigrp.Goodbye:        "Interface Goodbye received",
	eigrp.PeerTerminated: "Interface PEER-TERMINATION received",
	eigrp.InterfaceDown:  "interface down",
	eigrp.Cleared:        "manually cleared",
	eigrp.StuckInActive:  "stuck in active",
	eigrp.KMismatch:      "K-value mismatch",
	eigrp.QueueOverflow:  "too many packets wait for its acknowledgement",
	eigrp.AuthChanged:    "authentication mode changed",
	eigrp.ShutDown:       "process shut down",
	eigrp.MadePassive:    "interface passive",
	eigrp.Reconfigured:   "route configuration changed",
}

// logEIGRP is the message of something that a process of EIGRP reports.
func logEIGRP(l *slowpath.EIGRPLog) (text string, severity int) {
	process := fmt.Sprintf("EIGRP-IPv4 %d", l.AS)
	if l.VRF != "" {
		process += " vrf " + l.VRF
	}
	who := fmt.Sprintf("%s: Neighbor %s (%s)", process, l.Neighbor, l.Iface)
	change := func(format string, args ...any) (string, int) {
		return message("DUAL", severityNotice, "NBRCHANGE", "%s is %s", who, fmt.Sprintf(format, args...))
	}
	blocked := func(format string, args ...any) (string, int) {
		return message("DUAL", severityInfo, "NBRINFO", "%s is blocked: %s", who, fmt.Sprintf(format, args...))
	}
	switch l.Kind {
	case eigrp.LogNeighborUp:
		return change("up: new adjacency")
	case eigrp.LogNeighborDown:
		why, ok := eigrpEnds[l.Reason]
		if !ok {
			why = l.Reason.String()
		}
		return change("down: %s", why)
	case eigrp.LogNeighborResync:
		return change("resync: peer graceful-restart")
	case eigrp.LogStuckInActive:
		return message("DUAL", severityError, "SIA", "Route %s stuck-in-active state in %s.  Cleaning up: neighbor %s (%s) did not answer", l.Prefix, process, l.Neighbor, l.Iface)
	case eigrp.LogKMismatch:
		return change("down: K-value mismatch; `metric weights` has to be the same on both")
	case eigrp.LogNotOnSubnet:
		return blocked("not on common subnet")
	case eigrp.LogAuthFailure:
		return blocked("authentication failed; mode, key number and key string have to be the same on both, and the key's lifetime has to include the time now")
	case eigrp.LogMalformed:
		return message("EIGRP", severityWarning, "MALFORMED", "%s sent a packet that can't be read", who)
	case eigrp.LogTooManyNeighbors:
		return message("EIGRP", severityError, "NBRLIMIT", "%s is not taken: there are too many", who)
	case eigrp.LogTooManyPaths:
		return message("EIGRP", severityError, "PFXLIMIT", "%s: its route to %s is not taken: there are too many", who, l.Prefix)
	case eigrp.LogNoKey:
		return message("EIGRP", severityError, "NOKEY", "%s: nothing is sent by %s: no key of its key chain is valid now; `show key chain` has their lifetimes", process, l.Iface)
	case eigrp.LogDuplicateRouter:
		return message("EIGRP", severityError, "DUP_ROUTER_ID", "%s tells of %s as a route that this router brought in: both have the same router ID; say `eigrp router-id` on one", who, l.Prefix)
	}
	return "", severityNotice
}

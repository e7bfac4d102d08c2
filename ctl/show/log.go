package show

import (
	"fmt"

	"nave/slowpath"
	"nave/slowpath/bgp"
	"nave/slowpath/dmvpn"
	"nave/slowpath/ike"
	"nave/slowpath/ldp"
	"nave/slowpath/nhrp"
)

// Severities of system log messages, as IOS numbers them.
const (
	severityError   = 3
	severityWarning = 4
	severityNotice  = 5
)

// Log is the system log message of something that a protocol reports, and its severity (0 to 7). The text is empty for what
// is not logged. It never holds a secret.
func Log(e slowpath.Event) (text string, severity int) {
	switch e := e.(type) {
	case nhrp.Log:
		return logNHRP(e)
	case ike.Log:
		return logIKE(&e)
	case dmvpn.Log:
		return logSession(&e)
	case ldp.Log:
		return logLDP(&e)
	case bgp.Session:
		return logBGP(e)
	case slowpath.EIGRPLog:
		return logEIGRP(&e)
	case slowpath.NoLabel:
		return logNoLabel(e)
	case WorkerLog:
		return logWorker(e)
	case HardwareLog:
		return logHardware(&e)
	}
	return "", severityNotice
}

// WorkerLog says that a worker's process has died, or is back.
type WorkerLog struct {
	Worker int
	Up     bool
}

// About names the kind of event.
func (l WorkerLog) About() string {
	if l.Up {
		return "worker up"
	}
	return "worker down"
}

// logWorker is the message of a worker that died or is back.
func logWorker(l WorkerLog) (text string, severity int) {
	if l.Up {
		return fmt.Sprintf("%%NAVE-%d-WORKER_UP: worker %d forwards again", severityNotice, l.Worker), severityNotice
	}
	return fmt.Sprintf("%%NAVE-%d-WORKER_DOWN: worker %d died and is started again; its queues receive nothing meanwhile", severityError, l.Worker), severityError
}

// logNHRP is the message of something that NHRP reports.
func logNHRP(e nhrp.Log) (text string, severity int) {
	dmvpn := func(severity int, mnemonic, format string, args ...any) (string, int) {
		return fmt.Sprintf("%%DMVPN-%d-%s: ", severity, mnemonic) + fmt.Sprintf(format, args...), severity
	}
	plain := func(severity int, mnemonic, format string, args ...any) (string, int) {
		return fmt.Sprintf("%%NHRP-%d-%s: ", severity, mnemonic) + fmt.Sprintf(format, args...), severity
	}
	switch e.Kind {
	case nhrp.LogNHSUp:
		return dmvpn(severityNotice, "NHRP_NHS", "%s %s is UP", e.Iface, e.Protocol)
	case nhrp.LogNHSDown:
		return dmvpn(severityNotice, "NHRP_NHS", "%s %s is DOWN", e.Iface, e.Protocol)
	case nhrp.LogClientRegistered:
		return dmvpn(severityNotice, "NHRP_CACHE", "Client %s on %s Registered.", e.Protocol, e.Iface)
	case nhrp.LogPeerUp:
		return dmvpn(severityNotice, "NHRP_CACHE", "Client %s on %s came UP.", e.Protocol, e.Iface)
	case nhrp.LogPeerDown:
		return dmvpn(severityNotice, "NHRP_CACHE", "Client %s on %s went DOWN.", e.Protocol, e.Iface)
	case nhrp.LogRegistrationFailed:
		return dmvpn(severityError, "NHRP_ERROR", "Registration Request failed for %s on %s%s", e.Protocol, e.Iface, because(e.Code))
	case nhrp.LogResolutionFailed:
		return dmvpn(severityError, "NHRP_ERROR", "Resolution Request failed for %s on %s%s", e.Protocol, e.Iface, because(e.Code))
	case nhrp.LogQuota:
		return plain(severityWarning, "QUOTA", "Max-send quota of %dpkts/%dSec. exceeded on %s", e.Count, int(e.Interval.Seconds()), e.Iface)
	case nhrp.LogUniqueRefused:
		return plain(severityError, "UNIQUE", "%s on %s: NBMA address %s asked for it, and it is registered from %s", e.Protocol, e.Iface, e.NBMA, e.Other)
	case nhrp.LogAuthMismatch:
		return plain(severityError, "AUTH", "%s: authentication of %s (NBMA address %s) does not match", e.Iface, e.Protocol, e.NBMA)
	case nhrp.LogLoop:
		return plain(severityError, "LOOP", "%s: a request of %s for %s went in a circle", e.Iface, e.Protocol, e.Other)
	case nhrp.LogErrorReceived:
		return dmvpn(severityError, "NHRP_ERROR", "%s reported an error on %s%s", e.Protocol, e.Iface, because(e.Code))
	case nhrp.LogCacheFull:
		return plain(severityError, "FULL", "%s: no room for %s (NBMA address %s): %d entries", e.Iface, e.Protocol, e.NBMA, e.Count)
	case nhrp.LogNoMapping:
		return plain(severityError, "NOMAP", "%s: the NHS %s has no NBMA address; say `ip nhrp map %s NBMA`", e.Iface, e.Protocol, e.Protocol)
	}
	return "", severityNotice
}

// codeNames are the codes of client information entries and of error indications (RFC 2332 sections 5.2.0.1 and 5.2.7).
var codeNames = map[uint16]string{
	1: "unrecognized extension", 3: "loop detected", 4: "administratively prohibited", 5: "insufficient resources",
	6: "protocol address unreachable", 7: "protocol error", 8: "packet too large", 9: "invalid extension",
	10: "invalid resolution reply", 11: "authentication failure", 12: "no binding exists", 13: "binding is not unique",
	14: "unique address already registered", 15: "hop count exceeded",
}

// because is what follows of the reason; that there was no answer goes without saying, and the line is the one that people know.
func because(code uint16) string {
	if code == 0 {
		return ""
	}
	if n, ok := codeNames[code]; ok {
		return ": " + n
	}
	return fmt.Sprintf(": code %d", code)
}

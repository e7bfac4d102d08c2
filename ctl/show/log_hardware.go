package show

import (
	"fmt"
	"log/slog"

	"nave/fastpath/fib"
)

// HardwareLog says that hardware which is emulated has come to one of its limits.
type HardwareLog struct {
	Kind   HardwareKind
	Table  string         // of HardwareThreshold and HardwareException: what the entries are of
	Tunnel SwitchedTunnel // of HardwareSwitched
	Count  uint64         // of HardwareCryptoFull associations that were refused, of HardwareMulticast packets that were dropped, since this was last said
	Most   int            // of HardwareCryptoFull: how many tunnels the module takes
}

// HardwareKind is what there is to say.
type HardwareKind uint8

// The kinds.
const (
	HardwareThreshold  HardwareKind = iota // 95 of 100 of a table are in use
	HardwareException                      // a table was full
	HardwareSwitched                       // a tunnel has become the route processor's
	HardwareCryptoFull                     // the crypto module takes no more tunnels
	HardwareMulticast                      // multicast was to go through a protected tunnel
)

var hardwareKinds = [...]string{"fib threshold", "fib exception", "software-switched tunnel", "crypto module full", "encrypted multicast"}

// About names the kind of event.
func (l HardwareLog) About() string { return "hardware: " + hardwareKinds[l.Kind] }

// Fields are its parts, for programs that read the log.
func (l HardwareLog) Fields() []slog.Attr {
	list := []slog.Attr{slog.String("event", l.About())}
	switch l.Kind {
	case HardwareThreshold, HardwareException:
		list = append(list, slog.String("table", l.Table))
	case HardwareSwitched:
		list = append(list, slog.String("interface", l.Tunnel.Interface), slog.String("key", l.Tunnel.Key), slog.Bool("labelled", l.Tunnel.Labelled), slog.String("by", byWhom(l.Tunnel.Way)))
	case HardwareCryptoFull:
		list = append(list, slog.Uint64("refused", l.Count), slog.Int("tunnels", l.Most))
	case HardwareMulticast:
		list = append(list, slog.Uint64("packets", l.Count))
	}
	return list
}

// byWhom names the part of the route processor that forwards.
func byWhom(w fib.Way) string {
	if w == fib.ByProcess {
		return "process"
	}
	return "cef"
}

// softwareCauses say what makes a tunnel the route processor's, by the value of the profile.
var softwareCauses = map[string]string{
	"gre.key_in_hw":     "it has a tunnel key",
	"gre.options_in_hw": "its packets have checksums or sequence numbers",
	"gre.unique_source": "another tunnel has the same tunnel source",
	"mpls.hw":           "this engine switches no labels",
	"mpls.over_gre":     "labels in GRE need a service card",
	"crypto.in_hw":      "it is protected, and there is no crypto module",
}

// logHardware is the message of emulated hardware. The first two are worded as IOS words them.
func logHardware(l *HardwareLog) (text string, severity int) {
	switch l.Kind {
	case HardwareThreshold:
		return message("MLSCEF-SP", severityWarning, "FIB_EXCEPTION_THRESHOLD", "Hardware CEF entry usage is at 95%% capacity for %s protocol.", l.Table)
	case HardwareException:
		return message("MLSCEF-SP", severityDebug, "FIB_EXCEPTION", "FIB TCAM exception, Some entries will be software switched")
	case HardwareSwitched:
		what := "packets"
		if l.Tunnel.Labelled {
			what = "labelled packets"
		}
		why := softwareCauses[l.Tunnel.Key]
		if why == "" {
			why = fmt.Sprintf("%s of the profile says so", l.Tunnel.Key)
		}
		return message("NAVE", severityWarning, "SOFTWARE_SWITCHED", "%s: %s are forwarded by the route processor, as %s", l.Tunnel.Interface, what, why)
	case HardwareCryptoFull:
		return message("NAVE", severityWarning, "CRYPTO_FULL", "the crypto module has no room beyond %d tunnels: %d more security associations were refused; their peers are tried again", l.Most, l.Count)
	case HardwareMulticast:
		return message("NAVE", severityWarning, "ENCRYPTED_MULTICAST", "%d multicast packets for protected tunnels were dropped: this hardware does not encrypt multicast of others", l.Count)
	}
	return "", severityNotice
}

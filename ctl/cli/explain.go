package cli

import (
	"errors"
	"io"

	"nave/ctl/config/grammar"
	"nave/ctl/show"
)

// Explainer tells what would become of a packet. api.Client is one.
type Explainer interface {
	Explain(show.Ask) (*show.Explanation, error)
}

var errNoExplainer = errors.New("there is no daemon to explain a packet")

// explainCommands tell what would become of a packet.
var explainCommands = []*grammar.Command{
	{
		Syntax: "explain <source:ip> <destination:ip> [{vrf <vrf>|in <iface:interface>|box|protocol {icmp|tcp|udp|<protocol:0-255>}|port <from:0-65535> <to:0-65535>|" +
			"size <size:20-16000>|ttl <ttl:1-255>|tos <tos:0-255>|df-bit|label <label:0-1048575> [<under:0-1048575>]}...]",
		Help: "what would happen to a packet, step by step; nothing is sent", Data: run(explainPacket),
	},
}

// explainPacket asks about a packet.
func explainPacket(s *Session, m *grammar.Match) error {
	if s.Explainer == nil {
		return errNoExplainer
	}
	x, err := s.Explainer.Explain(asked(m))
	if err != nil {
		return err
	}
	if s.JSON {
		b, err := show.ExplainJSON(x)
		if err != nil {
			return err
		}
		_, err = s.Out.Write(b)
		return err
	}
	_, err = io.WriteString(s.Out, show.Explain(x))
	return err
}

// asked is the packet that a command names. Without a protocol it is an echo request, or with ports UDP.
func asked(m *grammar.Match) show.Ask {
	a := show.Ask{Src: m.IP("source"), Dst: m.IP("destination"), VRF: m.Text("vrf"), In: m.Text("iface"), Box: m.Has("box"), DF: m.Has("df-bit"), Proto: 1}
	switch {
	case m.Given("protocol"):
		a.Proto = uint8(m.Uint("protocol"))
	case m.Has("tcp"):
		a.Proto = 6
	case m.Has("udp"), m.Given("from") && !m.Has("icmp"):
		a.Proto = 17
	}
	if m.Given("from") {
		a.SrcPort, a.DstPort = uint16(m.Uint("from")), uint16(m.Uint("to"))
	}
	if m.Given("size") {
		a.Size = int(m.Uint("size"))
	}
	for name, v := range map[string]*uint8{"ttl": &a.TTL, "tos": &a.TOS} {
		if m.Given(name) {
			*v = uint8(m.Uint(name))
		}
	}
	for _, name := range []string{"label", "under"} {
		if m.Given(name) {
			a.Labels = append(a.Labels, uint32(m.Uint(name)))
		}
	}
	return a
}

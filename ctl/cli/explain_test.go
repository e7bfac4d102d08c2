package cli

import (
	"errors"
	"net/netip"
	"reflect"
	"strings"
	"testing"

	"nave/ctl/show"
	"nave/fastpath"
)

// explainerStub is an Explainer for tests.
type explainerStub struct {
	asked []show.Ask
	err   error
}

func (e *explainerStub) Explain(a show.Ask) (*show.Explanation, error) {
	e.asked = append(e.asked, a)
	return &show.Explanation{Asked: a, Packet: fastpath.Explanation{Src: a.Src, Dst: a.Dst, Proto: a.Proto, Reason: fastpath.NullRoute}}, e.err
}

// TestExplainCommand: what is asked of the daemon, by what is typed.
func TestExplainCommand(t *testing.T) {
	a, b := netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("10.0.0.2")
	for line, want := range map[string]show.Ask{
		"explain 10.0.0.1 10.0.0.2":                                                        {Proto: 1},
		"expl 10.0.0.1 10.0.0.2 size 1500 df vrf red ttl 3":                                {Proto: 1, VRF: "red", Size: 1500, DF: true, TTL: 3},
		"expl 10.0.0.1 10.0.0.2 vrf red size 1500 df ttl 3":                                {Proto: 1, VRF: "red", Size: 1500, DF: true, TTL: 3},
		"explain 10.0.0.1 10.0.0.2 protocol tcp port 1000 80":                              {Proto: 6, SrcPort: 1000, DstPort: 80},
		"explain 10.0.0.1 10.0.0.2 port 1000 53 in tu0":                                    {Proto: 17, SrcPort: 1000, DstPort: 53, In: "Tunnel0"},
		"explain 10.0.0.1 10.0.0.2 protocol 89 box tos 192":                                {Proto: 89, Box: true, TOS: 192},
		"explain 10.0.0.1 10.0.0.2 label 1000 0 in ethernet 0":                             {Proto: 1, Labels: []uint32{1000, 0}, In: "Ethernet0"},
		"explain 10.0.0.1 10.0.0.2 protocol icmp label 17":                                 {Proto: 1, Labels: []uint32{17}},
		"explain 10.0.0.1 10.0.0.2 vrf red protocol udp port 4500 4500 size 28 tos 0 df-b": {Proto: 17, VRF: "red", SrcPort: 4500, DstPort: 4500, Size: 28, DF: true},
	} {
		e := &explainerStub{}
		var out strings.Builder
		s := Session{Daemon: &daemon{}, Explainer: e, Out: &out}
		if err := s.Run(line); err != nil {
			t.Errorf("%s: %v", line, err)
			continue
		}
		want.Src, want.Dst = a, b
		if len(e.asked) != 1 || !reflect.DeepEqual(e.asked[0], want) {
			t.Errorf("%s: asked %+v, want %+v", line, e.asked, want)
		}
		if !strings.Contains(out.String(), "Dropped (null-route)") {
			t.Errorf("%s: %s", line, out.String())
		}
	}
	var out strings.Builder
	s := Session{Daemon: &daemon{}, Explainer: &explainerStub{}, Out: &out, JSON: true}
	if err := s.Run("explain 10.0.0.1 10.0.0.2"); err != nil || !strings.Contains(out.String(), `"reason": "null-route"`) {
		t.Errorf("%v\n%s", err, out.String())
	}
	s.Explainer = nil
	if err := s.Run("explain 10.0.0.1 10.0.0.2"); err == nil {
		t.Error("explained without a daemon")
	}
	s.Explainer = &explainerStub{err: errors.New("no way")}
	if err := s.Run("explain 10.0.0.1 10.0.0.2"); err == nil || err.Error() != "no way" {
		t.Errorf("error %v", err)
	}
	for _, line := range []string{"explain 10.0.0.1", "explain 10.0.0.1 x", "explain 10.0.0.1 10.0.0.2 size 10", "explain 10.0.0.1 10.0.0.2 label 1048576", "explain 10.0.0.1 10.0.0.2 port 5", "explain 10.0.0.1 10.0.0.2 ttl 1 ttl 2"} {
		if err := s.Run(line); err == nil || err.Error() == "no way" {
			t.Errorf("%s: %v", line, err)
		}
	}
}

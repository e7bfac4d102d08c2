package show

import (
	"encoding/json"
	"net/netip"
	"strings"
	"testing"
	"time"

	"nave/ctl/probe"
)

// probing is all that a ping or traceroute prints.
func probing(r probe.Request, answers ...probe.Answer) (string, *Probing) {
	var p Probing
	out := p.Begin(r)
	for _, a := range answers {
		out += p.Answer(a)
	}
	return out + p.End(), &p
}

func answersOf(kinds ...probe.Kind) (list []probe.Answer) {
	for i, k := range kinds {
		a := probe.Answer{Seq: i + 1, Kind: k}
		if k == probe.Reply {
			a.RTT, a.From = time.Duration(i+1)*time.Millisecond, netip.MustParseAddr("10.0.0.2")
		}
		list = append(list, a)
	}
	return list
}

func TestPingText(t *testing.T) {
	to := netip.MustParseAddr("10.0.0.2")
	r := probe.Request{Target: to, Repeat: 5, Size: 100, Timeout: 2 * time.Second}
	for _, c := range []struct {
		name    string
		r       probe.Request
		answers []probe.Answer
		want    string
	}{
		{"all answered", r, answersOf(probe.Reply, probe.Reply, probe.Reply, probe.Reply, probe.Reply), `Type escape sequence to abort.
Sending 5, 100-byte ICMP Echos to 10.0.0.2, timeout is 2 seconds:
!!!!!
Success rate is 100 percent (5/5), round-trip min/avg/max = 1/3/5 ms
`},
		{"the first waits for the tunnel", r, answersOf(probe.Timeout, probe.Reply, probe.Reply, probe.Reply, probe.Reply), `Type escape sequence to abort.
Sending 5, 100-byte ICMP Echos to 10.0.0.2, timeout is 2 seconds:
.!!!!
Success rate is 80 percent (4/5), round-trip min/avg/max = 2/4/5 ms
`},
		{"every mark", probe.Request{Target: to, Repeat: 7, Size: 1500, Timeout: time.Second, Source: netip.MustParseAddr("10.0.0.1"), DF: true},
			answersOf(probe.Timeout, probe.Unreachable, probe.TooBig, probe.Quench, probe.Exceeded, probe.Other, probe.Unsent), `Type escape sequence to abort.
Sending 7, 1500-byte ICMP Echos to 10.0.0.2, timeout is 1 seconds:
Packet sent with a source address of 10.0.0.1
Packet sent with the DF bit set
.UMQ&?.
Success rate is 0 percent (0/7)
`},
		{"ended before the first answer", r, nil, `Type escape sequence to abort.
Sending 5, 100-byte ICMP Echos to 10.0.0.2, timeout is 2 seconds:
Success rate is 0 percent (0/0)
`},
	} {
		if got, _ := probing(c.r, c.answers...); got != c.want {
			t.Errorf("%s:\n%s\nwant\n%s", c.name, got, c.want)
		}
	}
	var many []probe.Kind
	for range 140 {
		many = append(many, probe.Reply)
	}
	got, _ := probing(r, answersOf(many...)...)
	if line := strings.Repeat("!", 70) + "\n"; !strings.Contains(got, "\n"+line+line+"Success rate is 100 percent (140/140)") {
		t.Errorf("lines of 70:\n%s", got)
	}
}

func TestTracerouteText(t *testing.T) {
	a, b, to := netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("10.2.0.7")
	r := probe.Request{Trace: true, Target: to, Repeat: 3}
	ms := func(n int) time.Duration { return time.Duration(n) * time.Millisecond }
	answers := []probe.Answer{
		{TTL: 1, Seq: 1, Kind: probe.Exceeded, From: a, RTT: ms(4)}, {TTL: 1, Seq: 2, Kind: probe.Exceeded, From: a, RTT: 100 * time.Microsecond}, {TTL: 1, Seq: 3, Kind: probe.Timeout},
		{TTL: 2, Seq: 1, Kind: probe.Timeout}, {TTL: 2, Seq: 2, Kind: probe.Timeout}, {TTL: 2, Seq: 3, Kind: probe.Timeout},
		{TTL: 3, Seq: 1, Kind: probe.Exceeded, From: a, RTT: ms(8), Labels: []probe.Label{{Value: 16, Exp: 5}, {Value: 17}}}, {TTL: 3, Seq: 2, Kind: probe.Exceeded, From: b, RTT: ms(9), Labels: []probe.Label{{Value: 18}}},
		{TTL: 3, Seq: 3, Kind: probe.Exceeded, From: b, RTT: ms(10)},
		{TTL: 4, Seq: 1, Kind: probe.Reply, From: to, RTT: ms(12)}, {TTL: 4, Seq: 2, Kind: probe.Timeout}, {TTL: 4, Seq: 3, Kind: probe.Reply, From: to, RTT: ms(13)},
	}
	want := `Type escape sequence to abort.
Tracing the route to 10.2.0.7

  1 10.0.0.1 4 msec 1 msec *
  2  * * *
  3 10.0.0.1 [MPLS: Labels 16/17 Exp 5] 8 msec
    192.0.2.1 [MPLS: Label 18 Exp 0] 9 msec 10 msec
  4 10.2.0.7 12 msec * 13 msec
`
	if got, _ := probing(r, answers...); got != want {
		t.Errorf("\n%s\nwant\n%s", got, want)
	}
	r.VRF = "red"
	got, _ := probing(r, probe.Answer{TTL: 1, Seq: 1, Kind: probe.Unsent, Why: "there is no route to it"}, probe.Answer{TTL: 1, Seq: 2, Kind: probe.Unreachable, Code: 13, From: a},
		probe.Answer{TTL: 1, Seq: 3, Kind: probe.Unreachable, Code: 1, From: a})
	if !strings.HasSuffix(got, "red\n\n  1  * (there is no route to it) 10.0.0.1 !A !H\n") {
		t.Errorf("\n%s", got)
	}
}

func TestPingJSON(t *testing.T) {
	r := probe.Request{Target: netip.MustParseAddr("10.0.0.2"), VRF: "red", Repeat: 3, Size: 100}
	_, p := probing(r, append(answersOf(probe.Reply, probe.Timeout), probe.Answer{Seq: 3, Kind: probe.Unreachable, From: netip.MustParseAddr("10.0.0.9")})...)
	b, err := p.JSON()
	var v struct {
		Target, VRF    string
		Size           int
		Sent, Received int
		Min            float64 `json:"min_ms"`
		Probes         []struct {
			Seq    int
			Result string
			Code   *int
			From   string
			RTT    float64 `json:"rtt_ms"`
		}
	}
	if err := json.Unmarshal(b, &v); err != nil {
		t.Fatal(err)
	}
	if err != nil || v.Target != "10.0.0.2" || v.VRF != "red" || v.Size != 100 || v.Sent != 3 || v.Received != 1 || v.Min != 1 || len(v.Probes) != 3 {
		t.Errorf("%v\n%s", err, b)
	}
	if q := v.Probes; q[0].Result != "reply" || q[0].RTT != 1 || q[0].Code != nil || q[1].Result != "timeout" || q[2].Result != "unreachable" || q[2].Code == nil || q[2].From != "10.0.0.9" {
		t.Errorf("%s", b)
	}
}

package show

import (
	"testing"
	"time"

	"nave/fastpath"
	"nave/fastpath/fib"
	"nave/hwprofiles"
)

// hardwareSample is a hub on a 7600 whose table was too small for a while, with one of everything that hardware has.
func hardwareSample(t *testing.T) *Status {
	t.Helper()
	set, err := hwprofiles.Load("")
	if err != nil {
		t.Fatal(err)
	}
	p, err := set.Profile("sup720-3bxl-7600-spa")
	if err != nil {
		t.Fatal(err)
	}
	p = fewValues(p)
	s := sample()
	s.Hardware = &Hardware{
		Profile: p, Since: ago(26*time.Hour + 5*time.Minute),
		Usage: hwprofiles.Usage{
			Units: hwprofiles.Level{Used: 843_727, Size: 1_048_576},
			Rooms: []hwprofiles.Room{
				{Kinds: []string{"ip"}, Width: 1, Configured: true, Level: hwprofiles.Level{Used: 786_432, Size: 786_432}},
				{Kinds: []string{"mpls"}, Width: 1, Level: hwprofiles.Level{Used: 12, Size: 16_384}},
				{Kinds: []string{"ipv6", "ip-multicast"}, Width: 2, Level: hwprofiles.Level{Size: 122_880}},
			},
			IPv4: hwprofiles.Routes{Hardware: 786_432, Software: 1500, Threshold: true, Exception: true}, MPLS: hwprofiles.Routes{Hardware: 12},
			Adjacencies: hwprofiles.Level{Used: 1200, Size: 1_048_576}, AdjacenciesOver: 4, TunnelVLANs: hwprofiles.Level{Used: 3, Size: 3089}, AggregateLabels: hwprofiles.Level{Used: 514, Size: 512},
			CryptoTunnels: hwprofiles.Level{Used: 8000, Size: 8000}, CryptoRefused: 7,
		},
		Limited: []Limiter{
			{Case: "all ttl-failure", Rate: 10, Burst: 1, Place: "all ttl-failure", Register: true, Budget: fib.LimitTTL, Known: true},
			{Case: "unicast ip icmp unreachable no-route", Rate: 100, Burst: 10, Place: "unicast ip errors", Register: true, Budget: fib.LimitNoRoute, Known: true},
			{Case: "unicast ip errors", Rate: 100, Burst: 10, Place: "unicast ip errors", Register: true},
			{Case: "layer2 pdu", Rate: 500, Burst: 20, Place: "layer2 pdu", Layer2: true, Register: true},
			{Case: "multicast ipv6 route-cntl", Rate: 99, Burst: 9, Place: "multicast ipv6 route-cntl", Register: true},
			{Case: "all mtu-failure", Rate: 10_000, Burst: 10, Place: "all mtu-failure", Budget: fib.LimitMTU, Known: true},
		},
		Restricted: []Restricted{
			{Command: "mls cef maximum-routes ip 900", Refused: true, Key: "fib.units72"}, {Interface: "Tunnel0", Command: "ip tcp adjust-mss 1360", Key: "mgre.adjust_mss"},
			{Interface: "Tunnel0", Command: "ip nhrp redirect", Refused: true, Key: "phase3"},
		},
		Switched: []SwitchedTunnel{
			{Interface: "Tunnel0", Way: fib.ByCEF, Key: "gre.key_in_hw"}, {Interface: "Tunnel1", Labelled: true, Way: fib.ByCEF, Key: "mpls.over_gre"},
			{Interface: "Tunnel2", Way: fib.ByProcess, Key: "gre.options_in_hw"},
		},
	}
	h := s.Hardware
	h.Meters[fib.Engine] = fib.Meter{Rate: 30e6 * fib.PassCost, Burst: 1e6}
	h.Meters[fib.Crypto] = fib.Meter{Rate: 312_500_000, Burst: 1_562_500}
	h.Meters[fib.CEF] = fib.Meter{Rate: 500_000, Burst: 1000}
	h.Meters[fib.Process] = fib.Meter{Rate: 15_000, Burst: 75}
	h.Meters[fib.Exception] = fib.Meter{Rate: 10_000, Burst: 100}
	h.Meters[fib.LimitTTL], h.Meters[fib.LimitNoRoute] = fib.Meter{Rate: 10, Burst: 1}, fib.Meter{Rate: 100, Burst: 10}
	h.Loads = [fib.NumBudgets]Load{
		fib.Engine: {PerSecond: 12_345_678 * fib.PassCost, Peak: 29_999_990 * fib.PassCost, PeakTime: ago(3 * time.Hour)},
		fib.Crypto: {PerSecond: 156_250_000, Peak: 312_400_000, PeakTime: ago(2 * time.Hour)},
		fib.CEF:    {PerSecond: 52_000, Peak: 499_000, PeakTime: ago(time.Hour)}, fib.Process: {PerSecond: 450, Peak: 14_990, PeakTime: ago(time.Minute)},
		fib.Exception: {PerSecond: 9_990, Peak: 10_000, PeakTime: ago(time.Second)}, fib.LimitTTL: {PerSecond: 4, Peak: 10, PeakTime: ago(48 * time.Hour)},
	}
	f := &s.Fastpath
	f.Flows = fastpath.FlowCount{Live: 229_000, Capacity: 1 << 20, Added: 300_000, Evicted: 10_000}
	f.Reasons[fastpath.EngineOver], f.Reasons[fastpath.CryptoOver], f.Reasons[fastpath.CEFOver], f.Reasons[fastpath.ProcessOver], f.Reasons[fastpath.ExceptionOver] = 11, 22, 33, 44, 55
	f.Reasons[fastpath.MTUOver], f.Reasons[fastpath.EncryptedMulticast] = 66, 77
	f.Lost[fastpath.TTLExpired], f.Lost[fastpath.Fragment], f.Lost[fastpath.Unroutable], f.Lost[fastpath.FragNeeded] = 88, 5, 9, 4
	f.Spent[fib.Engine], f.Spent[fib.CEF] = 1_000_000*fib.PassCost, 123_456
	return s
}

// fewValues is a profile with the values that the sample is about, so that it stays what it is when profiles say more.
func fewValues(p *hwprofiles.Profile) *hwprofiles.Profile {
	q := *p
	q.Values = nil
	for _, v := range p.Values {
		switch v.Key.Name {
		case "rp.sw_cef_kpps", "fib.units72", "gre.key_in_hw", "gre.options_in_hw",
			"mgre.adjust_mss", "phase3", "mpls.over_gre", "mpls.aggregate_labels", "mcast.encrypted_gre", "crypto.tunnels", "crypto.prefragment":
			q.Values = append(q.Values, v)
		}
	}
	return &q
}

// bareHardware is a box of a profile that knows hardly anything, so that nothing has an end.
func bareHardware(t *testing.T) *Status {
	t.Helper()
	return &Status{Time: now, Started: ago(time.Minute), Hardware: &Hardware{Since: ago(time.Minute), Profile: &hwprofiles.Profile{Name: "iron", Platform: "A box", Supervisor: "Its engine"}}}
}

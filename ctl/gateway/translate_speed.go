package gateway

import (
	"cmp"
	"strings"

	"nave/ctl/config"
)

// speed is what routing protocols take for the speed of an interface where nothing is configured: bandwidth in kbit/s, delay in tens of microseconds.
type speed struct{ bandwidth, delay uint64 }

// speeds are those of IOS 12.2 by the kind of interface, whatever the cable is like: metrics of neighbouring routers have to fit each other.
var speeds = map[string]speed{
	"Loopback": {8_000_000, 500}, "Tunnel": {9, 50_000}, "Ethernet": {10_000, 100}, "FastEthernet": {100_000, 10}, "GigabitEthernet": {1_000_000, 1},
	"TenGigabitEthernet": {10_000_000, 1}, "TwentyFiveGigE": {25_000_000, 1}, "FortyGigabitEthernet": {40_000_000, 1}, "HundredGigE": {100_000_000, 1},
}

func speedOf(name string) speed { return speeds[strings.TrimRight(name, "0123456789/.")] }

// speeds sets bandwidth and delay of all interfaces. A subinterface has what its port has where it says nothing itself.
func (t *translation) speeds() {
	for k := range t.out.Interfaces {
		in := &t.out.Interfaces[k]
		c := t.find(in.Name)
		if c == nil {
			c = &config.Interface{Name: in.Name}
		}
		port := &config.Interface{}
		if name := c.Parent(); name != "" && (c.Bandwidth == 0 || c.Delay == 0) {
			if p := t.find(name); p != nil {
				port = p
			}
		}
		s := speedOf(in.Name)
		in.Bandwidth = cmp.Or(uint64(c.Bandwidth), uint64(port.Bandwidth), s.bandwidth)
		in.Delay = cmp.Or(uint64(c.Delay), uint64(port.Delay), s.delay)
	}
}

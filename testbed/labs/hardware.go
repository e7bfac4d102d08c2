package labs

import (
	"fmt"
	"io"
	"net/netip"
	"os"
	"regexp"
	"time"

	"nave/testbed/topo"
)

// slowProfile is what spoke 1 of the lab hardware is: its route processor forwards slowRate packets a second.
const (
	slowProfile = "lab-7600"
	slowRate    = 3000
	fullRate    = 15000 // packets a second that the lab is flooded with: more than slowRate, and what any machine forwards
)

// farHost is host 2 of a star.
var farHost = netip.MustParseAddr("10.2.0.7")

func hardware() Lab {
	l := Lab{
		Name: "hardware", Summary: "a protected cloud with a tunnel key on emulated Cisco 7600s: its packets go at the speed of the route processor",
		Topology: star("hardware", "hub"),
		Checks: []Check{
			Registered("hub", "10.255.0.11", "10.255.0.12"), EIGRPNeighbors("hub", "10.255.0.11", "10.255.0.12"),
			Routed("spoke1", "", "D 10.2.0.0/24 [90/*] via 10.255.0.12"), Routed("spoke2", "", "D 10.1.0.0/24 [90/*] via 10.255.0.11"),
			Ping("host1", "10.2.0.7", ""), Direct("host1", "10.2.0.7"), Direct("host2", "10.1.0.7"),
		},
		Tables: []Table{
			{"hub", "show dmvpn"}, {"spoke1", "show platform software-switched"}, {"spoke1", "show platform hardware capacity"}, {"spoke1", "show mls cef exception status"},
		},
		Try: []string{
			"spoke1: nave show platform software-switched, while host 1 floods host 2", "spoke1: another `platform hardware profile` in its configuration, then nave reload",
			"hub: nave show hwprofiles",
		},
		Measure: measureProfiles,
	}
	for k := range l.Topology.Nodes {
		if n := &l.Topology.Nodes[k]; n.Name == "spoke1" {
			n.Profiles = map[string]string{slowProfile + ".yaml": profileText(slowProfile)}
		}
	}
	return l
}

// profileText is a hardware profile of the lab hardware.
func profileText(name string) string {
	text, err := configs.ReadFile("configs/hardware/" + name + ".yaml")
	if err != nil {
		panic(err) // a file that the build has left out
	}
	return string(text)
}

// measureProfiles tells how many packets a second pass spoke 1 with and without its profile.
func measureProfiles(l *topo.Lab, out io.Writer) error {
	t, err := StartTraffic(l, Load{From: "host1", To: "host2", Addr: farHost, Rate: fullRate})
	if err != nil {
		return err
	}
	defer t.Close()
	for _, name := range []string{slowProfile, "none", slowProfile} {
		if err := SetProfile(l, "spoke1", name); err != nil {
			return err
		}
		time.Sleep(time.Second) // what has queued up is gone
		sent, arrived, err := Steady(3*time.Second, nil, t)
		if err != nil {
			return err
		}
		fmt.Fprintf(out, "platform hardware profile %-10s %7.0f packets a second from host 1, %7.0f at host 2\n", name, sent, arrived)
	}
	text, err := l.Nave("spoke1", "show", "platform", "software-switched")
	if err == nil {
		fmt.Fprintf(out, "\nspoke1# show platform software-switched\n%s", text)
	}
	return err
}

var profileLine = regexp.MustCompile(`(?m)^platform hardware profile .*$`)

// SetProfile changes the hardware profile in the configuration of a router, and nothing else, and has it read again.
func SetProfile(l *topo.Lab, router, name string) error {
	text, err := os.ReadFile(l.ConfigFile(router))
	if err != nil {
		return fmt.Errorf("labs: %w", err)
	}
	if !profileLine.Match(text) {
		return fmt.Errorf("labs: the configuration of %s has no hardware profile to change", router)
	}
	changed := profileLine.ReplaceAll(text, []byte("platform hardware profile "+name))
	if err := os.WriteFile(l.ConfigFile(router), changed, 0o600); err != nil {
		return fmt.Errorf("labs: %w", err)
	}
	_, err = l.Nave(router, "reload")
	return err
}

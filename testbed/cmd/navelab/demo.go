package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"nave/testbed/labs"
	"nave/testbed/topo"
)

// demo is the main job, explained: a protected DMVPN from IOS configuration, on real packets.
func demo(ctx context.Context, keep bool) (err error) {
	o, err := options("demo")
	if err != nil {
		return err
	}
	lab, err := labs.Find("protected")
	if err != nil {
		return err
	}
	if old, err := topo.Load(o.Dir); err == nil { // of a demo that was killed, or kept
		if err := old.Down(); err != nil {
			return err
		}
	}
	step("A lab: a hub, two spokes, a host behind each spoke, and an internet between them. The tunnels are protected")
	t, err := topo.Up(lab.Topology, o)
	if err != nil {
		return err
	}
	defer func() {
		if keep && err == nil {
			hints(t, lab)
			return
		}
		err = errors.Join(err, t.Down())
		if err == nil {
			fmt.Println("\nThe lab is down; nothing is left of it.")
		}
	}()
	w, err := labs.StartWatch(t)
	if err != nil {
		return err
	}
	defer w.Close()
	sealed := func(t *topo.Lab) error { return outside(w) }
	for _, s := range []func(*topo.Lab) error{protection, registering, throughTheHub, directly, tables, throughput, sealed} {
		if err := ctx.Err(); err != nil {
			return errors.New("interrupted")
		}
		if err := s(t); err != nil {
			return err
		}
	}
	return nil
}

var steps int

// step prints the headline of a step.
func step(format string, args ...any) {
	steps++
	fmt.Printf("\n== %d. %s\n", steps, fmt.Sprintf(format, args...))
}

// protection says what the tunnels are protected with, from what naved negotiated.
func protection(t *topo.Lab) error {
	step("The routers prove who they are, and agree on keys: IKEv2. Every packet of the tunnel goes into ESP")
	err := topo.Eventually(20*time.Second, func() error {
		out, err := t.Nave("hub", "show", "crypto", "session")
		if err == nil && strings.Count(out, "UP-ACTIVE") < 2 {
			err = fmt.Errorf("the hub has no protected session with both spokes:\n%s", out)
		}
		return err
	})
	if err != nil {
		return err
	}
	if err := show(t, "spoke1", "show crypto ikev2 sa"); err != nil {
		return err
	}
	with, err := protectedWith(t, "spoke1")
	if err != nil {
		return err
	}
	fmt.Printf("-> protected: %s\n", with)
	return nil
}

// protectedWith is what `show crypto session` of a router says of its first peer.
func protectedWith(t *topo.Lab, router string) (string, error) {
	out, err := t.Nave(router, "show", "crypto", "session", "--json")
	if err != nil {
		return "", err
	}
	var sessions []struct {
		Children []struct {
			Transform string `json:"transform"`
			Mode      string `json:"mode"`
		} `json:"children"`
		IKE []struct {
			Version    int    `json:"version"`
			Encryption string `json:"encryption"`
			KeyBits    int    `json:"key_bits"`
			PRF        string `json:"prf"`
			Group      int    `json:"group"`
			Auth       string `json:"remote_authentication"`
		} `json:"ike_sas"`
	}
	if err := json.Unmarshal([]byte(out), &sessions); err != nil {
		return "", fmt.Errorf("show crypto session of %s: %w", router, err)
	}
	for _, s := range sessions {
		if len(s.IKE) > 0 && len(s.Children) > 0 {
			i, c := s.IKE[0], s.Children[0]
			return fmt.Sprintf("IKEv%d with %s-%d, %s, group %d, %s; packets with %s in %s mode", i.Version, i.Encryption, i.KeyBits, i.PRF, i.Group, i.Auth,
				c.Transform, c.Mode), nil
		}
	}
	return "", fmt.Errorf("%s has no protected session", router)
}

// outside tells what the internet saw of all this.
func outside(w *labs.Watch) error {
	step("What crossed the internet meanwhile")
	seen := w.Seen()
	fmt.Printf("-> %d packets of ESP, %d of IKE, %d of the tunnel in clear\n", seen.ESP, seen.IKE, seen.Clear)
	if seen.Clear > 0 {
		return fmt.Errorf("%d packets in clear; the first: %s", seen.Clear, seen.First)
	}
	return nil
}

// registering shows that the spokes told the hub where they are.
func registering(t *topo.Lab) error {
	step("The spokes register with the hub: it learns which address on the internet each tunnel address has")
	start := time.Now()
	if err := labs.Registered("hub", "10.255.0.11", "10.255.0.12").Run(t); err != nil {
		return err
	}
	fmt.Printf("both registered %.1f s after naved was ready\n", time.Since(start).Seconds())
	return show(t, "hub", "show ip nhrp")
}

// throughTheHub shows the first packet's way.
func throughTheHub(t *topo.Lab) error {
	step("Host 1 pings host 2. Spoke 1 has one route for all sites, to the hub: the first packet goes there")
	ttl, err := ping(t)
	if err != nil {
		return err
	}
	fmt.Printf("-> the answer's TTL is %d, so it came by %d routers: spoke 2, %sspoke 1\n", ttl, 64-ttl, map[bool]string{true: "hub, "}[ttl == 61])
	return nil
}

// directly waits for the shortcut.
func directly(t *topo.Lab) error {
	step("The hub told spoke 1 that there is a shorter way. Spoke 1 asked for spoke 2's address, and goes there directly")
	if err := labs.Direct("host1", "10.2.0.7").Run(t); err != nil {
		return err
	}
	ttl, err := ping(t)
	if err != nil {
		return err
	}
	fmt.Printf("-> the answer's TTL is %d, so it came by %d routers: the hub is out of the way\n", ttl, 64-ttl)
	return nil
}

func ping(t *topo.Lab) (ttl int, err error) {
	out, err := t.Run("host1", "ping", "-n", "-c", "1", "-W", "2", "10.2.0.7")
	if err != nil {
		return 0, err
	}
	lines := strings.Split(out, "\n")
	fmt.Println("host1$ ping -c 1 10.2.0.7")
	for _, l := range lines {
		_, after, ok := strings.Cut(l, "ttl=")
		if ok {
			fmt.Println(l)
			_, err = fmt.Sscanf(after, "%d", &ttl)
		}
	}
	return ttl, err
}

// tables shows what each router knows.
func tables(t *topo.Lab) error {
	step("What each router knows of its peers")
	for _, r := range t.Topology.Routers() {
		for _, c := range []string{"show dmvpn", "show ip nhrp"} {
			if err := show(t, r, c); err != nil {
				return err
			}
		}
	}
	return nil
}

// throughput runs iperf3 between the hosts.
func throughput(t *topo.Lab) error {
	const seconds = "5"
	step("Throughput from host 1 to host 2, %s seconds of TCP. Hosts, routers and internet share this machine's cores", seconds)
	if _, err := t.Run("host2", "iperf3", "--server", "--one-off", "--daemon"); err != nil {
		return err
	}
	var out string
	err := topo.Eventually(5*time.Second, func() (err error) {
		out, err = t.Run("host1", "iperf3", "--client", "10.2.0.7", "--time", seconds, "--format", "m", "--connect-timeout", "1000")
		return err
	})
	if err != nil {
		return err
	}
	for _, l := range strings.Split(out, "\n") {
		if strings.Contains(l, "sender") || strings.Contains(l, "receiver") {
			fmt.Println(l)
		}
	}
	if err := show(t, "spoke1", "show crypto session"); err != nil {
		return err
	}
	return show(t, "spoke1", "show fastpath")
}

// show prints a show command of a router as a terminal would have it.
func show(t *topo.Lab, router, command string) error {
	out, err := t.Nave(router, strings.Fields(command)...)
	if err != nil {
		return err
	}
	fmt.Printf("\n%s# %s\n%s", router, command, out)
	if !strings.HasSuffix(out, "\n") {
		fmt.Fprintln(os.Stdout)
	}
	return nil
}

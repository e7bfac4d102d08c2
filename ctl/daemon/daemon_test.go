package daemon

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"nave/ctl/config"
)

func TestParsePorts(t *testing.T) {
	for _, c := range []struct {
		flags []string
		want  map[string]string
		err   string
	}{
		{nil, map[string]string{}, ""},
		{[]string{"Ethernet0=eth0"}, map[string]string{"Ethernet0": "eth0"}, ""},
		{[]string{"e0=eth0", "Gi0/1=enp3s0f1"}, map[string]string{"Ethernet0": "eth0", "GigabitEthernet0/1": "enp3s0f1"}, ""},
		{[]string{"e0=a=b"}, map[string]string{"Ethernet0": "a=b"}, ""},
		{[]string{"Ethernet0"}, nil, "want INTERFACE=NETDEV"},
		{[]string{"Ethernet0="}, nil, "want INTERFACE=NETDEV"},
		{[]string{"=eth0"}, nil, "want INTERFACE=NETDEV"},
		{[]string{"eth0=Ethernet0x"}, map[string]string{"Ethernet0": "Ethernet0x"}, ""},
		{[]string{"Frobnicator0=eth0"}, nil, "want INTERFACE=NETDEV"},
		{[]string{"Ethernet0=eth0", "e0=eth1"}, nil, "Ethernet0 has a netdev already"},
		{[]string{"Ethernet0=eth0", "Ethernet1=eth0"}, nil, "eth0 is Ethernet0 already"},
		{[]string{"Tunnel0=eth0"}, nil, "Tunnel0 is no port"},
		{[]string{"lo0=eth0"}, nil, "Loopback0 is no port"},
		{[]string{"Ethernet0.10=eth0"}, nil, "Ethernet0.10 is no port"},
	} {
		got, err := parsePorts(c.flags)
		if c.err != "" {
			if err == nil || !strings.Contains(err.Error(), c.err) || !strings.Contains(err.Error(), "--port ") {
				t.Errorf("%v: %v, want %q", c.flags, err, c.err)
			}
			continue
		}
		if err != nil || !maps.Equal(got, c.want) {
			t.Errorf("%v: %v, %v; want %v", c.flags, got, err, c.want)
		}
	}
}

// loadText loads a configuration and returns what was printed on standard error, and logged.
func loadText(t *testing.T, text string) (tree *config.Config, printed, logged string, err error) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "nave.cfg")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	stderr := os.Stderr
	os.Stderr = w
	var log bytes.Buffer
	tree, found, loadErr := load(file)
	os.Stderr = stderr
	w.Close()
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	if loadErr == nil {
		(&Daemon{log: slog.New(slog.NewTextHandler(&log, nil))}).warn(tree, nil, found)
	}
	return tree, string(b), log.String(), loadErr
}

func TestLoad(t *testing.T) {
	const good = "hostname box\ninterface Ethernet0\n ip address 192.0.2.1 255.255.255.0\n"
	tree, printed, _, err := loadText(t, good)
	if err != nil || tree.Hostname != "box" || printed != "" {
		t.Errorf("a good configuration: %v, printed %q", err, printed)
	}
	for _, c := range []struct{ name, text, printed string }{
		{"unknown command", good + "frobnicate 7\n", "nave.cfg:4:1: error: "},
		{"a name that is not defined", good + "interface Tunnel0\n tunnel source Ethernet0\n tunnel mode gre multipoint\n tunnel protection ipsec profile NONE\n", "NONE"},
		{"bad value", good + "interface Tunnel0\n tunnel key 99999999999\n", "nave.cfg:5:"},
	} {
		tree, printed, _, err := loadText(t, c.text)
		count := fmt.Sprintf("has %d errors", strings.Count(printed, "\n"))
		if err == nil || tree != nil || !strings.Contains(err.Error(), count) || !strings.Contains(err.Error(), "nave check ") {
			t.Errorf("%s: %v, %v", c.name, tree, err)
		}
		if !strings.Contains(printed, c.printed) {
			t.Errorf("%s: printed %q, want %q", c.name, printed, c.printed)
		}
	}
	// Warnings are logged, and keep nothing from being used.
	tree, printed, logged, err := loadText(t, good+"interface Tunnel0\n ip address 10.0.0.1 255.255.255.0\n ip nhrp network-id 1\n ip nhrp authentication topsecrt\n tunnel source Ethernet0\n tunnel mode gre multipoint\n")
	if err != nil || tree == nil || printed != "" || !strings.Contains(logged, "WARN") {
		t.Errorf("a warning: %v, printed %q, logged %q", err, printed, logged)
	}
	if strings.Contains(logged, "topsecrt") {
		t.Errorf("a secret was logged: %s", logged)
	}
	if _, _, err := load(filepath.Join(t.TempDir(), "none.cfg")); err == nil || !strings.Contains(err.Error(), "none.cfg") {
		t.Errorf("a file that is not there: %v", err)
	}
}

func TestChanges(t *testing.T) {
	parse := func(text string) *config.Config {
		c, diags := config.Parse("x.cfg", []byte(text))
		if diags.HasErrors() {
			t.Fatal(diags)
		}
		return c
	}
	const base = "interface Ethernet0\n ip address 192.0.2.1 255.255.255.0\n"
	for _, c := range []struct{ before, after, want string }{
		{base, base, "none"},
		{base, base + "ip route 10.0.0.0 255.0.0.0 192.0.2.2\n", "1 routes"},
		{base, strings.Replace(base, "192.0.2.1", "192.0.2.3", 1), "Ethernet0"},
		{base, "hostname other\n" + base, "hostname"},
		{base, "ip host a 192.0.2.9\n" + base, "other settings"},
		{base, base + "crypto isakmp key s3cret address 0.0.0.0\ncrypto ikev2 keyring K\ncrypto ipsec transform-set T esp-gcm\nlogging host 192.0.2.9\ncrypto pki trustpoint T\n", "logging, crypto isakmp, crypto ikev2, crypto ipsec, crypto pki"},
		{base, base + "ip vrf red\n rd 1:1\n", "VRF red"},
		{base, base + "router bgp 1\n neighbor 192.0.2.7 remote-as 1\n", "router bgp"},
		{base, base + "router eigrp 7\n network 192.0.2.0\nkey chain K\n key 1\n  key-string s3cret\n", "router eigrp 7, key chain K"},
		{base, base + "access-list 7 permit any\nip prefix-list P permit 10.0.0.0/8\nroute-map M permit 10\nip route import kernel\n",
			"access list 7, prefix list P, route map M, ip route import kernel"},
		{base, base + "mpls label range 100 200\n", "labels"},
		{base, "platform hardware profile sup720-3b\n" + base, "platform hardware"},
		{base, "fastpath count 2\n" + base, "fastpath, from the next start on"},
		{base, "fastpath poll strict\n" + base + "ip route 10.0.0.0 255.0.0.0 192.0.2.2\n", "1 routes, fastpath, from the next start on"},
	} {
		if got := changes(parse(c.before), parse(c.after)); got != c.want {
			t.Errorf("from %q to %q: %q, want %q", c.before, c.after, got, c.want)
		}
	}
	if got := changes(nil, parse(base)); got != "unknown" {
		t.Errorf("from nothing: %q", got)
	}
}

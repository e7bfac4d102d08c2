package config

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
)

// change applies a fragment to the hub and returns the difference.
func change(t *testing.T, fragment string) Changes {
	t.Helper()
	old := mustParse(t, hubText)
	c, diags := old.Apply("fragment", []byte(fragment))
	if diags.HasErrors() {
		t.Fatal(diags.Err())
	}
	if !Diff(c, c.Clone()).Empty() || !Diff(old, old).Empty() {
		t.Fatal("a tree differs from itself")
	}
	return Diff(old, c)
}

func TestDiffInterfaces(t *testing.T) {
	for fragment, want := range map[string]string{
		"interface Tunnel3\n ip mtu 1300":                                          "changed Tunnel3 PartMTU",
		"interface Tunnel3\n shutdown":                                             "changed Tunnel3 PartAdmin",
		"interface Tunnel3\n bandwidth 9\n delay 7":                                "changed Tunnel3 PartMetric",
		"interface Tunnel3\n description x":                                        "changed Tunnel3 PartOther",
		"interface Tunnel3\n tunnel key 5":                                         "changed Tunnel3 PartTunnel",
		"interface Tunnel3\n tunnel source Loopback0":                              "changed Tunnel3 PartTunnel",
		"interface Tunnel3\n tunnel protection ipsec profile wheel shared":         "changed Tunnel3 PartProtection",
		"interface Tunnel3\n ip split-horizon eigrp 40":                            "changed Tunnel3 PartEIGRP",
		"interface Tunnel3\n mpls ip":                                              "changed Tunnel3 PartMPLS",
		"interface Tunnel3\n no tunnel mode gre multipoint":                        "changed Tunnel3 PartTunnel|PartOther",
		"ip vrf v\ninterface Tunnel3\n ip vrf forwarding v":                        "changed Tunnel3 PartVRF|PartAddress",
		"interface Ethernet1/1\n no ip address 172.31.2.1 255.255.255.0 secondary": "changed Ethernet1/1 PartAddress",
		"interface Loopback1":                                                      "added Loopback1 ",
		"no interface Loopback0":                                                   "removed Loopback0 ",
	} {
		d := change(t, fragment)
		var got []string
		for _, i := range d.Interfaces {
			got = append(got, fmt.Sprintf("%s %s %s", i.Kind, i.Name, partNames(i.Parts)))
			if !reflect.DeepEqual(i.NHRP, NHRPChange{}) {
				t.Errorf("%q: NHRP %+v", fragment, i.NHRP)
			}
		}
		if strings.Join(got, ", ") != want {
			t.Errorf("%q: %v; want %s", fragment, got, want)
		}
	}
}

func partNames(p InterfaceParts) string {
	names := []string{"PartVRF", "PartAddress", "PartMTU", "PartAdmin", "PartTunnel", "PartProtection", "PartNHRP", "PartMPLS", "PartEIGRP", "PartMetric", "PartOther"}
	var out []string
	for i, n := range names {
		if p>>i&1 == 1 {
			out = append(out, n)
		}
	}
	return strings.Join(out, "|")
}

func TestDiffNHRP(t *testing.T) {
	for fragment, want := range map[string]string{
		"ip nhrp holdtime 500":                               "{Network:false Parameters:true MapsAdded:[] MapsRemoved:[] MulticastChanged:false NHSAdded:[] NHSRemoved:[]}",
		"ip nhrp authentication x":                           "{Network:true Parameters:false MapsAdded:[] MapsRemoved:[] MulticastChanged:false NHSAdded:[] NHSRemoved:[]}",
		"ip nhrp network-id 5":                               "{Network:true Parameters:false MapsAdded:[] MapsRemoved:[] MulticastChanged:false NHSAdded:[] NHSRemoved:[]}",
		"no ip nhrp map multicast dynamic":                   "{Network:false Parameters:false MapsAdded:[] MapsRemoved:[] MulticastChanged:true NHSAdded:[] NHSRemoved:[]}",
		"ip nhrp map 172.30.3.9 192.0.2.9\nip nhrp redirect": "{Network:false Parameters:true MapsAdded:[{Protocol:172.30.3.9/32 NBMA:192.0.2.9}] MapsRemoved:[] MulticastChanged:false NHSAdded:[] NHSRemoved:[]}",
	} {
		d := change(t, "interface Tunnel3\n"+fragment)
		if len(d.Interfaces) != 1 || d.Interfaces[0].Parts != PartNHRP {
			t.Fatalf("%q: %+v", fragment, d.Interfaces)
		}
		if got := fmt.Sprintf("%+v", d.Interfaces[0].NHRP); got != want {
			t.Errorf("%q:\n%s\nwant\n%s", fragment, got, want)
		}
	}
	old, c := mustParse(t, spokeText), mustParse(t, strings.ReplaceAll(spokeText, "ip nhrp nhs 172.30.3.1", "ip nhrp nhs 172.30.3.2 priority 5"))
	n := Diff(old, c).Interfaces[0].NHRP
	if len(n.NHSAdded) != 1 || n.NHSAdded[0].Priority != 5 || len(n.NHSRemoved) != 1 || n.Parameters {
		t.Errorf("%+v", n)
	}
}

// TestDiffParts names the one part that each fragment changes, and asserts that no other is named.
func TestDiffParts(t *testing.T) {
	for fragment, want := range map[string]string{
		"hostname x":                        "Hostname",
		"ip vrf v":                          "VRFs",
		"ip route 10.0.0.0 255.0.0.0 Null0": "RoutesAdded",
		"no ip route 0.0.0.0 0.0.0.0":       "RoutesRemoved",
		"ip route 0.0.0.0 0.0.0.0 198.51.100.254 7 name uplink":  "RoutesAdded RoutesRemoved",
		"ip route import kernel":                                 "KernelImport",
		"crypto isakmp keepalive 10":                             "ISAKMP",
		"crypto isakmp policy 9":                                 "Policies",
		"crypto isakmp key x address 10.0.0.1":                   "KeysAdded",
		"crypto isakmp key y address 198.51.100.0 255.255.255.0": "KeysAdded KeysRemoved",
		"crypto keyring k":                                       "Keyrings",
		"crypto isakmp profile k":                                "ISAKMPProfiles",
		"crypto ikev2 dpd 10 2 periodic":                         "IKEv2",
		"crypto ikev2 proposal k":                                "Proposals",
		"crypto ikev2 policy k":                                  "IKEv2Policies",
		"crypto ikev2 keyring k":                                 "IKEv2Keyrings",
		"crypto ikev2 profile k":                                 "IKEv2Profiles",
		"crypto ipsec df-bit set":                                "IPsec Protected",
		"crypto ipsec transform-set x esp-gcm":                   "TransformSets",
		"crypto ipsec transform-set gcm esp-gcm 128":             "TransformSets Protected",
		"crypto ipsec profile wheel\n set pfs group19":           "IPsecProfiles Protected",
		"crypto ipsec profile other":                             "IPsecProfiles",
		"crypto identity i":                                      "Identities",
		"crypto pki trustpoint t":                                "Trustpoints",
		"router bgp 1":                                           "BGP",
		"router bgp 1\n neighbor 10.0.0.1 remote-as 1\n address-family vpnv4\n neighbor 10.0.0.1 activate": "BGP BGPNeighbors BGPFamilies",
		"router eigrp 40\n variance 2":       "EIGRP",
		"key chain k":                        "KeyChains",
		"ip access-list standard a":          "AccessLists",
		"ip prefix-list p permit 10.0.0.0/8": "PrefixLists",
		"route-map r":                        "RouteMaps",
		"mpls ldp graceful-restart":          "MPLS",
		"logging dmvpn":                      "Logging",
		"call admission limit 50":            "CallAdmission",
		"mls mpls tunnel-recursive":          "Platform",
		"fastpath poll strict":               "Fastpath",
		"enable secret x":                    "Other",
		"ip cef":                             "Other",
		"":                                   "",
	} {
		d := reflect.ValueOf(change(t, fragment))
		var got []string
		for i := range d.NumField() {
			if f := d.Field(i); !f.IsZero() {
				got = append(got, d.Type().Field(i).Name)
			}
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%q: %v; want %s", fragment, got, want)
		}
	}
}

func TestChangeKinds(t *testing.T) {
	a := mustParse(t, "ip vrf a\n rd 1:1\nip vrf b\n")
	b := mustParse(t, "ip vrf a\n rd 1:2\nip vrf c\n")
	if got := fmt.Sprint(Diff(a, b).VRFs); got != "[{changed a} {added c} {removed b}]" {
		t.Error(got)
	}
}

package config

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"reflect"
	"regexp"
	"strings"
	"testing"
)

// secretive is a configuration with every secret that there can be, each of its own: Zq and a number.
const secretive = `hostname box
enable secret 0 Zq01word
username bob privilege 15 password 0 Zq02word of Zq03word
snmp-server community Zq04word RO
snmp-server host 192.0.2.9 version 2c Zq05word
snmp-server user u g v3 auth sha Zq06word priv aes 128 Zq07word
ntp server 192.0.2.8 key Zq08word
ip vrf RED
 rd 1:1
crypto keyring K
 pre-shared-key address 192.0.2.1 key Zq10word
 pre-shared-key hostname h.example key 0 Zq11word
crypto isakmp key Zq12word address 0.0.0.0 0.0.0.0
crypto isakmp key 0 Zq13word hostname g.example
crypto ikev2 keyring R
 peer P
  address 192.0.2.2
  pre-shared-key Zq14word
 peer Q
  address 192.0.2.3
  pre-shared-key local Zq15word
  pre-shared-key remote 0 Zq16word
key chain C
 key 1
  key-string Zq17word and more
interface Ethernet0
 ip address 192.0.2.7 255.255.255.0
interface Tunnel0
 ip address 10.0.0.1 255.255.255.0
 ip nhrp network-id 1
 ip nhrp authentication Zq18word
 tunnel source Ethernet0
 tunnel mode gre multipoint
router eigrp NAMED
 address-family ipv4 unicast autonomous-system 7
  af-interface Tunnel0
   authentication mode hmac-sha-256 Zq19word
router bgp 65000
 neighbor 10.0.0.2 remote-as 65000
 neighbor 10.0.0.2 password Zq20word
 neighbor spokes peer-group
 neighbor spokes password 0 Zq21word
mpls ldp neighbor 10.0.0.3 password Zq22word
mpls ldp neighbor vrf RED 10.0.0.4 password 0 Zq23word
line vty 0 4
 password Zq24word
`

var secretOf = regexp.MustCompile(`Zq\d\d\w*`)

// secretsIn are the secrets that a text has.
func secretsIn(text string) []string { return secretOf.FindAllString(text, -1) }

// No way to print a configuration that masks has a secret in it; the one that does not has all of them.
func TestAllSecretsAreMasked(t *testing.T) {
	c, diags := Parse("x.cfg", []byte(secretive))
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	all := secretsIn(secretive)
	if got := secretsIn(c.Running()); len(got) != len(all) {
		t.Errorf("%d secrets are kept, of %d:\n%s", len(got), len(all), c.Running())
	}
	var b strings.Builder
	if err := c.Write(&b, true); err != nil {
		t.Fatal(err)
	}
	asJSON, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	var log strings.Builder
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "config", c.ISAKMP.Keys, "key", c.Enable)
	for name, text := range map[string]string{"Masked": c.Masked(), "Write": b.String(), "JSON": withoutIgnored(string(asJSON)), "log": log.String()} {
		if got := secretsIn(text); len(got) > 0 {
			t.Errorf("%s shows %q:\n%s", name, got, text)
		}
	}
	if n := strings.Count(c.Masked(), masked); n < len(all)-1 { // one password has two
		t.Errorf("%d masks for %d secrets:\n%s", n, len(all), c.Masked())
	}
	if diags := Check(c); len(secretsIn(fmt.Sprint(diags))) > 0 {
		t.Errorf("checks say secrets: %v", diags)
	}
	// A difference is of masked texts, too.
	other := strings.ReplaceAll(secretive, "Zq", "Zq9")
	d, _ := Parse("y.cfg", []byte(other))
	if c.Masked() != d.Masked() {
		t.Error("what is masked tells two secrets apart")
	}
}

// withoutIgnored takes away what is kept as text: nothing prints that but the printer.
func withoutIgnored(text string) string {
	return regexp.MustCompile(`"(Ignored|Asides)":\[.*?\](,"|\})`).ReplaceAllString(text, "")
}

// Every field of a configuration that could be a secret by its name is of the type that masks itself.
func TestSecretsAreSecrets(t *testing.T) {
	seen := make(map[reflect.Type]bool)
	found := 0
	var walk func(t reflect.Type, path string)
	walk = func(typ reflect.Type, path string) {
		if seen[typ] {
			return
		}
		seen[typ] = true
		switch typ.Kind() {
		case reflect.Pointer, reflect.Slice, reflect.Array, reflect.Map:
			walk(typ.Elem(), path)
		case reflect.Struct:
			if typ.PkgPath() != reflect.TypeFor[Config]().PkgPath() {
				return
			}
			for f := range typ.NumField() {
				field := typ.Field(f)
				if field.Type == reflect.TypeFor[Secret]() {
					found++
				} else if regexp.MustCompile(`Password$|Secret$|^Key$|String$`).MatchString(field.Name) && field.Type.Kind() == reflect.String {
					t.Errorf("%s.%s is a %v, and no Secret", path, field.Name, field.Type)
				}
				walk(field.Type, path+"."+field.Name)
			}
		}
	}
	walk(reflect.TypeFor[Config](), "Config")
	if found < 9 {
		t.Errorf("only %d secrets in the tree", found)
	}
}

// A line with a secret that is written wrongly is refused without saying the secret: what is refused at the start is in the log.
func TestErrorsSayNoSecrets(t *testing.T) {
	lines := strings.Split(secretive, "\n")
	tried := 0
	for n, line := range lines {
		if len(secretsIn(line)) == 0 {
			continue
		}
		words := strings.Fields(line)
		indent := line[:len(line)-len(strings.TrimLeft(line, " "))]
		wrong := []string{line + " frobnicate", line + " 0 0 0"}
		for i, w := range words {
			if len(secretsIn(w)) > 0 {
				wrong = append(wrong, indent+strings.Join(append(append([]string{}, words[:i]...), append([]string{"7"}, words[i:]...)...), " "),
					indent+strings.Join(append(append([]string{}, words[:i]...), append([]string{"5"}, words[i:]...)...), " "),
					strings.Replace(line, w, strings.Repeat(w, 30), 1))
				continue
			}
			wrong = append(wrong, indent+strings.Join(append(append([]string{}, words[:i]...), append([]string{w + "x"}, words[i+1:]...)...), " "))
		}
		if strings.HasPrefix(line, " pre-shared-key address ") {
			wrong = append(wrong, strings.Replace(line, " key ", " ", 1))
		}
		for _, w := range wrong {
			text := strings.Join(append(append(append([]string{}, lines[:n]...), w), lines[n+1:]...), "\n")
			c, diags := Parse("x.cfg", []byte(text))
			diags = append(diags, Check(c)...)
			for _, d := range diags {
				tried++
				if got := secretsIn(d.String()); len(got) > 0 {
					t.Errorf("%q: %s", w, d)
				}
			}
			asText := regexp.MustCompile(`^(username|snmp-server|ntp) `).MatchString(w) // kept whatever it says: what is no password by its place is none
			if got := secretsIn(c.Masked()); len(got) > 0 && !asText {
				t.Errorf("%q shows %q", w, got)
			}
		}
	}
	if tried < 20 {
		t.Errorf("only %d findings", tried)
	}
}

func TestHide(t *testing.T) {
	p := &printer{mask: true}
	for line, want := range map[string]string{
		"username bob privilege 15 secret 5 $1$abc$def":              "username bob privilege 15 secret 5 ******",
		"username bob password two words":                            "username bob password ******",
		"snmp-server community public RO":                            "snmp-server community ****** RO",
		"snmp-server host 192.0.2.9 traps version 2c public":         "snmp-server host 192.0.2.9 traps version 2c ******",
		"snmp-server user u g v3 auth md5 abc priv aes 128 de":       "snmp-server user u g v3 auth md5 ****** priv aes 128 ******",
		"ip ssh version 2":                                           "ip ssh version 2",
		"ntp authentication-key 1 md5 abc 7":                         "ntp authentication-key 1 md5 ****** 7",
		"ntp authentication-key 12345 hmac-sha2-256 abc":             "ntp authentication-key 12345 hmac-sha2-256 ******",
		"ip ospf message-digest-key 10 md5 7 abc":                    "ip ospf message-digest-key 10 md5 7 ******",
		"ip ospf authentication-key 7 abc":                           "ip ospf authentication-key 7 ******",
		"standby 1 authentication md5 key-string 7 abc":              "standby 1 authentication md5 key-string 7 ******",
		"standby 1 authentication md5 key-string abc timeout 3":      "standby 1 authentication md5 key-string ****** timeout 3",
		"vrrp 1 authentication text abc":                             "vrrp 1 authentication text ******",
		"snmp-server user u g v3 auth sha-2 256 abc priv aes 256 de": "snmp-server user u g v3 auth sha-2 256 ****** priv aes 256 ******",
		"tacacs-server host 192.0.2.1 key 7 abc":                     "tacacs-server host 192.0.2.1 key 7 ******",
		"ntp server 192.0.2.8 key 7":                                 "ntp server 192.0.2.8 key ******",
	} {
		if got := p.hide(line); got != want {
			t.Errorf("%q: %q, want %q", line, got, want)
		}
	}
	if got := (&printer{}).hide("password x"); got != "password x" {
		t.Error(got)
	}
}

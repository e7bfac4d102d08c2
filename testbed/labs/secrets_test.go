package labs

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"nave/ctl/api"
	"nave/ctl/cli"
	"nave/testbed/topo"
)

// keysOfLab are the keys of the lab's configurations, and what stands there instead, which nothing else looks like.
var keysOfLab = map[string]string{"a-lab-has-no-secrets": "Zq1pre-shared-Xw7", "navelab": "Zq2nhrpK"}

// moreKeys are of protocols that the lab has none of.
const moreKeys = `
enable secret 0 Zq3enablePassword
username somebody privilege 15 password 0 Zq4userPassword
snmp-server community Zq5community RO
crypto isakmp key Zq6isakmpKey address 203.0.113.200
key chain EIGRP
 key 1
  key-string Zq7keyString
interface Tunnel0
 ip authentication mode eigrp 7 md5
 ip authentication key-chain eigrp 7 EIGRP
router eigrp 7
 network 10.255.0.0 0.0.0.255
 no auto-summary
router bgp 65000
 neighbor 10.255.0.1 remote-as 65000
 neighbor 10.255.0.1 password Zq8bgpPassword
mpls ldp neighbor 10.255.0.1 password Zq9ldpPassword
`

var keyOf = regexp.MustCompile(`Zq\d[\w-]+`)

// withKeys gives all routers of a lab keys that can be told from all else, and returns them.
func withKeys(lab *Lab) []string {
	var all []string
	for i := range lab.Topology.Nodes {
		n := &lab.Topology.Nodes[i]
		if n.Kind != topo.Router {
			continue
		}
		for old, key := range keysOfLab {
			n.Config = strings.ReplaceAll(n.Config, old, key)
		}
		more := moreKeys
		if n.Name == "hub" {
			more = strings.ReplaceAll(more, "neighbor 10.255.0.1 ", "neighbor 10.255.0.11 ")
		}
		n.Config = strings.TrimSuffix(strings.TrimSpace(n.Config), "end") + more + "end\n"
		all = append(all, keyOf.FindAllString(n.Config, -1)...)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// disguises are the forms that a key may be found in: itself, in hex, in base64 wherever it begins.
func disguises(key string) (list []string) {
	h := hex.EncodeToString([]byte(key))
	list = []string{key, h, strings.ToUpper(h), strings.Join(regexp.MustCompile("..").FindAllString(h, -1), " "), strings.Join(regexp.MustCompile("..").FindAllString(h, -1), ":")}
	for shift := range 3 { // what depends on the bytes before and behind is left out
		b := []byte(strings.Repeat("\x00", shift) + key)
		b = b[:len(b)/3*3]
		text := base64.StdEncoding.EncodeToString(b)
		list = append(list, text[(shift*8+5)/6:])
	}
	return list
}

// tells fails the test if a text has a key in it.
func tells(t *testing.T, keys []string, where, text string) {
	t.Helper()
	for _, k := range keys {
		for _, d := range disguises(k) {
			if i := strings.Index(text, d); i >= 0 {
				t.Errorf("%s tells the key %s: %q", where, k, text[max(0, i-80):min(len(text), i+len(d)+20)])
			}
		}
	}
}

var (
	optional = regexp.MustCompile(`\[[^\[\]]*\](\.\.\.)?`)
	choice   = regexp.MustCompile(`\{([^{}|]*)[^{}]*\}(\.\.\.)?`)
	argument = regexp.MustCompile(`<[^<>]*>(\.\.\.)?`)
)

// examples are lines of a command: with as little as it needs, and with words that may be added.
func examples(syntax string) []string {
	fill := func(s string) string {
		for choice.MatchString(s) {
			s = choice.ReplaceAllString(s, "$1")
		}
		s = argument.ReplaceAllStringFunc(s, func(a string) string {
			switch {
			case strings.Contains(a, ":ip>"):
				return "10.255.0.1"
			case strings.Contains(a, ":interface>"):
				return "Tunnel0"
			case strings.Contains(a, ":prefix>"):
				return "10.1.0.0/24"
			case strings.Contains(a, ":mask>"):
				return "255.255.255.0"
			case strings.Contains(a, ":asn>"):
				return "65000"
			}
			if m := regexp.MustCompile(`:(\d+)-`).FindStringSubmatch(a); m != nil {
				return m[1]
			}
			return "x"
		})
		return strings.Join(strings.Fields(strings.ReplaceAll(s, "~", "")), " ")
	}
	least, most := syntax, syntax
	for optional.MatchString(least) {
		least = optional.ReplaceAllString(least, "")
	}
	most = optional.ReplaceAllStringFunc(most, func(o string) string {
		if strings.Contains(o, "<") {
			return ""
		}
		return strings.Trim(o, "[].")
	})
	for optional.MatchString(most) {
		most = optional.ReplaceAllString(most, "")
	}
	return slices.Compact([]string{fill(least), fill(most)})
}

// No key of a protected lab is in anything that comes out of its daemons: commands as text and JSON, what is debugged, the log, metrics, the API, command lines of processes.
func TestNoKeyIsTold(t *testing.T) {
	t.Parallel()
	lab := protected()
	keys := withKeys(&lab)
	if len(keys) != len(keysOfLab)+7 {
		t.Fatalf("keys %q", keys)
	}
	l := topo.ForTest(t, lab.Topology)
	check(t, l, lab.Checks...)
	for _, words := range []string{"debug dmvpn all all", "debug nhrp packet", "debug nhrp extension"} {
		if out, err := l.Nave("hub", strings.Fields(words)...); err != nil {
			t.Errorf("%s: %v: %s", words, err, out)
		}
	}
	var followed bytes.Buffer
	var heard atomic.Int64 // bytes of it
	ctx, end := context.WithCancel(t.Context())
	done := make(chan error, 1)
	client := api.NewClient(l.Socket("hub"))
	go func() {
		done <- client.Follow(ctx, 7, func(line api.LogLine) {
			n, _ := fmt.Fprintf(&followed, "%+v\n", line)
			heard.Add(int64(n))
		})
	}()
	comes(t, func() error { // once somebody follows
		for _, words := range []string{"clear crypto session", "clear ip nhrp", "clear ip eigrp neighbors", "clear ip bgp *"} { // all begins again, and is debugged
			if out, err := l.Nave("hub", strings.Fields(words)...); err != nil {
				t.Errorf("%s: %v: %s", words, err, out)
			}
		}
		recovered(t, l)
		if n := heard.Load(); n < 2000 {
			return fmt.Errorf("%d bytes of log: is anything debugged?", n)
		}
		return nil
	})
	said := allCommands(t, client, keys)
	end()
	if err := <-done; err != nil {
		t.Error(err)
	}
	tells(t, keys, "the log that is followed", followed.String())
	if said < 50000 {
		t.Errorf("%d bytes of commands: is anything shown?", said)
	}
	tells(t, keys, "the log", logText(t, l, "hub"))
	tells(t, keys, "metrics", inHub(t, l, "http://127.0.0.1:9469/metrics"))
	rawAPI(t, l, keys)
	processesOf(t, l, keys)
}

// allCommands runs every command that shows something, as text and JSON. It returns how much they said.
func allCommands(t *testing.T, client *api.Client, keys []string) (said int) {
	t.Helper()
	for _, c := range cli.Commands() {
		first, _, _ := strings.Cut(c.Syntax, " ")
		if first != "show" && first != "explain" {
			continue
		}
		for _, line := range examples(c.Syntax) {
			for _, asJSON := range []bool{false, true} {
				var out bytes.Buffer
				s := &cli.Session{Daemon: client, Editor: client, Logs: client, Debugger: client, Explainer: client, Capturer: client, Pinger: client, Out: &out, JSON: asJSON}
				if err := s.Run(line); err != nil { // of a command that takes other words, or has nothing to show
					fmt.Fprintln(&out, err)
				}
				said += out.Len()
				tells(t, keys, line, out.String())
			}
		}
	}
	return said
}

// inHub asks a server of the hub's own.
func inHub(t *testing.T, l *topo.Lab, url string) string {
	t.Helper()
	var text string
	comes(t, func() error {
		return l.NS("hub").Do(func() error {
			c, err := net.Dial("tcp", strings.TrimPrefix(strings.TrimSuffix(url, "/metrics"), "http://"))
			if err != nil {
				return err
			}
			defer c.Close()
			_ = c.SetDeadline(time.Now().Add(10 * time.Second))
			fmt.Fprintf(c, "GET /metrics HTTP/1.0\r\n\r\n")
			b, err := io.ReadAll(c)
			if text = string(b); !strings.Contains(text, "nave_") {
				return fmt.Errorf("%s says %q: %w", url, text, err)
			}
			return nil
		})
	})
	return text
}

// rawAPI reads what the daemon answers, before a command makes text of it.
func rawAPI(t *testing.T, l *topo.Lab, keys []string) {
	t.Helper()
	c := &http.Client{Transport: &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) { return net.Dial("unix", l.Socket("hub")) }}}
	for _, path := range []string{"/v1/status", "/v1/flows?most=10", "/v1/greeting"} {
		res, err := c.Get("http://nave" + path)
		must(t, err)
		b, err := io.ReadAll(res.Body)
		res.Body.Close()
		must(t, err)
		if res.StatusCode != http.StatusOK || len(b) == 0 {
			t.Errorf("%s: %s", path, res.Status)
		}
		tells(t, keys, path, string(b))
	}
}

// processesOf looks at the command lines and environments of naved and its workers, at what they may leave behind, and at what lies in the run directory.
func processesOf(t *testing.T, l *topo.Lab, keys []string) {
	t.Helper()
	for _, pid := range append(workers(t, l, "hub"), l.PIDs["hub"]) {
		for _, name := range []string{"cmdline", "environ", "comm"} {
			text, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", pid, name))
			must(t, err)
			tells(t, keys, fmt.Sprintf("%s of process %d", name, pid), string(text))
		}
	}
	must(t, filepath.WalkDir(l.RunDir("hub"), func(path string, d os.DirEntry, err error) error {
		var info os.FileInfo
		if err == nil {
			info, err = d.Info()
		}
		if errors.Is(err, os.ErrNotExist) && path != l.RunDir("hub") {
			return nil // naved has taken away what it wrote there a moment ago
		} else if err != nil {
			return err
		}
		open := os.FileMode(0o077)
		if path == l.RunDir("hub") || path == l.Socket("hub") {
			open = 0o067 // where there is a group nave
		}
		if path != l.Socket("hub") && info.Mode().Perm()&open != 0 {
			t.Errorf("%s is open to others: %v", path, info.Mode())
		}
		return nil
	}))
}

// A key is found in each of its forms, wherever it begins in what it is a part of.
func TestDisguises(t *testing.T) {
	const key = "Zq1pre-shared-Xw7"
	found := func(text string) bool {
		return slices.ContainsFunc(disguises(key), func(d string) bool { return strings.Contains(text, d) })
	}
	for shift := range 7 {
		text := []byte(strings.Repeat("\xa5", shift) + key + "\x5a\xa5\x5a")
		for name, form := range map[string]string{"clear": string(text), "hex": hex.EncodeToString(text), "dump": fmt.Sprintf("% x", text), "base64": base64.StdEncoding.EncodeToString(text), "raw": base64.RawStdEncoding.EncodeToString(text)} {
			if !found(form) {
				t.Errorf("%s, %d bytes in: %q is not found", name, shift, form)
			}
		}
	}
	if found("Zq1pre-shared-Xw8") {
		t.Error("another key is found")
	}
}

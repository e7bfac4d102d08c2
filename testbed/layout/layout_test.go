// Package layout is the architecture as a test: who may import whom, how long files and functions may be, that every
// package says what it is.
package layout

import (
	"bytes"
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// Limits of length, in lines.
const (
	maxFile     = 600
	maxFunction = 80
)

// pkg is what `go list` says of a package.
type pkg struct {
	ImportPath                string
	Dir                       string
	Doc                       string
	Imports                   []string
	GoFiles                   []string
	TestGoFiles, XTestGoFiles []string
}

func list(t *testing.T) map[string]pkg {
	t.Helper()
	out, err := exec.Command("go", "list", "-pgo=off", "-json=ImportPath,Dir,Doc,Imports,GoFiles,TestGoFiles,XTestGoFiles", "nave/...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	pkgs := make(map[string]pkg)
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var p pkg
		if err := d.Decode(&p); err == io.EOF {
			return pkgs
		} else if err != nil {
			t.Fatal(err)
		}
		pkgs[strings.TrimPrefix(p.ImportPath, "nave/")] = p
	}
}

// ours are the imports of a package that are nave's own.
func (p pkg) ours() []string {
	var out []string
	for _, i := range p.Imports {
		if rest, ok := strings.CutPrefix(i, "nave/"); ok {
			out = append(out, rest)
		}
	}
	return out
}

// rules say what packages may import of ours. The first rule whose pattern fits counts; a pattern ending in /... covers
// what is below. Allowed entries have the same form.
var rules = []struct {
	of    string
	allow []string
	why   string
}{
	{"fastpath/packet", nil, "header bytes know nothing of tables"},
	{"fastpath/fib", nil, "the nouns stand alone"},
	{"fastpath/port", nil, "a port knows frames only"},
	{"fastpath/port/...", []string{"fastpath/port"}, "a port knows frames only"},
	{"fastpath/internal/table", []string{"fastpath/fib", "fastpath/packet", "fastpath/internal/arena"}, "tables live in the arena"},
	{"fastpath/internal/sa", []string{"fastpath/fib", "fastpath/internal/arena", "fastpath/internal/aesgcm", "fastpath/internal/aescbc"}, "cryptography knows bytes, and algorithms by their numbers"},
	{"fastpath/internal/aesgcm", []string{"fastpath/internal/aeskey"}, "a kernel knows bytes and keys"},
	{"fastpath/internal/aescbc", []string{"fastpath/internal/aeskey"}, "a kernel knows bytes and keys"},
	{"fastpath/internal/...", nil, "rings, arena and pinning stand alone"},
	{"fastpath", []string{"fastpath/..."}, "the fast path knows no protocol, no profile and no operator"},
	{"bpf", nil, "steering stands alone"},
	{"slowpath/nhrp/nhrpmsg", nil, "a codec stands alone"},
	{"slowpath/nbma", nil, "a name of a peer is a value"},
	{"slowpath/trace", nil, "what is wanted to be seen is a value"},
	{"slowpath/nhrp", []string{"slowpath/nhrp/nhrpmsg", "slowpath/nbma", "slowpath/trace"}, "a protocol knows its own codec, and no other protocol"},
	{"slowpath/ldp/ldpmsg", nil, "a codec stands alone"},
	{"slowpath/ldp", []string{"slowpath/ldp/ldpmsg", "slowpath/timers"}, "a protocol knows its own codec, and no other protocol"},
	{"slowpath/eigrp/eigrpmsg", nil, "a codec stands alone"},
	{"slowpath/eigrp", []string{"slowpath/eigrp/eigrpmsg", "slowpath/timers"}, "a protocol knows its own codec, and no other protocol"},
	{"slowpath/ike/ikemsg", nil, "a codec stands alone"},
	{"slowpath/ike/suite", nil, "algorithms stand alone"},
	{"slowpath/ike/ikev1/ikev1msg", []string{"slowpath/ike/ikemsg"}, "a codec knows bytes only"},
	{"slowpath/ike/ikev2/ikev2msg", []string{"slowpath/ike/ikemsg"}, "a codec knows bytes only"},
	{"slowpath/ike", []string{"slowpath/ike/suite", "slowpath/ike/ikemsg", "slowpath/trace"}, "what IKE says to the rest knows no version"},
	{"slowpath/ike/ikev1", []string{"slowpath/ike", "slowpath/ike/suite", "slowpath/ike/ikemsg", "slowpath/ike/ikev1/ikev1msg", "slowpath/trace"}, "a version knows its own codec, and not the other version"},
	{"slowpath/ike/ikev2", []string{"slowpath/ike", "slowpath/ike/suite", "slowpath/ike/ikemsg", "slowpath/ike/ikev2/ikev2msg", "slowpath/trace"}, "a version knows its own codec, and not the other version"},
	{"slowpath/ike/iketest", []string{"slowpath/ike", "slowpath/ike/ikemsg", "slowpath/trace"}, "a rig for the tests of both versions knows neither"},
	{"slowpath/bgp/bgpmsg", nil, "a codec stands alone"},
	{"slowpath/bgp", []string{"slowpath/bgp/bgpmsg"}, "a protocol knows its own codec, and no other protocol"},
	{"slowpath/dmvpn", []string{"slowpath/ike", "slowpath/ike/suite", "slowpath/nhrp", "slowpath/nbma", "fastpath/fib"}, "a session joins NHRP, IKE and the fast path's associations"},
	{"slowpath/loop", nil, "the loop turns any machine"},
	{"slowpath/timers", nil, "a heap and no clock"},
	{"slowpath/label", nil, "labels are numbers"},
	{"slowpath/reassembly", []string{"fastpath/packet"}, "bytes only"},
	{"slowpath/icmp", []string{"fastpath/packet"}, "bytes only"},
	{"slowpath/rib", []string{"fastpath/fib", "slowpath/nbma"}, "the RIB speaks in entries"},
	{"slowpath/host", []string{"slowpath/host/nic"}, "Linux only"},
	{"slowpath/host/nic", nil, "Linux only"},
	{"slowpath/host/nic/nictest", []string{"slowpath/host/nic"}, "an imitation of a driver"},
	{"slowpath/punt", []string{"fastpath"}, "reasons only"},
	{"slowpath", []string{"slowpath/...", "fastpath", "fastpath/fib", "fastpath/packet"}, "it runs the protocols"},
	{"hwprofiles", []string{"fastpath/fib"}, "hardware is data: no configuration, no packet"},
	{"ctl/config/grammar", nil, "a grammar knows no commands"},
	{"ctl/logs/message", nil, "what the log is made of, as values"},
	{"ctl/logs", []string{"ctl/logs/message"}, "the log and where it goes, whoever says what"},
	{"ctl/password", nil, "hashes stand alone"},
	{"ctl/config", []string{"ctl/config/grammar", "ctl/password", "ctl/logs/message"}, "a configuration is a value"},
	{"ctl/revision", []string{"ctl/config"}, "configurations and time, no file and no box"},
	{"ctl/hardware", []string{"ctl/config", "hwprofiles"}, "what hardware would do with a configuration"},
	{"ctl/probe", []string{"fastpath/packet"}, "ping knows sockets and bytes"},
	{"ctl/usage", []string{"ctl/show", "fastpath"}, "samples to shares and rates"},
	{"ctl/capture", []string{"fastpath", "fastpath/fib", "fastpath/packet"}, "copies of packets, whoever captures them"},
	{"ctl/debug", []string{"slowpath/trace"}, "what is debugged is a value"},
	{"ctl/doctor", []string{"ctl/config", "ctl/api/peer", "slowpath/host/nic"}, "it looks at the machine, by what a configuration wants"},
	{"ctl/show", []string{"ctl/capture", "ctl/doctor", "ctl/debug", "slowpath/trace", "slowpath/nbma", "slowpath/nhrp/nhrpmsg", "hwprofiles", "ctl/probe", "ctl/logs/message", "fastpath", "fastpath/fib", "fastpath/port/afxdp", "bpf", "slowpath", "slowpath/eigrp", "slowpath/eigrp/eigrpmsg", "slowpath/nhrp", "slowpath/ike", "slowpath/ike/suite", "slowpath/dmvpn", "slowpath/rib", "slowpath/bgp", "slowpath/ldp", "slowpath/reassembly", "slowpath/host/nic"}, "status values to text"},
	{"ctl/api/peer", nil, "a question to the kernel"},
	{"ctl/api", []string{"ctl/capture", "ctl/api/peer", "ctl/debug", "ctl/probe", "ctl/show", "ctl/logs/message"}, "it carries status values"},
	{"ctl/cli", []string{"ctl/capture", "ctl/doctor", "ctl/debug", "hwprofiles", "ctl/probe", "ctl/logs/message", "ctl/api", "ctl/show", "ctl/config/grammar", "slowpath/bgp"}, "the command line talks to the API"},
	{"ctl/metrics", []string{"ctl/show", "hwprofiles", "fastpath", "fastpath/...", "slowpath/..."}, "status values to numbers"},
	{"ctl/shell", []string{"ctl/api", "ctl/cli", "ctl/show", "ctl/config", "ctl/config/grammar", "ctl/password"}, "a shell reads lines, and others do what they say"},
	{"ctl/top", []string{"ctl/show"}, "what is shown is made in show"},
	{"ctl/crew", []string{"fastpath", "fastpath/fib", "fastpath/port", "fastpath/port/afxdp"}, "it runs workers, whatever they forward for"},
	{"ctl/gateway", []string{"ctl/capture", "hwprofiles", "ctl/hardware", "ctl/config", "ctl/config/...", "ctl/crew", "ctl/show", "slowpath", "slowpath/...", "fastpath", "fastpath/...", "bpf"}, "the composition root is below the API"},
	{"ctl/daemon", []string{"hwprofiles", "ctl/...", "fastpath", "fastpath/fib", "slowpath", "slowpath/..."}, "naved: whatever a box needs"},
	{"ctl/cmd/...", []string{"hwprofiles", "ctl/..."}, "mains are tiny"},
	{"perf", []string{"..."}, "measures anything"},
	{"perf/...", []string{"..."}, "measures anything"},
	{"testbed/...", []string{"..."}, "tests anything"},
}

func fits(pattern, path string) bool {
	if pattern == "..." {
		return true
	}
	if base, ok := strings.CutSuffix(pattern, "/..."); ok {
		return strings.HasPrefix(path, base+"/")
	}
	return pattern == path
}

func TestImports(t *testing.T) {
	pkgs := list(t)
	for path, p := range pkgs {
		k := slices.IndexFunc(rules, func(r struct {
			of    string
			allow []string
			why   string
		}) bool {
			return fits(r.of, path)
		})
		if k < 0 {
			t.Errorf("package %s has no rule: say in this test what it may import", path)
			continue
		}
		for _, i := range p.ours() {
			if !slices.ContainsFunc(rules[k].allow, func(a string) bool { return fits(a, i) }) {
				t.Errorf("%s must not import %s: %s", path, i, rules[k].why)
			}
		}
	}
	for _, r := range rules {
		found := false
		for path := range pkgs {
			found = found || fits(r.of, path)
		}
		if !found && r.of != "perf/..." {
			t.Errorf("the rule for %s fits no package", r.of)
		}
	}
}

// Rigs and imitations for tests, whose names end in test, are part of no program: the files of tests alone import them.
func TestRigs(t *testing.T) {
	for path, p := range list(t) {
		for _, i := range p.ours() {
			if strings.HasSuffix(i, "test") {
				t.Errorf("%s imports %s, which is for tests", path, i)
			}
		}
	}
}

// Only these may be unsafe: rings and memory shared with the kernel or between processes, and structures that the kernel takes by a pointer.
var unsafePackages = []string{"ctl/api/peer", "slowpath/host/nic", "fastpath/port/afxdp", "fastpath/internal/arena", "fastpath/internal/table", "fastpath/internal/ring", "fastpath/internal/pin", "fastpath/internal/aeskey", "fastpath/internal/aesgcm", "fastpath/internal/aescbc"}

func TestUnsafe(t *testing.T) {
	for path, p := range list(t) {
		if slices.Contains(p.Imports, "unsafe") && !slices.Contains(unsafePackages, path) {
			t.Errorf("%s imports unsafe", path)
		}
	}
}

// The protocols have no clock, no socket and no goroutine: time is an argument.
func TestStepFunctions(t *testing.T) {
	for _, path := range []string{"slowpath", "slowpath/dmvpn", "slowpath/eigrp", "slowpath/eigrp/eigrpmsg", "slowpath/ike", "slowpath/ike/ikev1", "slowpath/ike/ikev2", "slowpath/ldp", "slowpath/ldp/ldpmsg", "slowpath/nhrp", "slowpath/nhrp/nhrpmsg", "slowpath/rib", "slowpath/reassembly", "slowpath/icmp", "slowpath/punt", "slowpath/timers", "slowpath/trace"} {
		p := list(t)[path]
		for _, bad := range []string{"net", "os", "sync", "context"} {
			if slices.Contains(p.Imports, bad) {
				t.Errorf("%s imports %s", path, bad)
			}
		}
		for _, f := range p.GoFiles {
			text, err := os.ReadFile(filepath.Join(p.Dir, f))
			if err != nil {
				t.Fatal(err)
			}
			for _, bad := range []string{"time.Now(", "time.Since(", "time.AfterFunc(", "time.Sleep("} {
				if bytes.Contains(text, []byte(bad)) {
					t.Errorf("%s/%s reads the clock: %s", path, f, bad)
				}
			}
		}
	}
}

func TestPackageDocs(t *testing.T) {
	for path, p := range list(t) {
		if len(p.GoFiles) > 0 && p.Doc == "" {
			t.Errorf("package %s has no doc comment", path)
		}
	}
}

func generated(name string) bool {
	return strings.HasSuffix(name, "_bpfel.go")
}

func TestLengths(t *testing.T) {
	for path, p := range list(t) {
		for _, name := range slices.Concat(p.GoFiles, p.TestGoFiles, p.XTestGoFiles) {
			if generated(name) {
				continue
			}
			fset := token.NewFileSet()
			f, err := parser.ParseFile(fset, filepath.Join(p.Dir, name), nil, parser.SkipObjectResolution)
			if err != nil {
				t.Fatal(err)
			}
			if n := fset.Position(f.FileEnd).Line - 1; n > maxFile {
				t.Errorf("%s/%s has %d lines, at most %d", path, name, n, maxFile)
			}
			for _, d := range f.Decls {
				fn, ok := d.(*ast.FuncDecl)
				if !ok || strings.HasSuffix(name, "_test.go") {
					continue
				}
				if n := fset.Position(fn.End()).Line - fset.Position(fn.Pos()).Line + 1; n > maxFunction {
					t.Errorf("%s/%s: %s has %d lines, at most %d", path, name, fn.Name.Name, n, maxFunction)
				}
			}
		}
	}
}

// Tests skip only through testbed/need, which knows NAVE_REQUIRE.
func TestSkips(t *testing.T) {
	for path, p := range list(t) {
		if path == "testbed/need" || path == "testbed/layout" {
			continue
		}
		for _, name := range slices.Concat(p.TestGoFiles, p.XTestGoFiles) {
			text, err := os.ReadFile(filepath.Join(p.Dir, name))
			if err != nil {
				t.Fatal(err)
			}
			for _, bad := range []string{".Skip(", ".Skipf(", ".SkipNow("} {
				if bytes.Contains(text, []byte(bad)) {
					t.Errorf("%s/%s skips by itself: use testbed/need", path, name)
				}
			}
		}
	}
}

// Names that say nothing.
func TestNames(t *testing.T) {
	for path, p := range list(t) {
		for _, bad := range []string{"util", "utils", "helper", "helpers", "common", "misc"} {
			if filepath.Base(path) == bad {
				t.Errorf("package %s: a name that says nothing", path)
			}
			if slices.Contains(p.GoFiles, bad+".go") {
				t.Errorf("%s/%s.go: a name that says nothing", path, bad)
			}
		}
	}
}

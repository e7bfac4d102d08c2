package hwprofiles

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const docs = "../docs/hardware.md"

// between returns a page with what stands between two marks replaced, and what stood there.
func between(t *testing.T, page, mark, text string) (replaced, old string) {
	t.Helper()
	first, last := "<!-- "+mark+" -->\n", "<!-- end of "+mark+" -->"
	before, rest, ok := strings.Cut(page, first)
	old, after, ok2 := strings.Cut(rest, last)
	if !ok || !ok2 {
		t.Fatalf("%s has no marks %q", docs, mark)
	}
	return before + first + text + last + after, old
}

func cell(s string) string { return strings.ReplaceAll(s, "|", "\\|") }

// The page about hardware names every key of a file and of values, with kind, unit and range.
func TestDocs(t *testing.T) {
	file := "\n| key | is |\n| --- | --- |\n"
	for _, k := range topKeys {
		file += fmt.Sprintf("| `%s` | %s |\n", k.name, cell(k.help))
	}
	values := "\n| key | kind | unit | range | says |\n| --- | --- | --- | --- | --- |\n"
	for _, k := range Keys() {
		span := ""
		switch {
		case k.Kind == KindNumber:
			span = plain(k.Min) + " to " + plain(k.Max)
		case k.allowed != nil:
			span = strings.Join(k.allowed, ", ")
		}
		kind := k.Kind.String()
		if k.Whole {
			kind = "whole number"
		}
		values += fmt.Sprintf("| `%s` | %s | %s | %s | %s |\n", k.Name, kind, k.Unit, span, cell(k.Help))
	}
	b, err := os.ReadFile(docs)
	if err != nil {
		t.Fatal(err)
	}
	page, was := between(t, string(b), "file", file+"\n")
	if os.Getenv("UPDATE") == "" && was != file+"\n" {
		t.Error("the keys of a file in docs/hardware.md are not what they are; UPDATE=1 writes them anew")
	}
	page, was = between(t, page, "keys", values+"\n")
	if os.Getenv("UPDATE") == "" && was != values+"\n" {
		t.Error("the keys of values in docs/hardware.md are not what they are; UPDATE=1 writes them anew")
	}
	if os.Getenv("UPDATE") != "" {
		if err := os.WriteFile(docs, []byte(page), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// The profiles in the page can be loaded, and the variants make what it says.
func TestDocumentedProfiles(t *testing.T) {
	b, err := os.ReadFile(docs)
	if err != nil {
		t.Fatal(err)
	}
	dir, variants := t.TempDir(), ""
	for block := range strings.SplitSeq(string(b), "\n\n") {
		block = strings.ReplaceAll("\n"+block+"\n", "\n    ", "\n")[1:]
		name, isProfile := strings.CutPrefix(strings.SplitN(block, "\n", 2)[0], "name: ")
		switch {
		case isProfile:
			if err := os.WriteFile(filepath.Join(dir, name+".yaml"), []byte(block), 0o600); err != nil {
				t.Fatal(err)
			}
		case strings.HasPrefix(block, "variants:"):
			variants = block
		}
	}
	path := filepath.Join(dir, "iron.yaml")
	iron, err := os.ReadFile(path)
	if err != nil || variants == "" {
		t.Fatalf("%v, variants %q", err, variants)
	}
	if err := os.WriteFile(path, append(iron, variants...), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{"small-chassis", "big-chassis", "no-module", "its-module"} {
		if err := os.WriteFile(filepath.Join(dir, part+".yaml"), []byte("name: "+part+"\npart: yes\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s := load(t, dir)
	for _, name := range []string{"iron", "iron-big", "iron-crypto", "iron-big-crypto"} {
		if p := profile(t, s, name); !p.GRE.Key.No() {
			t.Errorf("%s: %+v", name, p.GRE)
		}
	}
	if p := profile(t, s, "our-7600"); p.Crypto.Tunnels.Int() != 16000 || p.Platform != "Cisco 7600" {
		t.Errorf("%+v", p)
	}
}

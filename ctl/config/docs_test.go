package config

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// reference is docs/commands.md: every command of the grammar.
func reference() string {
	var b strings.Builder
	b.WriteString("# Commands\n\nEvery command that nave reads, by mode, from its grammar. `<name:type>` is an argument, `[...]` may be left out, `{a|b}` is a\n" +
		"choice, `...` may be repeated; in the `no` form what follows `~` may be left out. `UPDATE=1 go test -run Reference ./ctl/config` writes this page.\n" +
		"A command marked *no effect* is accepted and says so in `nave check`; one marked *refused* is an error with the reason.\n")
	mode := ""
	for _, d := range Docs() {
		if d.Mode != mode {
			mode = d.Mode
			fmt.Fprintf(&b, "\n## %s\n\n| command | what it does | default | note |\n| --- | --- | --- | --- |\n", mode)
		}
		note := d.Note
		if d.Kind != "effective" {
			note = strings.TrimSuffix("*"+d.Kind+"*: "+note, ": ")
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", cell(d.Syntax), cell(d.Help), cell(d.Default), cell(note))
	}
	return b.String()
}

func cell(s string) string { return strings.ReplaceAll(s, "|", "\\|") }

// The configurations in the documentation of EIGRP can be read, and nothing in them has no effect.
func TestDocumentedConfigurations(t *testing.T) {
	text, err := os.ReadFile("../../docs/eigrp.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := 0
	for block := range strings.SplitSeq(string(text), "\n\n") {
		if !strings.HasPrefix(block, "    ") {
			continue
		}
		blocks++
		c, diags := Parse("eigrp.md", []byte(block))
		if len(diags) > 0 {
			t.Errorf("%s\n%v", block, diags)
		}
		if again, _ := Parse("printed", []byte(c.Running())); !again.Equal(c) {
			t.Errorf("does not parse back:\n%s", c.Running())
		}
	}
	if blocks < 10 {
		t.Errorf("only %d configurations found", blocks)
	}
}

// The reference in the documentation says what the grammar says.
func TestReference(t *testing.T) {
	const file = "../../docs/commands.md"
	want := reference()
	if os.Getenv("UPDATE") != "" {
		if err := os.WriteFile(file, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Error("docs/commands.md is not what the grammar says; UPDATE=1 writes it anew")
	}
}

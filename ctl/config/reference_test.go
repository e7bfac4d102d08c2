package config_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"nave/ctl/cli"
	"nave/ctl/config"
	"nave/ctl/shell"
)

const referenceHead = "# Reference\n\nEvery command that nave reads, from its grammar: those of exec (`nave shell`, and each by itself behind `nave`), and the lines of a configuration, by mode.\n" +
	"`<name:type>` is an argument, `[...]` may be left out, `{a|b}` is a choice, `...` may be repeated; in the `no` form what follows `~` may be left out. Words may be abbreviated as long as they\n" +
	"stay clear. `UPDATE=1 go test -run Reference ./ctl/config` writes this page.\n"

// reference is docs/reference.md: every command of the grammar.
func reference() string {
	var b strings.Builder
	b.WriteString(referenceHead)
	for _, level := range []struct {
		title      string
		privileged bool
	}{{"User exec", false}, {"Privileged exec", true}} {
		fmt.Fprintf(&b, "\n## %s\n\n%s\n\n| command | what it does | default |\n| --- | --- | --- |\n", level.title, map[bool]string{
			false: "What everybody may type who may look.", true: "What comes with `enable`. Behind `nave` these need no `enable`; what changes something is for root and the group nave-admin.",
		}[level.privileged])
		for _, c := range cli.Commands() {
			if cli.Privileged(c) == level.privileged {
				row(&b, c.Syntax, c.Help, c.Default)
			}
		}
	}
	b.WriteString("\n## Filters\n\nThey stand behind a bar at the end of a command of exec: `show ip route | include Tunnel0`. Several may follow each other, each behind a bar.\n\n| filter | what it lets through |\n| --- | --- |\n")
	for _, c := range shell.FilterCommands() {
		row(&b, c.Syntax, c.Help)
	}
	b.WriteString("\n# Configuration\n\nA command marked *no effect* is accepted and says so in `nave check`; one marked *refused* is an error with the reason.\n")
	mode := ""
	for _, d := range config.Docs() {
		if d.Mode != mode {
			mode = d.Mode
			fmt.Fprintf(&b, "\n## %s\n\n| command | what it does | default | note |\n| --- | --- | --- | --- |\n", mode)
		}
		note := d.Note
		if d.Kind != "effective" {
			note = strings.TrimSuffix("*"+d.Kind+"*: "+note, ": ")
		}
		row(&b, d.Syntax, d.Help, d.Default, note)
	}
	return b.String()
}

// row writes a line of a table; the first cell is what is typed.
func row(b *strings.Builder, typed string, cells ...string) {
	fmt.Fprintf(b, "| `%s` |", strings.ReplaceAll(typed, "|", "\\|"))
	for _, c := range cells {
		fmt.Fprintf(b, " %s |", strings.ReplaceAll(c, "|", "\\|"))
	}
	b.WriteByte('\n')
}

// The reference in the documentation says what the grammar says.
func TestReference(t *testing.T) {
	const file = "../../docs/reference.md"
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
		t.Error("docs/reference.md is not what the grammar says; UPDATE=1 writes it anew")
	}
}

package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"nave/ctl/api"
	"nave/ctl/cli"
	"nave/ctl/config/grammar"
	"nave/ctl/shell"
	"nave/ctl/show"
)

// usage is what `nave help` prints below what a command says of itself.
const usage = `Usage:
  {{.CommandPath}}{{if .HasAvailableFlags}} [flags]{{end}}{{if .HasAvailableSubCommands}} COMMAND{{end}}{{if .HasExample}}

Examples:
{{.Example}}{{end}}{{if .HasAvailableSubCommands}}

Commands of the tool:{{range .Commands}}{{if (or .IsAvailableCommand (eq .Name "help"))}}
  {{rpad .Name .NamePadding }} {{.Short}}{{end}}{{end}}

Every command of the shell's privileged exec is one, too; nave help WORD... lists those that begin so. They begin with:
  ` + "`{{execWords}}`" + `{{end}}{{if .HasAvailableLocalFlags}}

Flags:
{{.LocalFlags.FlagUsages | trimTrailingWhitespaces}}{{end}}{{if .HasAvailableInheritedFlags}}

Flags of all commands:
{{.InheritedFlags.FlagUsages | trimTrailingWhitespaces}}{{end}}

Exit status: 0 done, 1 refused or failed, 2 not understood, 3 no daemon answers.
`

func init() {
	cobra.AddTemplateFunc("execWords", func() string { return strings.Join(firstWords(), ", ") })
}

// firstWords are those that commands of exec begin with.
func firstWords() (out []string) {
	for _, c := range cli.Commands() {
		first, _, _ := strings.Cut(c.Syntax, " ")
		out = append(out, first)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// flagsOfAll are the flags that may stand anywhere in a command of exec, and whether a value follows.
var flagsOfAll = map[string]bool{"--socket": true, "--profile-dir": true, "--show-format": true, "--json": false, "--help": false, "-h": false}

// arrange puts the flags of a command of exec in front of it: what else looks like a flag there is a word of the command (-w FILE). Commands of the tool are left as they are.
func arrange(root *cobra.Command, args []string) []string {
	var flags, words []string
	for i := 0; i < len(args); i++ {
		name, _, whole := strings.Cut(args[i], "=")
		value, known := flagsOfAll[name]
		switch {
		case args[i] == "--":
			words = append(words, args[i+1:]...)
			i = len(args)
		case known && value && !whole && i+1 < len(args):
			flags = append(flags, args[i], args[i+1])
			i++
		case known:
			flags = append(flags, args[i])
		case len(words) == 0 && (strings.HasPrefix(args[i], "-") || ofTool(root, args[i])):
			return args
		default:
			words = append(words, args[i])
		}
	}
	if len(words) == 0 {
		return flags
	}
	return slices.Concat(flags, []string{"--"}, words)
}

// ofTool tells whether a word is a command of the tool.
func ofTool(root *cobra.Command, word string) bool {
	if strings.HasPrefix(word, "__") { // what completion scripts call
		return true
	}
	for _, c := range root.Commands() {
		if c.Name() == word || c.HasAlias(word) {
			return true
		}
	}
	return false
}

// exec runs a command of exec.
func (t *tool) exec(c *cobra.Command, words []string) error {
	if len(words) == 0 {
		return c.Help()
	}
	session, _ := t.session()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	context.AfterFunc(ctx, stop) // a second ^C ends what does not listen
	session.Context = ctx
	return shell.One(session, strings.Join(words, " "))
}

// complete lists what the last word of a command of exec could become, for the completion scripts of shells.
func (t *tool) complete(_ *cobra.Command, before []string, last string) ([]string, cobra.ShellCompDirective) {
	line := last
	if len(before) > 0 {
		line = strings.Join(before, " ") + " " + last
	}
	_, client := t.session()
	var out []string
	list, _, err := cli.Complete(line, true)
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	directive := cobra.ShellCompDirectiveNoFileComp
	for _, c := range list {
		if !c.Argument {
			out = append(out, c.Text+"\t"+c.Help)
			continue
		}
		if c.Name == "path" || c.Name == "file" {
			directive = cobra.ShellCompDirectiveDefault
		}
		for _, n := range names(client)(c) {
			if len(n) >= len(last) && strings.EqualFold(n[:len(last)], last) {
				out = append(out, n+"\t"+c.Help)
			}
		}
	}
	return out, directive
}

// help is `nave help`.
func (t *tool) help() *cobra.Command {
	return &cobra.Command{
		Use: "help [WORD...]", Short: "what there is, or the commands that begin with some words",
		RunE: func(c *cobra.Command, words []string) error {
			root := c.Root()
			if len(words) == 0 {
				return root.Help()
			}
			if sub, rest, err := root.Find(words); err == nil && sub != root && len(rest) == 0 {
				return sub.Help()
			}
			found := begin(words)
			if len(found) == 0 {
				return fmt.Errorf("no command begins with %q; %w", strings.Join(words, " "), errUsage)
			}
			_, err := fmt.Fprint(t.out, show.CommandList(found))
			return err
		},
	}
}

// begin are the commands whose words begin so, abbreviations included.
func begin(words []string) (out []show.ShellWord) {
	for _, c := range cli.Commands() {
		have := strings.Fields(c.Syntax)
		fits := len(have) >= len(words)
		for i := 0; fits && i < len(words); i++ {
			fits = strings.HasPrefix(have[i], strings.ToLower(words[i]))
		}
		if fits {
			out = append(out, show.ShellWord{Text: c.Syntax, Help: c.Help})
		}
	}
	return out
}

// namesFor is how long names that the daemon told are good for completing.
const namesFor = 5 * time.Second

// names lists interfaces and VRFs of the daemon, if it answers.
func names(client *api.Client) func(grammar.Completion) []string {
	var mu sync.Mutex
	var asked time.Time
	var interfaces, vrfs []string
	return func(c grammar.Completion) []string {
		if c.Type != "interface" && c.Name != "vrf" {
			return nil
		}
		mu.Lock()
		defer mu.Unlock()
		if time.Since(asked) > namesFor {
			asked = time.Now()
			interfaces, vrfs = nil, nil
			if s, err := client.Status(); err == nil {
				for n := range s.Interfaces {
					interfaces = append(interfaces, n)
				}
				for _, v := range s.VRFs {
					vrfs = append(vrfs, v.Name)
				}
				slices.SortFunc(interfaces, grammar.CompareInterfaces)
			}
		}
		if c.Name == "vrf" {
			return vrfs
		}
		return interfaces
	}
}

// historyFile is where the shell keeps what was typed; empty where nobody says where users keep such things.
func historyFile() string {
	dir := os.Getenv("XDG_STATE_HOME")
	if dir == "" {
		home, err := os.UserHomeDir()
		if err != nil {
			return ""
		}
		dir = filepath.Join(home, ".local", "state")
	}
	return filepath.Join(dir, "nave", "history")
}

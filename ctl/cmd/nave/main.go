// Command nave is the tool for operators: a shell like that of a router, each of its commands by itself, and checks of configurations.
package main

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"nave/ctl/api"
	"nave/ctl/cli"
	"nave/ctl/cmd/nave/quiet"
	"nave/ctl/hardware"
	"nave/ctl/shell"
	"nave/ctl/show"
)

// errFindings ends the program after findings that are printed already.
var errFindings = errors.New("findings")

// errUsage is wrapped by the error of a command line that is not understood.
var errUsage = errors.New("nave help lists what there is")

func main() {
	quiet.Done()
	os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// run is the tool. It returns its exit status.
func run(args []string, in, out, errs *os.File) int {
	t := &tool{in: in, out: out}
	root := t.root()
	root.SetOut(out)
	root.SetErr(errs)
	root.InitDefaultHelpCmd() // these two note where the output goes, and arrange wants to know them
	root.InitDefaultCompletionCmd()
	root.SetArgs(arrange(root, args))
	err := root.Execute()
	if err == nil {
		return t.status
	}
	if errors.Is(err, cli.ErrUnanswered) {
		return shell.StatusFailed
	}
	if !errors.Is(err, errFindings) {
		fmt.Fprintln(errs, "nave:", err)
		if t.status == shell.StatusOK {
			t.status = shell.StatusOf(err)
		}
		if errors.Is(err, errUsage) {
			t.status = shell.StatusSyntax
		}
	}
	return t.status
}

// tool is one run of nave.
type tool struct {
	in, out    *os.File
	status     int
	socket     string
	json       bool
	profileDir string
	format     string
}

func (t *tool) root() *cobra.Command {
	root := &cobra.Command{
		Use: "nave COMMAND", Short: "the tool of the nave gateway: a router's shell, each of its commands by itself, checks of configurations",
		Example:           "  nave shell\n  nave show dmvpn\n  nave show ip nhrp --json\n  nave show ip route '|' include Tunnel0\n  nave check /etc/nave/nave.cfg",
		Args:              cobra.ArbitraryArgs,
		SilenceUsage:      true,
		SilenceErrors:     true,
		RunE:              t.exec,
		ValidArgsFunction: t.complete,
	}
	flags := root.PersistentFlags()
	flags.StringVar(&t.socket, "socket", "/run/nave/nave.sock", "where the daemon answers")
	flags.BoolVar(&t.json, "json", false, "print JSON")
	flags.StringVar(&t.format, "show-format", show.Legacy.String(), "print like IOS 12.2SR (legacy) or like 15 and IOS-XE 16 (modern), where they differ")
	flags.StringVar(&t.profileDir, "profile-dir", "", "directory of hardware profiles (*.yaml) beside those that are built in")
	root.PersistentPreRunE = func(*cobra.Command, []string) error {
		if !slices.Contains(show.Forms, t.format) {
			return fmt.Errorf("--show-format %s: want %s; %w", t.format, strings.Join(show.Forms, " or "), errUsage)
		}
		return nil
	}
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return fmt.Errorf("%w; %w", err, errUsage) })
	root.AddCommand(t.shell(), t.check(), t.doctor(), t.hashPassword(), topCommand(&t.socket, &t.json))
	root.SetHelpCommand(t.help())
	root.SetUsageTemplate(usage)
	return root
}

// session is what commands need.
func (t *tool) session() (cli.Session, *api.Client) {
	c := api.NewClient(t.socket)
	return cli.Session{
		Format: show.Form(max(0, slices.Index(show.Forms, t.format))),
		Daemon: c, Editor: c, Logs: c, Debugger: c, Explainer: c, Capturer: c, Pinger: c, Out: t.out, JSON: t.json, ProfileDir: t.profileDir,
	}, c
}

func (t *tool) shell() *cobra.Command {
	var prompts bool
	c := &cobra.Command{
		Use: "shell", Short: "a session as on a router's console: exec, privileged exec, configuration", Args: cobra.NoArgs,
		Long: "shell reads commands as a router's console does: abbreviations, ? and the tabulator, a history, filters behind a bar, configuration line by line.\n" +
			"Where its input is no terminal it reads lines without prompts and pages. Exit status: that of the first command that failed.",
		Example: "  nave shell\n  nave shell < commands.txt",
		RunE: func(*cobra.Command, []string) error {
			session, client := t.session()
			status, err := shell.Run(shell.Options{Session: session, Daemon: client, Log: client, Names: names(client), HistoryFile: historyFile()}, t.in, t.out, prompts)
			t.status = status
			return err
		},
	}
	c.Flags().BoolVar(&prompts, "prompt", false, "print prompts where the input is no terminal, too")
	return c
}

func (t *tool) check() *cobra.Command {
	hw := hardware.Options{}
	check := &cobra.Command{
		Use: "check FILE...", Short: "check configurations, each alone and all together", Args: cobra.MinimumNArgs(1),
		Example: "  nave check hub.cfg spoke*.cfg\n  nave check --profile sup720-3bxl-spa hub.cfg",
		Long: "check prints file:line:column: severity: message (what to do) for each finding. With a hardware profile, by --profile or by\n" +
			"`platform hardware profile NAME` in a file, it says as well what that hardware would do with the configuration, and where\n" +
			"that is written: message [profile: effect; source] (what to do). Exit status: 2 for unknown commands or syntax, 1 for other\n" +
			"errors (among them what the hardware would refuse), 0 otherwise.",
		RunE: func(_ *cobra.Command, files []string) error {
			hw.Dir = t.profileDir
			code, err := hardware.CheckFiles(t.out, t.json, hw, files...)
			t.status = code
			if err == nil && code != 0 {
				err = errFindings
			}
			return err
		},
	}
	check.Flags().StringVar(&hw.Profile, "profile", "", "hardware profile for all files, whatever they say themselves; none: none (nave show hwprofiles lists them)")
	return check
}

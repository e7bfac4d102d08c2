// Command nave is the tool for operators: it shows and clears what the daemon has, and checks configurations.
package main

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"nave/ctl/api"
	"nave/ctl/cli"
	"nave/ctl/hardware"
)

// errFindings ends the program after findings that are printed already.
var errFindings = errors.New("findings")

func main() {
	status := 0
	cmd := root(&status)
	if err := cmd.Execute(); err != nil {
		if !errors.Is(err, errFindings) {
			fmt.Fprintln(os.Stderr, "nave:", err)
			status = max(status, 1)
		}
	}
	os.Exit(status)
}

func root(status *int) *cobra.Command {
	var socket string
	var asJSON bool
	var profileDir string
	root := &cobra.Command{
		Use: "nave", Short: "show, clear and check: the tool of the nave gateway",
		Example:       "  nave show dmvpn\n  nave show ip nhrp --json\n  nave check /etc/nave/nave.cfg",
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.PersistentFlags().StringVar(&socket, "socket", "/run/nave/nave.sock", "where the daemon answers")
	root.PersistentFlags().BoolVar(&asJSON, "json", false, "print JSON")
	root.PersistentFlags().StringVar(&profileDir, "profile-dir", "", "directory of hardware profiles (*.yaml) beside those that are built in")
	session := func() *cli.Session {
		c := api.NewClient(socket)
		return &cli.Session{Daemon: c, Editor: c, Logs: c, Debugger: c, Explainer: c, Capturer: c, Pinger: c, Out: os.Stdout, JSON: asJSON, ProfileDir: profileDir}
	}
	for _, c := range []struct {
		name    string
		aliases []string
		short   string
	}{
		{"show", []string{"sh", "sho"}, "show what the daemon has: dmvpn, crypto, ip nhrp, ip route, ip eigrp, ip bgp, interfaces, fastpath, running-config ..."},
		{"clear", []string{"cl", "cle", "clea"}, "clear dmvpn session | dmvpn statistics | ip nhrp | crypto session | crypto sa | crypto isakmp | crypto ikev2 sa | ip bgp | ip eigrp neighbors | mpls ldp neighbor"},
		{"reload", nil, "have the daemon read its configuration again"},
	} {
		root.AddCommand(&cobra.Command{
			Use: c.name, Aliases: c.aliases, Short: c.short, Args: cobra.ArbitraryArgs,
			RunE: func(_ *cobra.Command, args []string) error {
				return session().Run(strings.Join(append([]string{c.name}, args...), " "))
			},
		})
	}
	hw := hardware.Options{}
	check := &cobra.Command{
		Use: "check FILE...", Short: "check configurations, each alone and all together", Args: cobra.MinimumNArgs(1),
		Example: "  nave check hub.cfg spoke*.cfg\n  nave check --profile sup720-3bxl-spa hub.cfg",
		Long: "check prints file:line:column: severity: message (what to do) for each finding. With a hardware profile, by --profile or by\n" +
			"`platform hardware profile NAME` in a file, it says as well what that hardware would do with the configuration, and where\n" +
			"that is written: message [profile: effect; source] (what to do). Exit status: 2 for unknown commands or syntax, 1 for other\n" +
			"errors (among them what the hardware would refuse), 0 otherwise.",
		RunE: func(_ *cobra.Command, files []string) error {
			hw.Dir = profileDir
			code, err := hardware.CheckFiles(os.Stdout, asJSON, hw, files...)
			*status = code
			if err == nil && code != 0 {
				err = errFindings
			}
			return err
		},
	}
	check.Flags().StringVar(&hw.Profile, "profile", "", "hardware profile for all files, whatever they say themselves; none: none (nave show hwprofiles lists them)")
	root.AddCommand(check, topCommand(&socket, &asJSON))
	return root
}

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
	"nave/ctl/config"
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
	root := &cobra.Command{
		Use: "nave", Short: "show, clear and check: the tool of the nave gateway",
		Example:       "  nave show dmvpn\n  nave show ip nhrp --json\n  nave check /etc/nave/nave.cfg",
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.PersistentFlags().StringVar(&socket, "socket", "/run/nave/nave.sock", "where the daemon answers")
	root.PersistentFlags().BoolVar(&asJSON, "json", false, "print JSON")
	session := func() *cli.Session {
		return &cli.Session{Daemon: api.NewClient(socket), Out: os.Stdout, JSON: asJSON}
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
	root.AddCommand(&cobra.Command{
		Use: "check FILE...", Short: "check configurations, each alone and all together", Args: cobra.MinimumNArgs(1),
		Long: "check prints file:line:column: severity: message (what to do) for each finding. Exit status: 2 for unknown commands\n" +
			"or syntax, 1 for other errors, 0 otherwise.",
		RunE: func(_ *cobra.Command, files []string) error {
			code, err := config.CheckFiles(os.Stdout, asJSON, files...)
			*status = code
			if err == nil && code != 0 {
				err = errFindings
			}
			return err
		},
	})
	return root
}

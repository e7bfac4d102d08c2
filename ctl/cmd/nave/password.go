package main

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"nave/ctl/password"
)

func (t *tool) hashPassword() *cobra.Command {
	return &cobra.Command{
		Use: "hash-password", Short: "make what stands after `enable secret 9` of a password", Args: cobra.NoArgs,
		Long:    "hash-password asks for a password, or reads it as a line of its input, and prints its hash of type 9 (scrypt): what a configuration file has after `enable secret 9`.",
		Example: "  nave hash-password",
		RunE: func(*cobra.Command, []string) error {
			plain, err := t.readPassword()
			if err != nil {
				return err
			}
			hash, err := password.Hash(plain)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintln(t.out, hash)
			return err
		},
	}
}

// readPassword asks twice where somebody types.
func (t *tool) readPassword() (string, error) {
	if !term.IsTerminal(int(t.in.Fd())) {
		line, err := bufio.NewReader(t.in).ReadString('\n')
		if line == "" && err != nil {
			return "", fmt.Errorf("read the password: %w", err)
		}
		return strings.TrimRight(line, "\r\n"), nil
	}
	ask := func(prompt string) (string, error) {
		fmt.Fprint(os.Stderr, prompt)
		b, err := term.ReadPassword(int(t.in.Fd()))
		fmt.Fprintln(os.Stderr)
		return string(b), err
	}
	first, err := ask("Password: ")
	if err != nil {
		return "", fmt.Errorf("read the password: %w", err)
	}
	if again, err := ask("Again: "); err != nil || again != first {
		return "", errors.New("the two are not the same")
	}
	return first, nil
}

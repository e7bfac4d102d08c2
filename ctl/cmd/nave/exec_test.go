package main

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"nave/ctl/api"
	"nave/ctl/password"
	"nave/ctl/shell"
	"nave/testbed/need"
)

func TestArrange(t *testing.T) {
	root := (&tool{}).root()
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd()
	for _, c := range []struct{ args, want string }{
		{"show version", "-- show version"},
		{"show version --json --socket x", "--json --socket x -- show version"},
		{"--socket=x sh ver", "--socket=x -- sh ver"},
		{"capture interface Tunnel0 -w file --json", "--json -- capture interface Tunnel0 -w file"},
		{"ping -- --json", "-- ping --json"},
		{"check --profile x file", "check --profile x file"},
		{"--json check file", "--json check file"},
		{"shell --prompt", "shell --prompt"},
		{"help show", "help show"},
		{"__complete show v", "__complete show v"},
		{"completion bash", "completion bash"},
		{"--frob show", "--frob show"},
		{"--json", "--json"},
		{"--socket", "--socket"},
		{"", ""},
	} {
		if got := arrange(root, strings.Fields(c.args)); !reflect.DeepEqual(append([]string{}, got...), append([]string{}, strings.Fields(c.want)...)) {
			t.Errorf("%q becomes %q, want %q", c.args, got, c.want)
		}
	}
}

// Exit statuses are as documented.
func TestStatus(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "nave.sock")
	b := &failing{}
	s, err := api.Serve(socket, api.Services{Box: b})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for _, c := range []struct {
		args   string
		status int
		says   string // on the standard error
	}{
		{"show running-config", shell.StatusOK, ""},
		{"show running-config | include host", shell.StatusOK, ""},
		{"reload", shell.StatusFailed, "the running configuration stands"},
		{"enable", shell.StatusFailed, "is for `nave shell`"},
		{"show frob", shell.StatusSyntax, "unknown word"},
		{"show running-config | frob", shell.StatusSyntax, "Invalid input"},
		{"show", shell.StatusSyntax, "incomplete"},
		{"--frob", shell.StatusSyntax, "unknown flag"},
		{"--show-format antique show version", shell.StatusSyntax, "legacy or modern"},
		{"help frob", shell.StatusSyntax, "no command begins"},
		{"show version --socket " + socket + ".none", shell.StatusNoDaemon, "no naved answers"},
		{"shell --socket " + socket + ".none", shell.StatusOK, ""},
	} {
		args := strings.Fields(c.args)
		if !strings.Contains(c.args, "--socket") {
			args = append([]string{"--socket", socket}, args...)
		}
		if out, status, err := nave(t, args...); status != c.status || (err == nil) != (c.says == "") || err != nil && !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: status %d, want %d; %v\n%s", c.args, status, c.status, err, out)
		}
	}
	if out, status, err := naveWith(t, "show running-config | i host\nshow frob\nexit\n", "shell", "--socket", socket); status != shell.StatusSyntax || err != nil || !strings.Contains(out, "Invalid input") {
		t.Errorf("a script: %d, %v\n%s", status, err, out)
	}
}

// failing is a box whose reload fails.
type failing struct{ box }

func (*failing) Reload() error { return errors.New("the running configuration stands") }

// What `nave help` and the completion of the system's shells list is the grammar.
func TestHelpAndCompletion(t *testing.T) {
	for args, want := range map[string]string{
		"help":                          "show, terminal",
		"":                              "hash-password",
		"help show crypto isakmp":       "show crypto isakmp policy\n    proposals of IKE version 1\n",
		"help sh cr isa p":              "show crypto isakmp policy\n",
		"help check":                    "nave check --profile",
		"__complete sh":                 "show\tShow what there is\n",
		"__complete show crypto is":     "isakmp\tIKE version 1\n",
		"__complete show ip nhrp Tu":    "",
		"__complete che":                "check\t",
		"completion bash":               "__nave",
		"completion zsh":                "#compdef nave",
		"completion fish":               "fish completion for nave",
		"show hwprofiles sup720-3bxl":   "sup720-3bxl",
		"show hwprofiles --json":        "\"sup720-3bxl\"",
		"show hwprofiles | count -3bxl": "Number of lines which match regexp = 8\n",
	} {
		words := strings.Fields(args)
		if strings.HasPrefix(args, "show hw") && strings.Contains(args, "|") {
			words = []string{args} // quoted
		}
		out, status, err := nave(t, words...)
		if status != 0 || !strings.Contains(out, want) {
			t.Errorf("%q: status %d, %v\n%s\nwant %q", args, status, err, out, want)
		}
	}
	socket := filepath.Join(t.TempDir(), "nave.sock")
	s, err := api.Serve(socket, api.Services{Box: &box{}})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if out, _, err := nave(t, "__complete", "--socket", socket, "show", "interfaces", "tu"); !strings.Contains(out, "Tunnel0\t") {
		t.Errorf("names of the daemon are not listed: %v\n%s", err, out)
	}
}

// bash itself completes by the script.
func TestBash(t *testing.T) {
	need.Command(t, "bash")
	script, _, err := nave(t, "completion", "bash")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.Symlink(os.Args[0], filepath.Join(dir, "nave")); err != nil {
		t.Fatal(err)
	}
	const ask = `
_get_comp_words_by_ref() { cword=$COMP_CWORD; words=("${COMP_WORDS[@]}"); cur=${COMP_WORDS[COMP_CWORD]}; prev=${COMP_WORDS[COMP_CWORD-1]}; }
compopt() { :; }
COMP_WORDS=(nave show crypto isakmp p); COMP_CWORD=4; COMP_LINE="nave show crypto isakmp p"; COMP_POINT=${#COMP_LINE}; COMP_TYPE=9; COMP_KEY=9
__start_nave
printf '%s\n' "${COMPREPLY[@]}"
`
	cmd := exec.Command("bash", "-c", script+ask)
	cmd.Env = []string{"PATH=" + dir + ":" + os.Getenv("PATH"), asNave + "=1"}
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "policy") {
		t.Errorf("%v\n%s", err, out)
	}
}

func TestHashPassword(t *testing.T) {
	out, status, err := naveWith(t, "wheel\n", "hash-password")
	if err != nil || status != 0 {
		t.Fatalf("%d, %v", status, err)
	}
	if ok, err := password.Verify(password.Scrypt, strings.TrimSpace(out), "wheel"); err != nil || !ok {
		t.Errorf("%q: %v", out, err)
	}
	for _, input := range []string{"", "\n"} {
		if _, status, err := naveWith(t, input, "hash-password"); err == nil || status != 1 {
			t.Errorf("%q: status %d", input, status)
		}
	}
}

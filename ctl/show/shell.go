package show

import (
	"fmt"
	"slices"
	"strings"
)

// What the shell says.
const (
	ShellConfigure  = "Enter configuration commands, one per line.  End with CNTL/Z.\n"
	ShellCandidate  = "Enter the candidate's commands, one per line: `commit` runs by them, `show configuration diff` tells what they change, `abandon` forgets them.\n"
	ShellKept       = "The candidate is kept: `configure candidate` goes on with it.\n"
	ShellPassword   = "Password: "
	ShellBadSecrets = "% Bad secrets\n"
	ShellMore       = " --More-- "
	ShellExec       = "Exec commands:\n"
	ShellConfigMode = "Configure commands:\n"
)

// ShellWord is a word that could stand next.
type ShellWord struct{ Text, Help string }

// ShellWords lists words by themselves, as many a line as fit: what the unfinished word at the end of a line could become.
func ShellWords(words []ShellWord, columns int) string {
	if len(words) == 0 {
		return "% Unrecognized command\n"
	}
	width := 0
	for _, w := range words {
		width = max(width, len(w.Text)+2)
	}
	each := max(1, columns/width)
	var b strings.Builder
	for i, w := range words {
		if (i+1)%each == 0 || i == len(words)-1 {
			b.WriteString(w.Text + "\n")
		} else {
			fmt.Fprintf(&b, "%-*s", width, w.Text)
		}
	}
	return b.String()
}

// ShellList lists words with what they mean. end tells that the line may end here, filter that its output may go through a filter then.
func ShellList(words []ShellWord, end, filter bool) string {
	if end && filter {
		words = append(words[:len(words):len(words)], ShellWord{"|", "Output modifiers"})
	}
	width := len("<cr>")
	for _, w := range words {
		width = max(width, min(len(w.Text), 24))
	}
	var b strings.Builder
	for _, w := range words {
		fmt.Fprintf(&b, "  %s\n", strings.TrimRight(fmt.Sprintf("%-*s  %s", width, w.Text, w.Help), " "))
	}
	if end {
		b.WriteString("  <cr>\n")
	}
	if b.Len() == 0 {
		return "% Unrecognized command\n"
	}
	return b.String()
}

// ShellInvalid marks a word that can't stand where it does. column counts from 0, the prompt included; what is a sentence of what could be there, or empty.
func ShellInvalid(column int, what string) string {
	return strings.Repeat(" ", max(0, column)) + "^\n% Invalid input detected at '^' marker.\n" + sentence(what) + "\n"
}

// ShellIncomplete is said of a command that lacks its end.
func ShellIncomplete(what string) string { return "% Incomplete command.\n" + sentence(what) + "\n" }

// ShellAmbiguous is said of an abbreviation of several commands.
func ShellAmbiguous(line, what string) string {
	return fmt.Sprintf("%% Ambiguous command:  %q\n", line) + sentence(what)
}

func sentence(what string) string {
	if what == "" {
		return ""
	}
	return "  " + what + "\n"
}

// ShellExpected says what could stand where a line went wrong: the nearest words, or all of them.
func ShellExpected(near, words []string) string {
	const most = 12
	var once []string
	for _, w := range words {
		if !slices.Contains(once, w) { // options that come in any order, and behind an argument that may be left out
			once = append(once, w)
		}
	}
	words = once
	switch {
	case len(near) > 0:
		return "did you mean " + strings.Join(near, " or ") + "?"
	case len(words) > most:
		return "? in its place lists what could stand there"
	case len(words) > 1:
		return "here stands one of: " + strings.Join(words, ", ")
	case len(words) == 1:
		return "here stands " + words[0]
	}
	return ""
}

// ShellPrivileged is said of a command of privileged exec in user exec.
func ShellPrivileged(command string) string {
	return fmt.Sprintf("`%s` is a command of privileged exec: `enable` goes there", command)
}

// ShellDo is said of a command of exec in configuration mode.
func ShellDo(command string) string {
	return fmt.Sprintf("`do %s` runs that command of exec from here", command)
}

// ShellError is what went wrong with a command that was understood.
func ShellError(err error) string {
	text := err.Error()
	if strings.HasPrefix(text, "%") {
		return strings.TrimRight(text, "\n") + "\n"
	}
	return "% " + strings.TrimRight(text, "\n") + "\n"
}

// ShellFinding is what there is to say of a line of configuration.
func ShellFinding(text string) string { return ShellError(fmt.Errorf("%s", text)) }

// ShellHistory lists what was typed.
func ShellHistory(lines []string) string {
	var b strings.Builder
	for _, l := range lines {
		b.WriteString("  " + l + "\n")
	}
	return b.String()
}

// ShellTerminal is what a terminal is like.
type ShellTerminal struct {
	Length     int    `json:"length"` // lines of a page; 0: output does not stop
	Width      int    `json:"width"`  // columns
	History    int    `json:"history_size"`
	Monitor    string `json:"monitor"` // up to which severity the log is shown; empty: it is not
	ShowFormat string `json:"show_format"`
	Terminal   bool   `json:"terminal"` // somebody types
	Privileged bool   `json:"privileged"`
}

// Text says what a terminal is like.
func (t ShellTerminal) Text() string {
	onOff := map[bool]string{true: "on", false: "off"}
	monitor := "off"
	if t.Monitor != "" {
		monitor = "on, up to " + t.Monitor
	}
	kind := map[bool]string{true: "terminal", false: "lines of a file or pipe"}[t.Terminal]
	level := map[bool]int{true: 15, false: 1}[t.Privileged]
	return fmt.Sprintf("Type: %s\nLength: %d lines, Width: %d columns\nPrivilege level: %d\nHistory is %s, history size is %d.\nMonitor is %s\nShow format is %s\n",
		kind, t.Length, t.Width, level, onOff[t.History > 0], t.History, monitor, t.ShowFormat)
}

// JSON is Text for programs.
func (t ShellTerminal) JSON() ([]byte, error) { return encode("terminal", t) }

// ShellHistoryJSON is ShellHistory for programs.
func ShellHistoryJSON(lines []string) ([]byte, error) {
	if lines == nil {
		lines = []string{}
	}
	return encode("history", map[string]any{"lines": lines})
}

// ShellCount is how many lines a filter has counted.
func ShellCount(n int) string { return fmt.Sprintf("Number of lines which match regexp = %d\n", n) }

// ShellLog is a line of the log as a terminal shows it, with how many were left out before it.
func ShellLog(text string, leftOut int) string {
	if leftOut > 0 {
		return fmt.Sprintf("%% %d lines of the log are left out here\n%s\n", leftOut, text)
	}
	return text + "\n"
}

// CommandList lists commands with what they do.
func CommandList(commands []ShellWord) string {
	var b strings.Builder
	for _, c := range commands {
		fmt.Fprintf(&b, "%s\n    %s\n", c.Text, c.Help)
	}
	return b.String()
}

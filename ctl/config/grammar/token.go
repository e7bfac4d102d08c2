package grammar

import (
	"strings"
	"unicode/utf8"
)

// MaxLine is the longest line that is read, in bytes.
const MaxLine = 8192

// token is a word and where it starts.
type token struct {
	text string
	at   int // byte offset in the line
}

// tokenize splits a line at spaces and tabs.
func tokenize(line string) []token {
	var out []token
	start := -1
	for i := 0; i <= len(line); i++ {
		if i == len(line) || line[i] == ' ' || line[i] == '\t' {
			if start >= 0 {
				out = append(out, token{line[start:i], start})
			}
			start = -1
		} else if start < 0 {
			start = i
		}
	}
	return out
}

// checkText returns a reason, and the byte offset, if the line is no text: control characters, bytes that are not
// UTF-8, or too many of them.
func checkText(line string) (string, int) {
	if len(line) > MaxLine {
		return "the line is longer than 8192 bytes", MaxLine
	}
	for i, r := range line {
		if r == utf8.RuneError {
			if _, size := utf8.DecodeRuneInString(line[i:]); size == 1 {
				return "the line is not UTF-8 text", i
			}
		}
		if r < ' ' && r != '\t' || r == 0x7f {
			return "control character in the line", i
		}
	}
	return "", 0
}

// Blank tells whether the line has nothing to match: empty, or a comment from its first word on.
func Blank(line string) bool {
	line = strings.TrimLeft(line, " \t")
	return line == "" || line[0] == '!'
}

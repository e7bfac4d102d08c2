package logs

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// clean makes one line of a text that others may have written parts of: what does not print (ends of lines, escapes for terminals, what turns the direction of
// writing) is written as Go writes it in strings. It cuts what is too long.
func clean(s string, most int) string {
	if !printable(s) {
		var b strings.Builder
		for i := 0; i < len(s) && b.Len() <= most; {
			r, n := utf8.DecodeRuneInString(s[i:])
			switch {
			case r == utf8.RuneError && n <= 1:
				b.WriteString(`\x` + hex(s[i]))
			case strconv.IsPrint(r):
				b.WriteRune(r)
			default:
				q := strconv.QuoteRune(r)
				b.WriteString(q[1 : len(q)-1])
			}
			i += n
		}
		s = b.String()
	}
	return cut(s, most)
}

func hex(c byte) string {
	const digits = "0123456789abcdef"
	return string([]byte{digits[c>>4], digits[c&15]})
}

// printable tells whether nothing of a text has to be written otherwise.
func printable(s string) bool {
	if !utf8.ValidString(s) {
		return false
	}
	for _, r := range s {
		if !strconv.IsPrint(r) {
			return false
		}
	}
	return true
}

// cut shortens a text to so many bytes, and leaves no half of a character.
func cut(s string, most int) string {
	const end = "..."
	if len(s) <= most {
		return s
	}
	most -= len(end)
	for most > 0 && !utf8.RuneStart(s[most]) {
		most--
	}
	return s[:most] + end
}

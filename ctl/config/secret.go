package config

import (
	"log/slog"

	"nave/ctl/config/grammar"
)

// Secret is a key or a password. It prints as asterisks wherever it is formatted, logged or marshalled; only
// Reveal gives it away.
type Secret string

const masked = grammar.Mask

// Reveal returns the secret itself.
func (s Secret) Reveal() string { return string(s) }

// String hides the secret.
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return masked
}

// GoString hides the secret from %#v.
func (s Secret) GoString() string { return `"` + s.String() + `"` }

// MarshalText hides the secret from JSON.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// LogValue hides the secret from log/slog.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

//go:build race

package sim

// raceEnabled tells that the race detector makes everything some ten times slower: tests that repeat themselves by chance do so less often.
const raceEnabled = true

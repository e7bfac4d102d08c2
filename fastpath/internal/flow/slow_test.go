//go:build !race

package flow

// slow is how many times less is tried under the race detector.
const slow = 1

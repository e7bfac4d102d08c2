package grammar

import (
	"sort"
	"strings"
)

// Nearest returns up to n of the words that look most like word: those that it starts or that start with it first,
// then by edit distance. What is too different is left out.
func Nearest(word string, words []string, n int) []string {
	type scored struct {
		word  string
		score int
	}
	word = strings.ToLower(word)
	if len(word) > 64 {
		word = word[:64]
	}
	var list []scored
	for _, w := range words {
		d := distance(word, strings.ToLower(w))
		limit := 1 + len(w)/3
		switch {
		case word != "" && strings.HasPrefix(w, word), len(word) > 2 && strings.HasPrefix(word, w) && len(w) > 2:
			list = append(list, scored{w, 0})
		case d <= limit && d < len(w):
			list = append(list, scored{w, d})
		}
	}
	sort.SliceStable(list, func(i, j int) bool { return list[i].score < list[j].score })
	var out []string
	for _, s := range list {
		if len(out) == n {
			break
		}
		out = append(out, s.word)
	}
	return out
}

// distance counts insertions, deletions, replacements and swaps of neighbours between two words.
func distance(a, b string) int {
	prev2 := make([]int, len(b)+1)
	prev := make([]int, len(b)+1)
	cur := make([]int, len(b)+1)
	for j := range prev {
		prev[j] = j
	}
	for i := 1; i <= len(a); i++ {
		cur[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			cur[j] = min(prev[j]+1, cur[j-1]+1, prev[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				cur[j] = min(cur[j], prev2[j-2]+1)
			}
		}
		prev2, prev, cur = prev, cur, prev2
	}
	return prev[len(b)]
}

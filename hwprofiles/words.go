package hwprofiles

import (
	"strconv"
	"strings"
)

// plain writes a number without an exponent and without needless digits.
func plain(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }

// nearest is which of the words was meant; "": that can't be told.
func nearest(word string, words []string) (best string) {
	least := 4 // further away is another word
	for _, w := range words {
		if d := distance(word, w); d < least {
			best, least = w, d
		}
	}
	return best
}

// near says which of the words was meant, or lists them.
func near(word string, words []string) string {
	if best := nearest(word, words); best != "" {
		return "did you mean " + best + "?"
	}
	if group, _, ok := strings.Cut(word, "."); ok {
		var same []string
		for _, w := range words {
			if strings.HasPrefix(w, group+".") {
				same = append(same, w)
			}
		}
		if same != nil {
			words = same
		}
	}
	if len(words) > 12 {
		return "the documentation lists the keys"
	}
	return "there are " + strings.Join(words, ", ")
}

// distance counts the changes of one letter that make one word of the other (Levenshtein). Long words are far.
func distance(a, b string) int {
	if len(a) > 80 || len(b) > 80 {
		return 80
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		last := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := last
			if a[i] != b[j] {
				cost++
			}
			last = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}

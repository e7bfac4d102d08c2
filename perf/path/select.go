package path

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"nave/perf/report"
)

// maxTunnels is how many peers have addresses of their own in a scene.
const maxTunnels = 60000

// The default rows: every work at every size with one peer, and with many where that shows what tables and keys cost.
var (
	defaultSizes   = []report.Size{64, 512, 1400, report.IMIX}
	manyTunnels    = []int{1000, 10000}
	manySizes      = []report.Size{64, 512, 1400}
	defaultCipher  = "aes-128-gcm"
	clearManySizes = []report.Size{64}
)

// check finds what is wrong with the numbers, and with names that nothing has.
func (o *Options) check() error {
	switch {
	case o.Runs < 1 || o.Runs > 1000:
		return fmt.Errorf("--runs %d: want 1 to 1000", o.Runs)
	case o.Passes < 1 || o.Passes > 1000:
		return fmt.Errorf("--passes %d: want 1 to 1000", o.Passes)
	case o.Time <= 0:
		return fmt.Errorf("--time %s: want more than nothing, such as 20ms", o.Time)
	case o.Burst < 1 || o.Burst > 256:
		return fmt.Errorf("--burst %d: want 1 to 256", o.Burst)
	}
	for _, w := range o.Works {
		if !slices.Contains(workNames(), w) {
			return fmt.Errorf("--work %q: there are %s", w, strings.Join(workNames(), ", "))
		}
	}
	for _, t := range o.Transforms {
		if findTransform(t) == nil {
			return fmt.Errorf("--transform %q: there are %s, or all", t, transformNames())
		}
	}
	if err := checkPrices(o.Prices); err != nil {
		return err
	}
	for _, n := range o.Tunnels {
		if n < 1 || n > maxTunnels {
			return fmt.Errorf("--tunnels %d: want 1 to %d", n, maxTunnels)
		}
	}
	for _, size := range o.Sizes {
		if _, err := newMix(size); err != nil {
			return fmt.Errorf("--size: %w", err)
		}
	}
	return nil
}

func workNames() (names []string) {
	for i := range works {
		names = append(names, works[i].name)
	}
	return names
}

// groups is the rows that the options name. A list that is empty is the default one.
func (o *Options) groups() (list []group, err error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	transforms := o.Transforms
	if len(transforms) == 0 {
		transforms = []string{defaultCipher}
	}
	for i := range works {
		w := &works[i]
		if len(o.Works) > 0 && !slices.Contains(o.Works, w.name) {
			continue
		}
		of := transforms
		if !w.sealed() {
			of = []string{""}
		}
		for _, t := range of {
			for _, g := range o.tunnelGroups(w, findTransform(t)) {
				list = append(list, g.priced(o.Prices)...)
			}
		}
	}
	return list, nil
}

// priced is a group for each of the prices.
func (g group) priced(prices []string) (list []group) {
	if len(prices) == 0 {
		return []group{g}
	}
	for _, p := range prices {
		g.prices = p
		list = append(list, g)
	}
	return list
}

// tunnelGroups is a group for each number of tunnels.
func (o *Options) tunnelGroups(w *work, t *transform) (list []group) {
	sizes := func(def []report.Size) []report.Size {
		if len(o.Sizes) > 0 {
			return o.Sizes
		}
		return def
	}
	if len(o.Tunnels) > 0 {
		for _, n := range o.Tunnels {
			list = append(list, group{work: w, tr: t, n: n, sizes: sizes(defaultSizes)})
		}
		return list
	}
	list = []group{{work: w, tr: t, n: 1, sizes: sizes(defaultSizes)}}
	if len(o.Transforms) > 1 {
		return list // so many transforms are compared with one peer, unless someone asks for more
	}
	many := clearManySizes
	if w.sealed() {
		many = manySizes
	}
	for _, n := range manyTunnels {
		list = append(list, group{work: w, tr: t, n: n, sizes: sizes(many)})
	}
	return list
}

// parseSizes reads a list like 64,1400,imix.
func parseSizes(text string) (list []report.Size, err error) {
	for _, word := range words(text) {
		if strings.EqualFold(word, report.IMIX.String()) {
			list = append(list, report.IMIX)
			continue
		}
		n, err := strconv.Atoi(word)
		if err != nil || n <= 0 {
			return nil, fmt.Errorf("--size %q: want numbers of bytes or imix, separated by commas", word)
		}
		list = append(list, report.Size(n))
	}
	return list, nil
}

// parseTunnels reads a list like 1,1000.
func parseTunnels(text string) (list []int, err error) {
	for _, word := range words(text) {
		n, err := strconv.Atoi(word)
		if err != nil {
			return nil, fmt.Errorf("--tunnels %q: want numbers, separated by commas", word)
		}
		list = append(list, n)
	}
	return list, nil
}

// parseTransforms reads a list of names, of which all is each of them.
func parseTransforms(text string) (list []string) {
	for _, word := range words(text) {
		if word != "all" {
			list = append(list, word)
			continue
		}
		for i := range transforms {
			list = append(list, transforms[i].name)
		}
	}
	return list
}

// words is what stands between commas, each once.
func words(text string) (list []string) {
	for word := range strings.SplitSeq(text, ",") {
		if word = strings.TrimSpace(word); word != "" && !slices.Contains(list, word) {
			list = append(list, word)
		}
	}
	return list
}

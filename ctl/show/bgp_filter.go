package show

import (
	"fmt"
	"strings"
)

// bgpFilter is what a neighbour's routes go through in one direction, as it is configured. BGP has one name for all of it.
type bgpFilter struct{ routeMap, prefixList, accessList string }

// readFilter takes the name of a filter apart: a route-map, or nothing, and after it `prefix-list NAME`, `distribute-list NAME` and `self`. No name has a space in it.
func readFilter(name string) (f bgpFilter) {
	words := strings.Split(name, " ")
	f.routeMap = words[0]
	for k := 1; k+1 < len(words); k += 2 {
		switch words[k] {
		case "prefix-list":
			f.prefixList = words[k+1]
		case "distribute-list":
			f.accessList = words[k+1]
		}
	}
	return f
}

// write is what `show ip bgp neighbors` says of it.
func (f bgpFilter) write(b *strings.Builder, update, advertisements string) {
	if f.accessList != "" {
		fmt.Fprintf(b, "  %s update network filter list is %s\n", update, f.accessList)
	}
	if f.prefixList != "" {
		fmt.Fprintf(b, "  %s update prefix filter list is %s\n", update, f.prefixList)
	}
	if f.routeMap != "" {
		fmt.Fprintf(b, "  Route map for %s advertisements is %s\n", advertisements, f.routeMap)
	}
}

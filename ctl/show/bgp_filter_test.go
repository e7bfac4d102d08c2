package show

import (
	"strings"
	"testing"
)

// TestFilters: what a neighbour is filtered by is shown by the names that are configured.
func TestFilters(t *testing.T) {
	for name, want := range map[string]string{
		"":                                  "",
		"NEXTHOP":                           "  Route map for outgoing advertisements is NEXTHOP\n",
		"NEXTHOP self":                      "  Route map for outgoing advertisements is NEXTHOP\n",
		" prefix-list P distribute-list 10": "  Outgoing update network filter list is 10\n  Outgoing update prefix filter list is P\n",
		"M prefix-list prefix-list self":    "  Outgoing update prefix filter list is prefix-list\n  Route map for outgoing advertisements is M\n",
	} {
		var b strings.Builder
		if readFilter(name).write(&b, "Outgoing", "outgoing"); b.String() != want {
			t.Errorf("%q is shown as\n%s want\n%s", name, b.String(), want)
		}
	}
}

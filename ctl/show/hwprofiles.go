package show

import (
	"fmt"
	"strings"

	"nave/hwprofiles"
)

// HWProfiles lists hardware profiles: what they are of, and how much of them is assumed.
func HWProfiles(list []*hwprofiles.Profile) string {
	rows := [][]string{{"Profile", "Platform", "Supervisor", "Crypto module", "Values", "Assumed"}}
	for _, p := range list {
		rows = append(rows, []string{p.Name, p.Platform, p.Supervisor, moduleName(p), fmt.Sprint(len(p.Values)), fmt.Sprint(assumed(p))})
	}
	return columns(rows)
}

func moduleName(p *hwprofiles.Profile) string {
	if p.Module == "" {
		return "none"
	}
	return p.Module
}

func assumed(p *hwprofiles.Profile) int {
	n := 0
	for _, v := range p.Values {
		if !v.Found {
			n++
		}
	}
	return n
}

// columns puts rows under each other, each column as wide as it has to be; the last is not filled up.
func columns(rows [][]string) string {
	var wide []int
	for _, r := range rows {
		for n, cell := range r {
			if n == len(wide) {
				wide = append(wide, 0)
			}
			wide[n] = max(wide[n], len(cell))
		}
	}
	var b strings.Builder
	for _, r := range rows {
		line := ""
		for n, cell := range r {
			line += fmt.Sprintf("%-*s  ", wide[n], cell)
		}
		b.WriteString(strings.TrimRight(line, " ") + "\n")
	}
	return b.String()
}

// HWProfile shows all that a hardware profile says, with where that is written.
func HWProfile(p *hwprofiles.Profile) string {
	var b strings.Builder
	fmt.Fprintf(&b, "Hardware profile %s\n  Platform:      %s\n  Supervisor:    %s\n  Crypto module: %s\n  %d values, %d of them assumed\n\n",
		p.Name, p.Platform, p.Supervisor, moduleName(p), len(p.Values), assumed(p))
	rows := [][]string{{"Key", "Value", "Basis", "Source"}}
	for _, v := range p.Values {
		rows = append(rows, []string{v.Key.Name, strings.TrimSpace(v.Text + " " + v.Key.Unit), basis(v.Fact), v.Source})
	}
	b.WriteString(columns(rows))
	return b.String()
}

func basis(f hwprofiles.Fact) string {
	if f.Found {
		return "found"
	}
	return "assumed"
}

// HWProfilesJSON is HWProfiles for programs.
func HWProfilesJSON(list []*hwprofiles.Profile) ([]byte, error) {
	out := make([]map[string]any, 0, len(list))
	for _, p := range list {
		out = append(out, hwProfileHead(p))
	}
	return encode("hwprofiles", out)
}

func hwProfileHead(p *hwprofiles.Profile) map[string]any {
	return map[string]any{"name": p.Name, "platform": p.Platform, "supervisor": p.Supervisor, "module": p.Module, "values": len(p.Values), "assumed": assumed(p)}
}

// HWProfileJSON is HWProfile for programs. A number has its unit; yes and no are booleans, names a list.
func HWProfileJSON(p *hwprofiles.Profile) ([]byte, error) {
	values := map[string]any{}
	for _, v := range p.Values {
		o := map[string]any{"value": v.Any, "basis": basis(v.Fact), "source": v.Source, "file": v.File, "line": v.Line}
		if v.Key.Unit != "" {
			o["unit"] = v.Key.Unit
		}
		values[v.Key.Name] = o
	}
	out := hwProfileHead(p)
	out["values"] = values
	return encode("hwprofiles", out)
}

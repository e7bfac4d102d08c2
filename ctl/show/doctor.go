package show

import (
	"encoding/json"
	"fmt"
	"strings"

	"nave/ctl/doctor"
)

// Doctor is the text of what there is to say of a machine, area by area.
func Doctor(list []doctor.Finding) string {
	var b strings.Builder
	area, counts := "", make(map[doctor.Level]int)
	for _, f := range list {
		if f.Area != area {
			area = f.Area
			b.WriteString(strings.ToUpper(area[:1]) + area[1:] + "\n")
		}
		counts[f.Level]++
		fmt.Fprintf(&b, "  %-4s  %s\n", f.Level, f.What)
		if f.Do != "" {
			fmt.Fprintf(&b, "        do: %s\n", f.Do)
		}
	}
	fmt.Fprintf(&b, "%s, %s\n", count(counts[doctor.Fail], "failure"), count(counts[doctor.Warn], "warning"))
	return b.String()
}

func count(n int, word string) string {
	if n == 1 {
		return "1 " + word
	}
	return fmt.Sprintf("%d %ss", n, word)
}

// DoctorJSON is the same as values: docs/operations.md has the names.
func DoctorJSON(list []doctor.Finding) ([]byte, error) {
	v := struct {
		Findings []doctor.Finding `json:"findings"`
		Failures int              `json:"failures"`
		Warnings int              `json:"warnings"`
	}{Findings: list}
	if list == nil {
		v.Findings = []doctor.Finding{}
	}
	for _, f := range list {
		switch f.Level {
		case doctor.Fail:
			v.Failures++
		case doctor.Warn:
			v.Warnings++
		}
	}
	b, err := json.MarshalIndent(v, "", "  ")
	return append(b, '\n'), err
}

package compare

import (
	"fmt"

	"nave/perf/report"
)

// Yardstick is what this machine took for the two things that VPP's figures are carried over by. A zero is unknown.
type Yardstick struct {
	MAC    float64 // testpmd's mac over the null device, ticks a packet
	Cipher curve   // dpdk-test-crypto-perf, ticks a packet
}

// Verdict is one goal: what nave took, what VPP would take here, and whether the ratio is within its limit.
type Verdict struct {
	Goal     string  `json:"goal"`
	Unit     string  `json:"unit"`
	Nave     float64 `json:"nave"`
	Other    float64 `json:"other"` // VPP normalised, or the peer that was measured beside
	Peer     string  `json:"peer"`
	Ratio    float64 `json:"ratio"`
	Limit    float64 `json:"limit"` // of the ratio; at least that where AtLeast is set
	AtLeast  bool    `json:"at_least"`
	Met      bool    `json:"met"`
	Estimate bool    `json:"estimate"` // the peer's figure is on a line between others
}

// judge fills ratio and verdict.
func (v Verdict) judge() Verdict {
	if v.Other > 0 {
		v.Ratio = v.Nave / v.Other
	}
	v.Met = v.Nave > 0 && v.Other > 0 && v.Ratio <= v.Limit
	if v.AtLeast {
		v.Met = v.Nave > 0 && v.Other > 0 && v.Ratio >= v.Limit
	}
	return v
}

// vpp carries a published figure over to this machine: the cipher's part by the cipher, the rest by testpmd.
func (y *Yardstick) vpp(g *goal, size report.Size) float64 {
	ticks := g.vpp.at(size)
	if !g.sealed {
		return ticks * y.MAC / publishedMAC
	}
	cipher := publishedCipher.at(size)
	return y.Cipher.at(size) + (ticks-cipher)*y.MAC/publishedMAC
}

// pathVerdicts compares rows of the path with VPP.
func pathVerdicts(rep *report.Report, y *Yardstick) []Verdict {
	var out []Verdict
	for i := range goals {
		g := &goals[i]
		for _, row := range rep.Rows {
			if row.Work != g.work || row.Tunnels != g.tunnels || g.sealed && row.Transform != "aes-128-gcm" || !g.has(row.Size) {
				continue
			}
			name := fmt.Sprintf("%s, %s bytes", row.Work, row.Size)
			if row.Size == report.IMIX {
				name = row.Work + ", IMIX"
			}
			if g.tunnels > 1 {
				name += fmt.Sprintf(", %d", g.tunnels)
			}
			out = append(out, Verdict{
				Goal: name, Unit: "ticks", Nave: row.TicksPerPacket, Other: y.vpp(g, row.Size), Peer: "VPP, normalised",
				Limit: g.limitAt(row.Size), Estimate: row.Size == report.IMIX,
			}.judge())
		}
	}
	return out
}

// has tells whether there is a figure for a size.
func (g *goal) has(s report.Size) bool {
	return s == report.IMIX || s == 64 || s == 512 || s == 1400
}

// limitAt is the limit at a size; that of IMIX is as strict as that of long packets.
func (g *goal) limitAt(s report.Size) float64 {
	switch s {
	case 64:
		return g.limit[0]
	case 512:
		return g.limit[1]
	}
	return g.limit[2]
}

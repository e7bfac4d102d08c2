package path

import (
	"context"
	"fmt"
	"runtime"
	"runtime/debug"
	"slices"
	"time"

	"nave/hwprofiles"
	"nave/perf/report"
	"nave/perf/tsc"
)

// HardwareOptions is what to measure of hardware profiles. A list that is empty is the default one.
type HardwareOptions struct {
	Profiles []*hwprofiles.Profile
	Features []string
	Sizes    []report.Size // of the inner packets
	Runs     int           // of each feature without a profile, whose median counts
	Time     time.Duration // of each of them
}

// HardwareRow is a feature by a profile.
type HardwareRow struct {
	Feature string      `json:"feature"`
	Size    report.Size `json:"size"` // of the inner packets, bytes
	Profile string      `json:"profile"`
	// Mpps is the highest rate that the profile's hardware forwards without loss, millions of packets a second, Overload what is forwarded of half as much again, and Limit what the
	// others end by: the name of a reason of the forwarder. Unlimited: nothing ends them, and the rates are zero.
	Mpps      float64 `json:"mpps"`
	Overload  float64 `json:"overload_mpps"`
	Gbps      float64 `json:"gbps"` // of inner packets, 10⁹ bits a second
	Limit     string  `json:"limit,omitempty"`
	Unlimited bool    `json:"unlimited,omitempty"`
	// NoneMpps is without a profile: what one worker does on this machine, or what nave lets through.
	NoneMpps float64 `json:"none_mpps"`
	Refused  string  `json:"refused,omitempty"` // why there is no such row
}

// slower tells whether nave without a profile is no faster than the profile's hardware: then that does not show.
func (r *HardwareRow) slower() bool { return r.Unlimited || r.NoneMpps <= r.Mpps*1.001 }

// HardwareReport is the rows of one run on one machine.
type HardwareReport struct {
	CPU   string        `json:"cpu"`
	TSCHz float64       `json:"tsc_hz"`
	Rows  []HardwareRow `json:"rows"`
}

// defaultProfiles are one of each kind that differs in what it forwards.
var defaultProfiles = []string{
	"sup720-3a", "sup720-3a-spa", "sup720-3a-vspa", "sup720-3b", "sup720-3b-spa", "sup720-3b-vspa", "sup720-3bxl", "sup720-3bxl-spa", "sup720-3bxl-vspa",
}

// MeasureHardware measures all rows and calls each with those of every feature and size as they are done. hz is of the time stamp counter.
func MeasureHardware(ctx context.Context, o HardwareOptions, hz float64, each func([]HardwareRow) error) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	for i := range features {
		f := &features[i]
		if len(o.Features) > 0 && !slices.Contains(o.Features, f.name) {
			continue
		}
		sizes := o.Sizes
		if len(sizes) == 0 {
			sizes = f.sizes
		}
		for _, size := range sizes {
			rows, err := f.measure(ctx, &o, size, hz)
			if err == nil {
				err = each(rows)
			}
			if err != nil {
				return err
			}
			runtime.GC()
		}
	}
	return nil
}

// measure measures a feature, first without a profile and then by each.
func (f *feature) measure(ctx context.Context, o *HardwareOptions, size report.Size, hz float64) (rows []HardwareRow, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("%s, %s bytes: %w", f.name, size, err)
		}
	}()
	var wanted []*hwprofiles.Profile
	for _, p := range o.Profiles {
		row := HardwareRow{Feature: f.name, Size: size, Profile: p.Name, Refused: f.refused(p, int(size))}
		if rows = append(rows, row); row.Refused == "" {
			wanted = append(wanted, p)
		}
	}
	if len(wanted) == 0 {
		return rows, nil
	}
	routes, labels := f.fillers(wanted)
	s, err := newStand(f, int(size), routes, labels)
	if err != nil {
		return nil, err
	}
	defer func() {
		if e := s.close(); err == nil {
			err = e
		}
	}()
	none, err := s.without(o, hz)
	if err != nil {
		return nil, err
	}
	next := 0
	for i := range rows {
		r := &rows[i]
		if r.NoneMpps = none; r.Refused != "" {
			continue
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if err := s.by(wanted[next], r); err != nil {
			return nil, fmt.Errorf("%s: %w", r.Profile, err)
		}
		next++
	}
	return rows, nil
}

// without is millions of packets a second without a profile. What nave itself limits is measured as with one.
func (s *stand) without(o *HardwareOptions, hz float64) (mpps float64, err error) {
	if s.f.expired {
		o, err := s.rate()
		return o.pps / 1e6, err
	}
	ticks, err := s.speed(o.Runs, uint64(o.Time.Seconds()*hz))
	return hz / ticks / 1e6, err
}

// by fills a row by its profile.
func (s *stand) by(p *hwprofiles.Profile, r *HardwareRow) error {
	if err := s.price(hwprofiles.NewPricer(p, s.f.options())); err != nil {
		return err
	}
	o, err := s.rate()
	if err != nil {
		return err
	}
	r.Mpps, r.Overload, r.Limit, r.Unlimited = o.pps/1e6, o.overload/1e6, o.limit, o.free
	r.Gbps = r.Mpps * float64(r.Size) * 8 / 1e3
	return nil
}

// NewHardwareReport is a report without rows, of this machine.
func NewHardwareReport() *HardwareReport {
	return &HardwareReport{CPU: tsc.CPU(), TSCHz: tsc.Hz(hzSpan), Rows: []HardwareRow{}}
}

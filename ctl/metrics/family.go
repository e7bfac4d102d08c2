package metrics

import (
	"fmt"
	"slices"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
)

// put gives one number of a family, with the values of its labels in their order.
type put func(value float64, labels ...string)

// family is all metrics of one name.
type family struct {
	name, help string
	kind       prometheus.ValueType
	labels     []string
	each       func(s *sample, put put)
	// histogram, in place of each, is of a family of histograms.
	histogram func(s *sample, put putHistogram)
	desc      *prometheus.Desc
}

// putHistogram gives one histogram: counts of observations up to each bound.
type putHistogram func(count uint64, sum float64, buckets map[float64]uint64, labels ...string)

// counter is a family of numbers that only grow.
func counter(name, help string, labels []string, each func(s *sample, put put)) *family {
	return &family{name: name, help: help, kind: prometheus.CounterValue, labels: labels, each: each, desc: prometheus.NewDesc(name, help, labels, nil)}
}

// gauge is a family of numbers that come and go.
func gauge(name, help string, labels []string, each func(s *sample, put put)) *family {
	return &family{name: name, help: help, kind: prometheus.GaugeValue, labels: labels, each: each, desc: prometheus.NewDesc(name, help, labels, nil)}
}

// histogram is a family of histograms.
func histogram(name, help string, labels []string, each func(s *sample, put putHistogram)) *family {
	return &family{name: name, help: help, kind: prometheus.UntypedValue, labels: labels, histogram: each, desc: prometheus.NewDesc(name, help, labels, nil)}
}

// collect makes the metrics of a family. What is told twice counts once, and what can't be made is an error in its place: neither costs naved its life, nor the scrape the
// other families.
func (f *family) collect(s *sample) (list []prometheus.Metric) {
	defer func() {
		if p := recover(); p != nil {
			list = append(list, prometheus.NewInvalidMetric(f.desc, fmt.Errorf("metrics: %s: %v", f.name, p)))
		}
	}()
	told := make(map[string]bool)
	tell := func(m prometheus.Metric, err error, labels []string) {
		key := strings.Join(labels, "\x00")
		switch {
		case err != nil:
			m = prometheus.NewInvalidMetric(f.desc, err)
		case told[key]:
			return
		}
		told[key] = true
		list = append(list, m)
	}
	if f.histogram != nil {
		f.histogram(s, func(count uint64, sum float64, buckets map[float64]uint64, labels ...string) {
			m, err := prometheus.NewConstHistogram(f.desc, count, sum, buckets, labels...)
			tell(m, err, labels)
		})
		return list
	}
	f.each(s, func(value float64, labels ...string) {
		m, err := prometheus.NewConstMetric(f.desc, f.kind, value, labels...)
		tell(m, err, labels)
	})
	return list
}

// families are those of every box.
var families = slices.Concat(boxFamilies, workerFamilies, packetFamilies, linkFamilies, tableFamilies, nhrpFamilies, cryptoFamilies, routingFamilies, hardwareFamilies)

func words(list ...string) []string { return list }

// one is 1 for what is so, else 0.
func one(is bool) float64 {
	if is {
		return 1
	}
	return 0
}

package metrics

import (
	"slices"

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

func (f *family) collect(s *sample, ch chan<- prometheus.Metric) {
	if f.histogram != nil {
		f.histogram(s, func(count uint64, sum float64, buckets map[float64]uint64, labels ...string) {
			ch <- prometheus.MustNewConstHistogram(f.desc, count, sum, buckets, labels...)
		})
		return
	}
	f.each(s, func(value float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(f.desc, f.kind, value, labels...)
	})
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

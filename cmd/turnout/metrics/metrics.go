// Package metrics shows the planes' counters to Prometheus.
//
// A plane counts for itself and knows nothing of Prometheus; at every scrape the collector asks each for its Stats. A label
// never holds the name of a room, a participant or an address: the number of series does not grow with use.
package metrics

import (
	"net/http"
	"runtime"
	"slices"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/turnout-rtc/turnout/cmd/turnout/front"
	"github.com/turnout-rtc/turnout/cmd/turnout/handover"
	"github.com/turnout-rtc/turnout/datachannel/store"
	"github.com/turnout-rtc/turnout/sfu"
	"github.com/turnout-rtc/turnout/signaling"
	"github.com/turnout-rtc/turnout/turn"
)

// Snapshot is what the planes counted, all at about the same time.
type Snapshot struct {
	Media        sfu.Stats
	Signaling    signaling.Stats
	TURN         turn.Stats
	Handover     handover.Stats
	Store        store.Stats
	Front        front.Stats
	CertNotAfter int64 // of the certificate of HTTPS, Unix seconds; 0 without one
}

// Handler serves /metrics: the planes, the Go runtime and the process.
func Handler(version string, read func() Snapshot) http.Handler {
	return HandlerOf(version, read)
}

// HandlerOf shows of the planes only the families whose names begin with one of prefixes; without prefixes all.
func HandlerOf(version string, read func() Snapshot, prefixes ...string) http.Handler {
	return promhttp.HandlerFor(registry(version, read, prefixes...), promhttp.HandlerOpts{})
}

func registry(version string, read func() Snapshot, prefixes ...string) *prometheus.Registry {
	build := prometheus.NewGauge(prometheus.GaugeOpts{
		Name:        "turnout_build_info",
		Help:        "Always 1; its labels say what runs.",
		ConstLabels: prometheus.Labels{"version": version, "goversion": runtime.Version()},
	})
	build.Set(1)
	r := prometheus.NewRegistry()
	r.MustRegister(build, newCollector(read, prefixes), collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return r
}

// collector turns a Snapshot into samples. Set at construction, never changed.
type collector struct {
	read   func() Snapshot
	values []described[func(Snapshot) float64]
	labels []described[func(Snapshot) map[string]uint64]
}

// described is a metric family and where its samples come from.
type described[F any] struct {
	desc *prometheus.Desc
	kind prometheus.ValueType
	from F
}

func newCollector(read func() Snapshot, prefixes []string) *collector {
	c := &collector{read: read}
	shown := func(name string) bool {
		return len(prefixes) == 0 || slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(name, p) })
	}
	for _, v := range values() {
		if !shown(v.name) {
			continue
		}
		c.values = append(c.values, described[func(Snapshot) float64]{prometheus.NewDesc(v.name, v.help, nil, nil), v.kind, v.from})
	}
	for _, r := range labels() {
		if !shown(r.name) {
			continue
		}
		desc := prometheus.NewDesc(r.name, r.help, []string{r.label}, nil)
		c.labels = append(c.labels, described[func(Snapshot) map[string]uint64]{desc, r.kind, r.from})
	}
	return c
}

// Describe implements prometheus.Collector.
func (c *collector) Describe(ch chan<- *prometheus.Desc) {
	for _, v := range c.values {
		ch <- v.desc
	}
	for _, r := range c.labels {
		ch <- r.desc
	}
}

// Collect implements prometheus.Collector.
func (c *collector) Collect(ch chan<- prometheus.Metric) {
	now := c.read()
	for _, v := range c.values {
		ch <- prometheus.MustNewConstMetric(v.desc, v.kind, v.from(now))
	}
	for _, r := range c.labels {
		for reason, n := range r.from(now) {
			ch <- prometheus.MustNewConstMetric(r.desc, r.kind, float64(n), reason)
		}
	}
}

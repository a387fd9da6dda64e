package ops

import (
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Metrics has a registry of its own: nothing is counted because some library
// was linked in. Labels come from the configuration and from fixed lists, never
// from callers, so that nobody can make them grow.
type Metrics struct {
	registry *prometheus.Registry
	requests *prometheus.CounterVec
	duration *prometheus.HistogramVec
	known    sync.Map // of series to counters
}

// series is what requests are counted by.
type series struct {
	listener, route, method string
	status                  int
}

// counters are the two that a series counts in.
type counters struct {
	requests prometheus.Counter
	duration prometheus.Observer
}

// NewMetrics returns metrics of the process, the Go runtime, the build, and
// requests.
func NewMetrics(version string) *Metrics {
	m := &Metrics{
		registry: prometheus.NewRegistry(),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "gatehouse_requests_total",
			Help: "Requests answered, by listener, route, method and status.",
		}, []string{"listener", "route", "method", "status"}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "gatehouse_request_seconds",
			Help:    "Time from the first byte read to the last byte written.",
			Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 10, 60},
		}, []string{"listener", "route"}),
	}
	build := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "gatehouse_build_info", Help: "Always 1; the label has the version.",
		ConstLabels: prometheus.Labels{"version": version},
	})
	build.Set(1)
	m.registry.MustRegister(m.requests, m.duration, build,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// Registerer is where other packages add what they count.
func (m *Metrics) Registerer() prometheus.Registerer { return m.registry }

// Observe counts one request. Its signature is that of logging.Requests.Observe.
func (m *Metrics) Observe(listener, route, method string, status int, took time.Duration) {
	c := m.of(series{listener, route, method, status})
	c.requests.Inc()
	c.duration.Observe(took.Seconds())
}

// of finds the counters of a series. Looking labels up by their values takes
// longer than counting does, so what was found is kept; there are as many as
// the registry has anyway.
func (m *Metrics) of(s series) *counters {
	if c, ok := m.known.Load(s); ok {
		return c.(*counters)
	}
	c, _ := m.known.LoadOrStore(s, &counters{
		requests: m.requests.WithLabelValues(s.listener, s.route, s.method, strconv.Itoa(s.status)),
		duration: m.duration.WithLabelValues(s.listener, s.route),
	})
	return c.(*counters)
}

// Gauge adds a value that is read when somebody looks.
func (m *Metrics) Gauge(name, help string, read func() float64) {
	m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, read))
}

// Counter adds a count that is kept elsewhere and read when somebody looks.
func (m *Metrics) Counter(name, help string, read func() float64) {
	m.registry.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{Name: name, Help: help}, read))
}

func (m *Metrics) handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{
		MaxRequestsInFlight: 4,
		Timeout:             10 * time.Second,
	})
}

package server

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/longshore-registry/longshore/internal/server/intake"
	"github.com/longshore-registry/longshore/internal/server/record"
)

// metrics are the registry's figures, under Quay's names where Quay has them.
type metrics struct {
	registry *prometheus.Registry
	inFlight prometheus.Gauge
	requests *prometheus.HistogramVec
	pulls    *prometheus.CounterVec
	pushes   *prometheus.CounterVec
	pulled   *prometheus.CounterVec
	pushed   prometheus.Counter
	logins   *prometheus.CounterVec
}

func newMetrics(o Options, budget *intake.Budget) *metrics {
	namespace := o.Namespace
	m := &metrics{
		registry: prometheus.NewRegistry(),
		inFlight: prometheus.NewGauge(prometheus.GaugeOpts{Namespace: namespace, Name: "requests_in_flight", Help: "Requests being answered."}),
		requests: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Namespace: namespace, Name: "request_duration_seconds", Help: "Time to answer, by route.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 10, 60},
		}, []string{"method", "route", "status"}),
		pulls: prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: namespace, Name: "registry_image_pulls_total",
			Help: "Manifests served."}, []string{"protocol", "ref", "status"}),
		pushes: prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: namespace, Name: "registry_image_pushes_total",
			Help: "Manifests received."}, []string{"protocol", "status", "media_type"}),
		pulled: prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: namespace, Name: "registry_image_pulled_estimated_bytes_total",
			Help: "Bytes of blobs served."}, []string{"protocol"}),
		pushed: prometheus.NewCounter(prometheus.CounterOpts{Namespace: namespace, Name: "registry_image_pushed_bytes_total",
			Help: "Bytes of blobs received."}),
		logins: prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: namespace, Name: "authentication_attempts_total",
			Help: "Credentials presented at the token endpoint."}, []string{"auth_kind", "success"}),
	}
	m.registry.MustRegister(m.inFlight, m.requests, m.pulls, m.pushes, m.pulled, m.pushed, m.logins,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	m.registry.MustRegister(intakeFigures(namespace, budget)...)
	m.registry.MustRegister(auditFigures(namespace, o.ActionLog)...)
	return m
}

// intakeFigures are what is held in memory for requests, and what was refused.
func intakeFigures(namespace string, budget *intake.Budget) []prometheus.Collector {
	all := []prometheus.Collector{prometheus.NewGaugeFunc(prometheus.GaugeOpts{Namespace: namespace, Name: "intake_held_bytes",
		Help: "Memory held by request bodies that are read whole and by answers that are built whole."},
		func() float64 { return float64(budget.Held()) })}
	for _, why := range []intake.Refusal{intake.Full, intake.Slow, intake.Large} {
		all = append(all, prometheus.NewCounterFunc(prometheus.CounterOpts{Namespace: namespace, Name: "intake_refused_total",
			Help: "Bodies and answers that were refused: no room in memory, too slow, too large.", ConstLabels: prometheus.Labels{"reason": why.String()}},
			func() float64 { return float64(budget.Refused(why)) }))
	}
	return all
}

// observe counts a finished request. Routes are names from the route tables, so that labels stay bounded.
func (m *metrics) observe(r *http.Request, rec *record.Record, out *responseWriter, took time.Duration) {
	route := rec.Route
	if route == "" {
		route = "other"
	}
	status := strconv.Itoa(out.status)
	m.requests.WithLabelValues(method(r.Method), route, status).Observe(took.Seconds())
	switch {
	case route == "token" && rec.Credential != "":
		m.logins.WithLabelValues(rec.Credential, strconv.FormatBool(out.status == http.StatusOK)).Inc()
	case route == "manifest.get":
		m.pulls.WithLabelValues("v2", referenceKind(r.URL.Path), status).Inc()
	case route == "manifest.put":
		m.pushes.WithLabelValues("v2", status, mediaType(r.Header.Get("Content-Type"))).Inc()
	case route == "blob.get":
		m.pulled.WithLabelValues("v2").Add(float64(out.bytes))
	case strings.HasPrefix(route, "upload.") && r.ContentLength > 0 && out.status < 300:
		m.pushed.Add(float64(r.ContentLength))
	}
}

func referenceKind(path string) string {
	if strings.Contains(path[strings.LastIndexByte(path, '/')+1:], ":") {
		return "manifest"
	}
	return "tag"
}

// mediaType keeps the label to the types that exist.
func mediaType(contentType string) string {
	t, _, _ := strings.Cut(contentType, ";")
	switch t {
	case "application/vnd.docker.distribution.manifest.v2+json", "application/vnd.docker.distribution.manifest.list.v2+json",
		"application/vnd.oci.image.manifest.v1+json", "application/vnd.oci.image.index.v1+json":
		return t
	}
	return "other"
}

func method(name string) string {
	switch name {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions:
		return name
	}
	return "other"
}

package server

import (
	"context"
	"encoding/json"
	"net/http"
	"strconv"
	"time"

	"github.com/longshore-registry/longshore/internal/secret"
	"github.com/longshore-registry/longshore/internal/server/record"
)

// Check is one part of the registry whose state the health endpoints report, under Quay's service names.
type Check struct {
	Name     string
	Instance bool // part of /health/instance: this process can work
	EndToEnd bool // part of /health/endtoend: a push and a pull would succeed
	Warning  bool // part of /health/warning: it will fail before long
	Run      func(context.Context) error
}

// given is the secret that a request shows, to be told what is wrong (ENABLE_HEALTH_DEBUG_SECRET).
func given(r *http.Request) secret.String { return secret.New(r.URL.Query().Get("debug")) }

// healthTimeout bounds a health request: a load balancer wants an answer, not a wait.
const healthTimeout = 5 * time.Second

// HealthDetails is what the health endpoints tell those who may know, besides which part is unwell and why.
type HealthDetails struct {
	Provider string                   // where the configuration comes from, in Quay's words
	Key      func() string            // id of the key that this process signs tokens with; empty for none
	Hostname string                   // of this machine
	Sees     func(*http.Request) bool // whether who sends a request may know; nil for nobody
}

// health answers Quay's health endpoints: 200 when every part is well, else 503, and which part is not. The header Age
// says how many seconds ago the oldest of the results was found.
func (s *Server) health(chosen func(Check) bool) http.HandlerFunc {
	var probes []*probe
	for _, p := range s.probes {
		if chosen(p.Check) {
			probes = append(probes, p)
		}
	}
	return func(w http.ResponseWriter, r *http.Request) {
		record.From(r.Context()).Route = "health"
		services, failures, status := map[string]bool{}, map[string]string{}, http.StatusOK
		age := time.Duration(0)
		for i, found := range probeAll(r.Context(), probes) {
			name := probes[i].Name
			services[name] = found.err == nil
			if found.err != nil {
				status = http.StatusServiceUnavailable
				failures[name] = found.err.Error()
			}
			age = max(age, s.options.Clock().Sub(found.at))
		}
		data := map[string]any{"services": services}
		if s.seesHealth(r) {
			s.describeHealth(data, services, failures)
		}
		if note := spoolNote(s.options.ActionLog); note != "" {
			data["action_log"] = note
		}
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("Age", strconv.Itoa(int(age.Seconds())))
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(map[string]any{"data": data, "status_code": status})
	}
}

// seesHealth reports whether who asks showed the secret, or is somebody who may know. Only a request with a cookie or a
// token is worth the look: load balancers ask all the time.
func (s *Server) seesHealth(r *http.Request) bool {
	if secret := s.options.HealthDebug; secret.IsSet() && secret.Equal(given(r)) {
		return true
	}
	known := r.Header.Get("Cookie") != "" || r.Header.Get("Authorization") != ""
	return known && s.options.Health.Sees != nil && s.options.Health.Sees(r)
}

// describeHealth adds what rest-api §23 has for superusers.
func (s *Server) describeHealth(data map[string]any, services map[string]bool, failures map[string]string) {
	expanded := map[string]any{}
	for name, well := range services {
		part := map[string]any{"status": well}
		if why, failed := failures[name]; failed {
			part["failure"] = why
		}
		expanded[name] = part
	}
	details := s.options.Health
	data["services_expanded"], data["notes"], data["is_testing"] = expanded, failures, false
	data["config_provider"], data["hostname"], data["local_service_key_id"] = details.Provider, details.Hostname, ""
	if details.Key != nil {
		data["local_service_key_id"] = details.Key()
	}
}

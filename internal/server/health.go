package server

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/longshore-registry/longshore/internal/secret"
	"github.com/longshore-registry/longshore/internal/server/record"
)

// Check is one part of the registry whose state the health endpoints report, under Quay's service names.
type Check struct {
	Name     string
	Instance bool // part of /health/instance: this process can work
	EndToEnd bool // part of /health/endtoend: a push and a pull would succeed
	Run      func(context.Context) error
}

// given is the secret that a request shows, to be told what is wrong (ENABLE_HEALTH_DEBUG_SECRET).
func given(r *http.Request) secret.String { return secret.New(r.URL.Query().Get("debug")) }

// healthTimeout bounds a health request: a load balancer wants an answer, not a wait.
const healthTimeout = 5 * time.Second

// health answers Quay's health endpoints: 200 when every part is well, else 503, and which part is not.
func (s *Server) health(chosen func(Check) bool) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		record.From(r.Context()).Route = "health"
		ctx, cancel := context.WithTimeout(r.Context(), healthTimeout)
		defer cancel()
		services, failures, status := map[string]bool{}, map[string]string{}, http.StatusOK
		for _, c := range s.checks {
			if !chosen(c) {
				continue
			}
			err := c.Run(ctx)
			services[c.Name] = err == nil
			if err != nil {
				status = http.StatusServiceUnavailable
				failures[c.Name] = err.Error()
				s.log.WarnContext(ctx, "health check failed", "service", c.Name, "error", err)
			}
		}
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Cache-Control", "no-store")
		w.WriteHeader(status)
		data := map[string]any{"services": services}
		if secret := s.options.HealthDebug; secret.IsSet() && secret.Equal(given(r)) {
			data["notes"] = failures
		}
		if note := spoolNote(s.options.ActionLog); note != "" {
			data["action_log"] = note
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"data": data, "status_code": status})
	}
}

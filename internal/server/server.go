// Package server runs the registry's listeners: the public one with /v2, /api/v1 and the health endpoints, and an
// administrative one with /metrics and pprof.
//
// It owns what every request has in common: the record with client and address, bounds on headers and stalls, the one
// log line, metrics, panics, TLS, and a shutdown that lets uploads in flight finish.
package server

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/http/pprof"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"golang.org/x/sync/errgroup"

	"github.com/longshore-registry/longshore/internal/audit"
	"github.com/longshore-registry/longshore/internal/secret"
	"github.com/longshore-registry/longshore/internal/server/intake"
)

const (
	headerTimeout  = 10 * time.Second
	idleTimeout    = 2 * time.Minute
	maxHeaderBytes = 64 << 10
)

// Options is what a server is made of.
type Options struct {
	Listen       string        // public listener, host:port
	Admin        string        // administrative listener, host:port; empty: none
	AdminMayFail bool          // an occupied Admin address is a warning, not an error
	TLS          *TLS          // nil: plain HTTP
	Address      Address       // how clients reach us
	Network      string        // "tcp", "tcp4" or "tcp6"
	Grace        time.Duration // how long a shutdown waits for requests in flight

	Distribution http.Handler              // /v2 and /keys
	API          http.Handler              // /api/v1 and its companions
	MailLinks    http.Handler              // /confirm, /recovery and /authrepoemail; nil: no mail is sent, and so nothing leads there
	Exports      http.Handler              // /exportedlogs; nil: there are none
	Companion    func(escaped string) bool // whether a path that is not below /api is the API's; nil for /csrf_token alone
	Legacy       http.Handler              // /v1
	Root         http.Handler              // everything else
	Checks       []Check
	Health       HealthDetails
	HealthDebug  secret.String      // ENABLE_HEALTH_DEBUG_SECRET: who shows it is told what is unwell
	ActionLog    func() audit.Stats // the action log's figures; nil: there is none
	Namespace    string             // metrics prefix, Quay's "quay"
	Intake       int64              // bytes that bodies and answers may hold in memory; 0 for what fits the process
	Connections  int                // of the public listener at a time; 0 for what the process's limit of files allows
	Log          *slog.Logger
	Clock        func() time.Time // for how old a health check is; nil for time.Now
}

// Server is a configured pair of listeners.
type Server struct {
	options Options
	address Address
	probes  []*probe
	metrics *metrics
	intake  *intake.Budget
	log     *slog.Logger
	tls     *tls.Config
}

// New checks the options and reads the TLS files.
func New(o Options) (*Server, error) {
	if o.Intake <= 0 {
		o.Intake = intake.Suggested()
	}
	if o.Connections <= 0 {
		o.Connections = suggestedConnections(openFiles())
	}
	if o.Clock == nil {
		o.Clock = time.Now
	}
	budget := intake.New(o.Intake)
	s := &Server{options: o, address: o.Address, metrics: newMetrics(o, budget), intake: budget, log: o.Log}
	for _, c := range o.Checks {
		s.probes = append(s.probes, &probe{Check: c, log: o.Log, clock: o.Clock})
	}
	if o.TLS != nil {
		var err error
		if s.tls, err = o.TLS.config(); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// Registerer takes the metrics of other packages.
func (s *Server) Registerer() prometheus.Registerer { return s.metrics.registry }

// Handler is the public listener's handler, for tests that bring their own listener.
func (s *Server) Handler() http.Handler {
	mux := http.NewServeMux()
	instance := s.health(func(c Check) bool { return c.Instance })
	endToEnd := s.health(func(c Check) bool { return c.EndToEnd })
	mux.Handle("GET /health", instance)
	mux.Handle("GET /health/instance", instance)
	mux.Handle("GET /status", endToEnd)
	mux.Handle("GET /health/endtoend", endToEnd)
	if s.options.Exports != nil {
		mux.Handle("GET /exportedlogs/{id}", s.options.Exports)
	}
	mux.Handle("GET /health/warning", s.health(func(c Check) bool { return c.Warning }))
	mux.Handle("/", s.options.Root)
	others := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s.options.Companion != nil && s.options.Companion(r.URL.EscapedPath()) {
			s.options.API.ServeHTTP(w, r)
			return
		}
		mux.ServeHTTP(w, r)
	})
	own := s.own(others)
	// The mux would clean paths and redirect; repository names and digests are parsed by their own matchers.
	return s.observe(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		handler := own[firstSegment(r.URL.Path)]
		if handler == nil {
			handler = others
		}
		handler.ServeHTTP(w, r)
	}))
}

// own says who answers paths by their first segment. What is not here may be a namespace's short address.
func (s *Server) own(others http.Handler) map[string]http.Handler {
	v2, api, mails := s.options.Distribution, s.options.API, s.mailLinks()
	return map[string]http.Handler{
		"v2": v2, "keys": v2,
		"v1":  s.options.Legacy,
		"api": api, "csrf_token": api, "oauth": api,
		"confirm": mails, "recovery": mails, "authrepoemail": mails,
		"health": others, "status": others, "exportedlogs": others,
	}
}

// OwnSegments are the first segments of paths that the server keeps from namespaces' short addresses, in order.
func (s *Server) OwnSegments() []string { return slices.Sorted(maps.Keys(s.own(nil))) }

func (s *Server) mailLinks() http.Handler {
	if s.options.MailLinks == nil {
		return s.options.Root
	}
	return s.options.MailLinks
}

// firstSegment is the part of a path between its first and second slash.
func firstSegment(path string) string {
	if path == "" || path[0] != '/' {
		return ""
	}
	path = path[1:]
	for i := range len(path) {
		if path[i] == '/' {
			return path[:i]
		}
	}
	return path
}

// Run listens and serves until ctx ends, then shuts down: new connections are refused at once, requests in flight get
// Options.Grace to finish. ready is called with the public listener's address once it accepts connections.
func (s *Server) Run(ctx context.Context, ready func(net.Addr)) error {
	listener, err := (&net.ListenConfig{}).Listen(ctx, s.options.Network, s.options.Listen)
	if err != nil {
		return err
	}
	gate := newGate(listener, s.options.Connections)
	public := s.httpServer(s.Handler())
	public.ConnState = gate.left
	public.TLSConfig = s.tls
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		if s.tls != nil {
			return ended(public.ServeTLS(gate, "", ""))
		}
		return ended(public.Serve(gate))
	})
	servers := []*http.Server{public}
	if admin, err := s.listenAdmin(ctx); err != nil {
		_ = public.Close()
		return err
	} else if admin != nil {
		server := s.httpServer(s.adminHandler())
		servers = append(servers, server)
		group.Go(func() error { return ended(server.Serve(admin)) })
	}
	group.Go(func() error {
		<-ctx.Done()
		return s.shutdown(context.WithoutCancel(ctx), servers)
	})
	ready(listener.Addr())
	return group.Wait()
}

func (s *Server) httpServer(h http.Handler) *http.Server {
	return &http.Server{
		Handler:           h,
		ReadHeaderTimeout: headerTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
	}
}

func (s *Server) listenAdmin(ctx context.Context) (net.Listener, error) {
	if s.options.Admin == "" {
		return nil, nil
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, s.options.Network, s.options.Admin)
	if err != nil && s.options.AdminMayFail {
		s.log.Warn("metrics and profiles are not served: choose another address with --admin-listen", "error", err)
		return nil, nil
	}
	return listener, err
}

func (s *Server) adminHandler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(s.metrics.registry, promhttp.HandlerOpts{}))
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	return mux
}

// shutdown waits for requests in flight, then cuts the rest.
func (s *Server) shutdown(ctx context.Context, servers []*http.Server) error {
	ctx, cancel := context.WithTimeout(ctx, s.options.Grace)
	defer cancel()
	var group errgroup.Group
	for _, server := range servers {
		group.Go(func() error {
			err := server.Shutdown(ctx)
			if errors.Is(err, context.DeadlineExceeded) {
				s.log.Warn("requests were cut at shutdown", "grace", s.options.Grace.String())
				return server.Close()
			}
			return err
		})
	}
	return group.Wait()
}

func ended(err error) error {
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

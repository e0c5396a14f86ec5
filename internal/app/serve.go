package app

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/longshore-registry/longshore/internal/problem"
	"github.com/longshore-registry/longshore/internal/server"
	"github.com/longshore-registry/longshore/internal/server/rest"
)

// shutdownGrace is how long requests in flight may go on after SIGTERM: a large layer must not be lost to a rollout.
const shutdownGrace = 5 * time.Minute

type serveCommand struct {
	place
	Listen      string   `help:"Address to serve on; 127.0.0.1:8080 if not given, port 8443 with TLS." placeholder:"HOST:PORT"`
	AdminListen *string  `help:"Address of metrics and profiles; empty for none. 127.0.0.1:9091 if not given." placeholder:"HOST:PORT"`
	Roles       []string `help:"What this process does: web (all there is in this version), or all." default:"all" enum:"all,web,worker,mirror,scanner"`
}

// Run serves until the context ends.
func (c serveCommand) Run(ctx context.Context, p Program) error {
	if _, set := p.Getenv("GOGC"); !set {
		boundHeap(ctx)
	}
	var flush func()
	p.Stderr, flush = bufferLines(p.Stderr)
	defer flush()
	i, err := c.load(p)
	if err != nil {
		return err
	}
	if err := c.checkRoles(i); err != nil {
		return err
	}
	for _, f := range i.report.Warnings {
		i.log.Warn("configuration: " + f.String())
	}
	if err := i.prepare(); err != nil {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	parts, err := i.build(ctx, stop)
	if err != nil {
		return err
	}
	defer parts.close(ctx)
	s, err := server.New(c.serverOptions(i, parts))
	if err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	for _, run := range parts.background {
		group.Go(func() error { return run(ctx) })
	}
	group.Go(func() error {
		return s.Run(ctx, func(a net.Addr) { c.greet(ctx, p, i, parts, a) })
	})
	return group.Wait()
}

// checkRoles refuses what would silently do nothing. The embedded database belongs to one process.
func (c serveCommand) checkRoles(i *installation) error {
	for _, role := range c.Roles {
		switch role {
		case "all":
			continue
		case "web":
		default:
			return codedError{code: exitUsage, cause: problem.New(problem.Invalid, "--roles %s: this version has no work for that role; all and web are possible", role)}
		}
		if !i.config.Database.Postgres() {
			return codedError{code: exitUsage, cause: problem.New(problem.Invalid, "--roles %s needs PostgreSQL (DB_URI): the embedded database belongs to one process, which has all roles", role)}
		}
	}
	return nil
}

func (c serveCommand) serverOptions(i *installation, parts *parts) server.Options {
	set := i.config.Server
	o := server.Options{
		Listen: c.Listen, Network: set.Network(), Grace: shutdownGrace,
		Address:      server.Address{Hostname: set.Hostname, Scheme: set.Scheme, External: set.ExternalTLS, Proxies: set.Proxies.Count, ProxiesOn: set.Proxies.Set},
		Distribution: i.seams.handler(parts.distribution), API: i.seams.handler(parts.api), Companion: parts.api.Serves, Legacy: i.seams.handler(parts.legacy), MailLinks: parts.mailLinks, Exports: parts.exports, ActionLog: parts.log.Stats, Root: http.HandlerFunc(serveRoot), Checks: parts.checks, HealthDebug: set.HealthDebug,
		Health:    server.HealthDetails{Provider: "file", Hostname: i.hostname(), Key: parts.tokens.SigningKey, Sees: parts.api.SeesHealth},
		Namespace: i.config.Observability.MetricsPrefix, Log: i.log,
	}
	if t := i.config.TLS; t.KeyFile != "" && !set.ExternalTLS {
		o.TLS = &server.TLS{CertFile: t.CertFile, KeyFile: t.KeyFile, Protocols: t.Protocols, Ciphers: t.Ciphers}
		o.Address.Scheme = "https"
	}
	if o.Listen == "" {
		o.Listen = "127.0.0.1:8080"
		if o.TLS != nil {
			o.Listen = "127.0.0.1:8443"
		}
	}
	if c.AdminListen == nil {
		o.Admin, o.AdminMayFail = "127.0.0.1:9091", true
	} else {
		o.Admin = *c.AdminListen
	}
	return o
}

// greet says where the registry is and, on an empty installation, what to do next.
func (c serveCommand) greet(ctx context.Context, p Program, i *installation, parts *parts, a net.Addr) {
	scheme := "http"
	if i.config.TLS.KeyFile != "" {
		scheme = "https"
	}
	host := reachable(a)
	fmt.Fprintf(p.Stdout, "longshore %s serves on %s://%s (data in %s)\n", version, scheme, host, i.data)
	some, err := parts.identity.HasUsers(ctx)
	if err != nil || some {
		return
	}
	c.greetFirst(p, i, host)
}

// greetFirst says how the first user is made. The set-up code is for who asks from another machine.
func (c serveCommand) greetFirst(p Program, i *installation, host string) {
	flags := ""
	if c.Config != "" {
		flags += " --config " + c.Config
	}
	fmt.Fprintf(p.Stdout, `
There is no user yet. In another terminal:

  %s user create%s --data %s admin
  docker login %s -u admin
  docker tag hello-world %s/admin/hello:v1 && docker push %s/admin/hello:v1

`, p.name(), flags, c.Data, host, host, host)
	if !i.config.Accounts.Registration || !i.config.Login.Direct {
		return
	}
	if code, err := rest.SetupCode([]byte(i.config.Keys.Secret.Reveal())); err == nil {
		fmt.Fprintf(p.Stdout, "Making it through the API from another machine takes this set-up code: %s\n\n", code)
	}
}

// reachable turns a listener's address into one a client on this machine can use.
func reachable(a net.Addr) string {
	tcp, ok := a.(*net.TCPAddr)
	if !ok {
		return a.String()
	}
	if tcp.IP.IsUnspecified() || tcp.IP.IsLoopback() {
		return fmt.Sprintf("localhost:%d", tcp.Port)
	}
	return tcp.String()
}

// serveRoot answers what is neither the registry nor the API: a person with a browser, or a mistyped path.
func serveRoot(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path != "/" {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	fmt.Fprintf(w, "Longshore %s, a container registry.\n\n/v2/ is the registry, /api/v1/ the API, /health/instance tells whether all is well.\nThe web console comes with a later version.\n", version)
}

// name is how the program was called, for commands that people copy.
func (p Program) name() string {
	if strings.HasSuffix(p.Self, "/longshore") || p.Self == "longshore" {
		return p.Self
	}
	return "longshore"
}

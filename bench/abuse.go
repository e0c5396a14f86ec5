package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"text/tabwriter"
	"time"
)

// What others feel of an abuse: somebody pulls a manifest at an even pace, in turn without and with the abuse.
const (
	victimPace = 5 * time.Millisecond // between two pulls begun, whether or not the earlier have been answered
	abuserPace = 5 * time.Millisecond // between two requests of all abusers; the machine is theirs too
	victimWait = 10 * time.Second     // for one pull
	coming     = time.Second          // in which connections that are held have come and been looked at
)

// abuse is something a registry has to bear. Its requests come at abuserPace, or it holds connections open.
type abuse struct {
	name    string
	request func(ctx context.Context, s *server) (*http.Request, error)
	hold    int // so many connections, each with the head that stall gives
	stall   func(s *server, token string) string
}

func abuses() []abuse {
	junk := bytes.Repeat([]byte("["), 4*mib)
	basic := func(ctx context.Context, s *server, password string) (*http.Request, error) {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.client.base+"/v2/auth?"+url.Values{"service": {"x"}, "scope": {"repository:bench/small:pull"}}.Encode(), nil)
		if err == nil {
			req.SetBasicAuth(s.client.user, password)
		}
		return req, err
	}
	bearer := func(ctx context.Context, s *server, method, path, token string, body io.Reader) (*http.Request, error) {
		req, err := http.NewRequestWithContext(ctx, method, s.client.base+path, body)
		if err == nil {
			req.Header.Set("Authorization", "Bearer "+token)
			req.Header.Set("Content-Type", imageType)
		}
		return req, err
	}
	return []abuse{
		{name: "wrong passwords", request: func(ctx context.Context, s *server) (*http.Request, error) {
			return basic(ctx, s, "wrong")
		}},
		{name: "forged tokens", request: func(ctx context.Context, s *server) (*http.Request, error) {
			return bearer(ctx, s, http.MethodGet, "/v2/bench/small/manifests/v1", "eyJhbGciOiJSUzI1NiIsImtpZCI6IngifQ.e30."+strings.Repeat("A", 342), nil)
		}},
		{name: "malformed manifests of 4 MiB", request: func(ctx context.Context, s *server) (*http.Request, error) {
			token, err := s.client.token(ctx, "/v2/bench/small/manifests/x")
			if err != nil {
				return nil, err
			}
			return bearer(ctx, s, http.MethodPut, "/v2/bench/small/manifests/bad", token, bytes.NewReader(junk))
		}},
		{name: "500 uploads that stall", hold: 500, stall: func(s *server, token string) string {
			return "POST /v2/bench/small/blobs/uploads/?digest=sha256:" + strings.Repeat("0", 64) + " HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + token +
				"\r\nContent-Type: application/octet-stream\r\nContent-Length: 1000000\r\n\r\nx"
		}},
		{name: "500 clients that read no answer", hold: 500, stall: func(_ *server, token string) string {
			one := "GET /v2/bench/small/manifests/v1 HTTP/1.1\r\nHost: x\r\nAccept: " + imageType + "\r\nAuthorization: Bearer " + token + "\r\n\r\n"
			return strings.Repeat(one, 20)
		}},
		{name: "500 requests whose head never ends", hold: 500, stall: func(*server, string) string {
			return "GET /v2/ HTTP/1.1\r\nHost: x\r\nX-Filler: " + strings.Repeat("a", 8<<10)
		}},
	}
}

// abuseAll prints, for each abuse and server, how long pulls take without and with it.
func (b *bench) abuseAll(ctx context.Context) error {
	small := rows()[0].needs
	out := tabwriter.NewWriter(os.Stdout, 0, 4, 2, ' ', 0)
	defer out.Flush()
	fmt.Fprintln(out, "abuse\tserver\tpull without: p50, p99 ms\twhile connections come\tpull with: p50, p99 ms\tpulls that failed\tanswers to the abuse\tmemory")
	for _, a := range abuses() {
		for _, s := range b.servers {
			if s.client.user == "" {
				continue
			}
			if !s.prepared[small] {
				if err := small.run(ctx, s.client); err != nil {
					return err
				}
				s.prepared[small] = true
			}
			var without, first, with pulls
			answers := map[string]int{}
			for range b.rounds {
				if err := without.observe(ctx, s, b.span); err != nil {
					return err
				}
				stop, err := a.begin(ctx, s, answers)
				if err != nil {
					return fmt.Errorf("%s: %w", a.name, err)
				}
				if a.hold > 0 {
					err = first.observe(ctx, s, coming)
				}
				if err == nil {
					err = with.observe(ctx, s, b.span)
				}
				stop()
				if err != nil {
					return err
				}
			}
			fmt.Fprintf(out, "%s\t%s\t%s\t%s\t%s\t%d\t%v\t%s\n", a.name, s.name, without.quantiles(), first.quantiles(), with.quantiles(), without.failed+first.failed+with.failed, inOrder(answers), s.memory())
		}
	}
	return nil
}

// pulls is how long pulls took.
type pulls struct {
	mu     sync.Mutex
	took   []time.Duration
	failed int
}

func (p *pulls) observe(ctx context.Context, s *server, span time.Duration) error {
	path := "/v2/bench/small/manifests/v1"
	if _, err := s.client.token(ctx, path); err != nil {
		return err
	}
	var all sync.WaitGroup
	ticker := time.NewTicker(victimPace)
	defer ticker.Stop()
	for end := time.Now().Add(span); time.Now().Before(end); <-ticker.C {
		all.Go(func() {
			ctx, cancel := context.WithTimeout(ctx, victimWait)
			defer cancel()
			begin := time.Now()
			_, err := s.client.do(ctx, http.MethodGet, path, nil, 0, map[string]string{"Accept": imageType}, http.StatusOK)
			p.mu.Lock()
			defer p.mu.Unlock()
			p.took = append(p.took, time.Since(begin))
			if err != nil {
				p.failed++
			}
		})
	}
	all.Wait()
	return ctx.Err()
}

func (p *pulls) quantiles() string {
	if len(p.took) == 0 {
		return "-"
	}
	slices.Sort(p.took)
	at := func(q float64) float64 { return float64(p.took[int(q*float64(len(p.took)-1))].Microseconds()) / 1000 }
	return fmt.Sprintf("%.2f, %.2f", at(0.5), at(0.99))
}

// begin starts an abuse and gives what ends it. What is answered is counted by status.
func (a abuse) begin(ctx context.Context, s *server, answers map[string]int) (stop func(), err error) {
	if a.hold > 0 {
		return a.beginHolding(ctx, s, answers)
	}
	ctx, cancel := context.WithCancel(ctx)
	var mu sync.Mutex
	var all sync.WaitGroup
	var open atomic.Int64
	all.Go(func() {
		ticker := time.NewTicker(abuserPace)
		defer ticker.Stop()
		for ctx.Err() == nil {
			<-ticker.C
			if open.Load() > 64 {
				continue
			}
			open.Add(1)
			all.Go(func() {
				defer open.Add(-1)
				answer := a.once(ctx, s)
				mu.Lock()
				defer mu.Unlock()
				if ctx.Err() == nil {
					answers[answer]++
				}
			})
		}
	})
	return func() {
		cancel()
		all.Wait()
	}, nil
}

func (a abuse) once(ctx context.Context, s *server) string {
	req, err := a.request(ctx, s)
	if err != nil {
		return "none"
	}
	res, err := s.client.http.Do(req)
	if err != nil {
		return "none"
	}
	defer res.Body.Close()
	_, _ = io.Copy(io.Discard, res.Body)
	return fmt.Sprint(res.StatusCode)
}

func (a abuse) beginHolding(ctx context.Context, s *server, answers map[string]int) (stop func(), err error) {
	token, err := s.client.token(ctx, "/v2/bench/small/blobs/x")
	if err != nil {
		return nil, err
	}
	base, err := url.Parse(s.client.base)
	if err != nil {
		return nil, err
	}
	var held []net.Conn
	stop = func() {
		for _, c := range held {
			_ = c.Close()
		}
	}
	for range a.hold {
		c, err := (&net.Dialer{}).DialContext(ctx, "tcp", base.Host)
		if err != nil {
			stop()
			return nil, err
		}
		held = append(held, c)
		if _, err := io.WriteString(c, a.stall(s, token)); err != nil {
			answers["cut"]++
		}
	}
	answers["held"] += len(held)
	return stop, nil
}

func inOrder(answers map[string]int) string {
	var all []string
	for _, k := range slices.Sorted(maps.Keys(answers)) {
		all = append(all, fmt.Sprintf("%s: %d", k, answers[k]))
	}
	return strings.Join(all, ", ")
}

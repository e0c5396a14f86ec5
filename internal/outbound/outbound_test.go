package outbound

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/longshore-registry/longshore/internal/problem"
)

func TestInsideIsWhatIsNotPublic(t *testing.T) {
	for address, want := range map[string]bool{
		"127.0.0.1": true, "10.1.2.3": true, "172.16.0.1": true, "192.168.1.1": true, "169.254.169.254": true, "0.0.0.0": true,
		"100.64.0.1": true, "224.0.0.1": true, "255.255.255.255": true, "198.18.0.1": true, "::1": true, "::": true, "fe80::1": true,
		"fd00::1": true, "64:ff9b::7f00:1": true, "2002:7f00:1::1": true, "::7f00:1": true, "2001:db8::1": true,
		"8.8.8.8": false, "172.32.0.1": false, "2606:4700::1": false, "64:ff9b::808:808": false,
	} {
		if got := inside(netip.MustParseAddr(address)); got != want {
			t.Errorf("%s is inside: %v", address, got)
		}
	}
}

func TestAddressesThatAreRefused(t *testing.T) {
	g := New([]string{"hooks.corp", "10.9.0.0/16", "192.168.7.7"}, nil)
	g.resolve = func(_ context.Context, host string) ([]netip.Addr, error) {
		return map[string][]netip.Addr{
			"public.example": {netip.MustParseAddr("8.8.8.8")},
			"mixed.example":  {netip.MustParseAddr("8.8.8.8"), netip.MustParseAddr("127.0.0.1")},
			"listed.example": {netip.MustParseAddr("10.9.1.1")},
		}[host], nil
	}
	for address, refused := range map[string]bool{
		"https://public.example/x": false, "http://listed.example": false, "http://hooks.corp/": false, "http://HOOKS.corp:8080/": false,
		"http://192.168.7.7/": false, "http://192.168.7.8/": true, "http://mixed.example/": true, "http://nowhere.example/": true,
		"ftp://public.example/": true, "http://u:p@public.example/": true, "http:///x": true, "http://[::ffff:127.0.0.1]/": true, "%": true,
	} {
		if err := g.CheckURL(t.Context(), address); problem.Is(err, problem.Invalid) != refused {
			t.Errorf("%s: %v", address, err)
		}
	}
}

// TestAConnectionInsideIsRefusedWhateverWasChecked dials without a check before, directly and by a redirect.
func TestAConnectionInsideIsRefusedWhateverWasChecked(t *testing.T) {
	calls := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		calls++
		if r.URL.Path == "/away" {
			_, port, _ := strings.Cut(r.Host, ":")
			http.Redirect(w, r, "http://127.0.0.2:"+port+"/", http.StatusTemporaryRedirect)
		}
	}))
	defer server.Close()
	get := func(g *Guard, path string) error {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		answer, err := g.Client(5 * time.Second).Do(r)
		if err == nil {
			_ = answer.Body.Close()
		}
		return err
	}
	if err := get(New(nil, nil), "/"); err == nil || calls != 0 {
		t.Errorf("a loopback address was called: %v, %d calls", err, calls)
	}
	u, _ := url.Parse(server.URL)
	listed := New([]string{u.Hostname()}, nil)
	if err := get(listed, "/"); err != nil || calls != 1 {
		t.Errorf("a listed address was not called: %v", err)
	}
	if err := get(listed, "/away"); err == nil || calls != 2 {
		t.Errorf("a redirect led to an address that is not listed: %v, %d calls", err, calls)
	}
}

// TestARedirectIsCheckedLikeAnAddress: what no connection would show is refused as well, before anything is sent.
func TestARedirectIsCheckedLikeAnAddress(t *testing.T) {
	calls, target := 0, ""
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if calls++; target != "" {
			http.Redirect(w, r, target, http.StatusTemporaryRedirect)
		}
	}))
	defer server.Close()
	u, _ := url.Parse(server.URL)
	client := New([]string{u.Hostname()}, nil).Client(5 * time.Second)
	for name, test := range map[string]struct {
		target string
		calls  int
	}{
		"credentials in the address": {"http://user:password@" + u.Host + "/", 1},
		"a loop":                     {server.URL + "/", maxRedirects + 1},
	} {
		calls, target = 0, test.target
		answer, err := client.Get(server.URL)
		if err == nil {
			_ = answer.Body.Close()
		}
		if err == nil || calls != test.calls {
			t.Errorf("%s: %v, %d calls, want %d", name, err, calls, test.calls)
		}
	}
}

func TestAnswersAreBounded(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(make([]byte, 100)) }))
	defer server.Close()
	u, _ := url.Parse(server.URL)
	for limit, fits := range map[int64]bool{100: true, 99: false} {
		answer, err := Bounded(New([]string{u.Hostname()}, nil).Client(5*time.Second), limit).Get(server.URL)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(answer.Body)
		_ = answer.Body.Close()
		if (err == nil) != fits || fits && len(body) != 100 {
			t.Errorf("limit %d: %d bytes, %v", limit, len(body), err)
		}
	}
}

//go:build e2e

package crash

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"
)

const (
	user     = "alice"
	password = "correct-horse-battery"
)

// client speaks to the registry as one person, with tokens as a real client gets them.
type client struct {
	base string
	api  string // the OAuth token for the API
	http *http.Client

	patient bool // asks again for a token when there is none, as after a step of the clock

	mu     sync.Mutex
	tokens map[string]string // by repositories
}

func newClient(base, api string) *client {
	return &client{
		base: base, api: api, tokens: map[string]string{},
		http: &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 32}},
	}
}

// result is an answer that came, with its body.
type result struct {
	status int
	header http.Header
	body   []byte
}

func (r result) String() string { return fmt.Sprintf("%d %.200s", r.status, r.body) }

// registry sends a request to /v2 with a token for the repositories. A token that is refused is fetched anew, once.
func (c *client) registry(ctx context.Context, method, path string, body []byte, header http.Header, repositories ...string) (result, error) {
	for attempt := 0; ; attempt++ {
		token, err := c.token(ctx, attempt > 0, repositories)
		if err != nil {
			return result{}, err
		}
		r, err := c.send(ctx, method, c.at(path), body, header, "Bearer "+token)
		if err != nil || r.status != http.StatusUnauthorized || attempt > 0 {
			return r, err
		}
	}
}

// at makes an address of what may be one already.
func (c *client) at(path string) string {
	if strings.HasPrefix(path, "http") {
		return path
	}
	return c.base + path
}

func (c *client) token(ctx context.Context, fresh bool, repositories []string) (string, error) {
	key := strings.Join(repositories, " ")
	c.mu.Lock()
	token := c.tokens[key]
	c.mu.Unlock()
	if token != "" && !fresh {
		return token, nil
	}
	query := url.Values{"service": {"longshore"}}
	for _, name := range repositories {
		query.Add("scope", "repository:"+name+":pull,push")
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, c.base+"/v2/auth?"+query.Encode(), nil)
	if err != nil {
		return "", err
	}
	request.SetBasicAuth("$oauthtoken", c.api) // a password would cost more than all the rest
	r, err := c.do(request)
	for n := 0; c.patient && n < 50 && err == nil && r.status == http.StatusServiceUnavailable; n++ { // a new key is being made
		time.Sleep(20 * time.Millisecond)
		r, err = c.do(request)
	}
	if err != nil {
		return "", err
	}
	var answer struct{ Token string }
	if err := json.Unmarshal(r.body, &answer); err != nil || answer.Token == "" {
		return "", unexpected{fmt.Errorf("token endpoint: %v", r)}
	}
	c.mu.Lock()
	c.tokens[key] = answer.Token
	c.mu.Unlock()
	return answer.Token, nil
}

// change sends a request to the API.
func (c *client) change(ctx context.Context, method, path string, body any) (result, error) {
	data, err := json.Marshal(body)
	if err != nil {
		return result{}, err
	}
	return c.send(ctx, method, c.base+"/api/v1/"+path, data, http.Header{"Content-Type": {"application/json"}}, "Bearer "+c.api)
}

func (c *client) send(ctx context.Context, method, address string, body []byte, header http.Header, authorization string) (result, error) {
	request, err := http.NewRequestWithContext(ctx, method, address, bytes.NewReader(body))
	if err != nil {
		return result{}, err
	}
	for name, values := range header {
		request.Header[name] = values
	}
	request.Header.Set("Authorization", authorization)
	return c.do(request)
}

func (c *client) do(request *http.Request) (result, error) {
	response, err := c.http.Do(request)
	if err != nil {
		return result{}, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	return result{response.StatusCode, response.Header, body}, err
}

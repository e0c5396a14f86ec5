package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"
)

// client speaks to one registry. A token is fetched once for each repository and kept, as real clients do.
type client struct {
	base              string
	user, password    string // none for a registry that asks nobody
	robot, robotToken string
	http              *http.Client

	mu     sync.Mutex
	tokens map[string]string // scope → token
}

func newClient(base string) *client {
	transport := &http.Transport{MaxIdleConnsPerHost: 256, DisableCompression: true, WriteBufferSize: 256 << 10, ReadBufferSize: 256 << 10}
	return &client{base: base, http: &http.Client{Transport: transport, Timeout: 2 * time.Minute}, tokens: map[string]string{}}
}

// do sends a request and reads the answer away; want lists the accepted statuses.
func (c *client) do(ctx context.Context, method, path string, body io.Reader, size int64, header map[string]string, want ...int) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, absolute(c.base, path), body)
	if err != nil {
		return nil, err
	}
	if body != nil {
		req.ContentLength = size
	}
	for k, v := range header {
		req.Header.Set(k, v)
	}
	if c.user != "" {
		token, err := c.token(ctx, path)
		if err != nil {
			return nil, err
		}
		req.Header.Set("Authorization", "Bearer "+token)
	}
	res, err := c.http.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	for _, status := range want {
		if res.StatusCode == status {
			_, err := io.Copy(io.Discard, res.Body)
			return res, err
		}
	}
	text, _ := io.ReadAll(io.LimitReader(res.Body, 300))
	return res, fmt.Errorf("%s %s: %s %s", method, path, res.Status, text)
}

func absolute(base, path string) string {
	if strings.HasPrefix(path, "http") {
		return path
	}
	return base + path
}

// token gives the bearer token for the repository of a path.
func (c *client) token(ctx context.Context, path string) (string, error) {
	name := strings.TrimPrefix(strings.TrimPrefix(path, c.base), "/v2/")
	for _, cut := range []string{"/blobs/", "/manifests/", "/tags/"} {
		if i := strings.LastIndex(name, cut); i >= 0 {
			name = name[:i]
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if t := c.tokens[name]; t != "" {
		return t, nil
	}
	t, err := c.login(ctx, c.user, c.password, "repository:"+name+":pull,push")
	if err == nil {
		c.tokens[name] = t
	}
	return t, err
}

func (c *client) login(ctx context.Context, user, password, scope string) (string, error) {
	realm, service, err := c.challenge(ctx)
	if err != nil {
		return "", err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, realm+"?"+url.Values{"service": {service}, "scope": {scope}}.Encode(), nil)
	if err != nil {
		return "", err
	}
	req.SetBasicAuth(user, password)
	res, err := c.http.Do(req)
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	var answer struct {
		Token       string `json:"token"`
		AccessToken string `json:"access_token"`
	}
	if err := json.NewDecoder(res.Body).Decode(&answer); err != nil {
		return "", err
	}
	if answer.Token == "" {
		answer.Token = answer.AccessToken
	}
	if answer.Token == "" {
		return "", fmt.Errorf("token endpoint: %s", res.Status)
	}
	return answer.Token, nil
}

func (c *client) challenge(ctx context.Context) (realm, service string, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.base+"/v2/", nil)
	if err != nil {
		return "", "", err
	}
	res, err := c.http.Do(req)
	if err != nil {
		return "", "", err
	}
	_, _ = io.Copy(io.Discard, res.Body)
	res.Body.Close()
	h := res.Header.Get("WWW-Authenticate")
	realm, service = quoted(h, `realm="`), quoted(h, `service="`)
	if realm == "" {
		return "", "", errors.New("no bearer challenge at /v2/: " + h)
	}
	return realm, service, nil
}

func quoted(header, key string) string {
	_, rest, _ := strings.Cut(header, key)
	value, _, _ := strings.Cut(rest, `"`)
	return value
}

func digestOf(b []byte) string {
	sum := sha256.Sum256(b)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// The three ways to push a blob.
const (
	postPut      = "POST, PUT"
	postPatchPut = "POST, PATCH, PUT"
	postOnly     = "POST with digest"
)

func (c *client) pushBlob(ctx context.Context, repo, way, digest string, b []byte) error {
	octets := map[string]string{"Content-Type": "application/octet-stream"}
	uploads := "/v2/" + repo + "/blobs/uploads/"
	if way == postOnly {
		res, err := c.do(ctx, http.MethodPost, uploads+"?digest="+url.QueryEscape(digest), bytes.NewReader(b), int64(len(b)), octets, http.StatusCreated, http.StatusAccepted)
		if err == nil && res.StatusCode == http.StatusAccepted { // a server that cannot do it opens an upload
			return errSkip
		}
		return err
	}
	res, err := c.do(ctx, http.MethodPost, uploads, nil, 0, nil, http.StatusAccepted)
	if err != nil {
		return err
	}
	location := res.Header.Get("Location")
	if way == postPatchPut {
		res, err = c.do(ctx, http.MethodPatch, location, bytes.NewReader(b), int64(len(b)), octets, http.StatusAccepted)
		if err != nil {
			return err
		}
		if l := res.Header.Get("Location"); l != "" {
			location = l
		}
		b = nil
	}
	sep := "?"
	if strings.Contains(location, "?") {
		sep = "&"
	}
	_, err = c.do(ctx, http.MethodPut, location+sep+"digest="+url.QueryEscape(digest), bytes.NewReader(b), int64(len(b)), octets, http.StatusCreated)
	return err
}

const imageType = "application/vnd.oci.image.manifest.v1+json"

func (c *client) putManifest(ctx context.Context, repo, ref string, b []byte) error {
	_, err := c.do(ctx, http.MethodPut, "/v2/"+repo+"/manifests/"+ref, bytes.NewReader(b), int64(len(b)), map[string]string{"Content-Type": imageType}, http.StatusCreated)
	return err
}

// image describes layers and config as an OCI manifest.
func image(config []byte, layers ...[]byte) []byte {
	type descriptor struct {
		MediaType string `json:"mediaType"`
		Digest    string `json:"digest"`
		Size      int    `json:"size"`
	}
	list := []descriptor{}
	for _, l := range layers {
		list = append(list, descriptor{"application/vnd.oci.image.layer.v1.tar", digestOf(l), len(l)})
	}
	b, _ := json.Marshal(map[string]any{"schemaVersion": 2, "mediaType": imageType,
		"config": descriptor{"application/vnd.oci.image.config.v1+json", digestOf(config), len(config)}, "layers": list})
	return b
}

// pushImage pushes an image as clients do: blobs that are not there yet, then the manifest.
func (c *client) pushImage(ctx context.Context, repo, tag string, config []byte, layers ...[]byte) error {
	for _, b := range append(layers, config) {
		d := digestOf(b)
		res, err := c.do(ctx, http.MethodHead, "/v2/"+repo+"/blobs/"+d, nil, 0, nil, http.StatusOK, http.StatusNotFound)
		if err != nil {
			return err
		}
		if res.StatusCode == http.StatusOK {
			continue
		}
		if err := c.pushBlob(ctx, repo, postPut, d, b); err != nil {
			return err
		}
	}
	return c.putManifest(ctx, repo, tag, image(config, layers...))
}

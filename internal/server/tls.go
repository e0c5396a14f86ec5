package server

import (
	"crypto/tls"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/longshore-registry/longshore/internal/problem"
)

// TLS says how the registry's own listener speaks TLS.
type TLS struct {
	CertFile, KeyFile string   // PEM; ssl.cert holds the chain, leaf first
	Protocols         []string // SSL_PROTOCOLS in nginx's names; empty: TLSv1.2 and TLSv1.3
	Ciphers           []string // SSL_CIPHERS; names Go does not have are ignored, empty: Go's choice
}

// config makes the listener's configuration. The files are read now, so that a mistake stops the start, and again
// when they change, so that a renewed certificate needs no restart.
func (t TLS) config() (*tls.Config, error) {
	files := &certificate{cert: t.CertFile, key: t.KeyFile}
	if _, err := files.get(nil); err != nil {
		return nil, problem.Wrap(err, problem.Invalid, "TLS cannot be served with %s and %s: they must be a PEM chain (leaf first) and its key", t.CertFile, t.KeyFile)
	}
	low, high, err := versions(t.Protocols)
	if err != nil {
		return nil, err
	}
	return &tls.Config{
		GetCertificate: files.get,
		MinVersion:     low,
		MaxVersion:     high,
		CipherSuites:   suites(t.Ciphers),
		NextProtos:     []string{"h2", "http/1.1"},
	}, nil
}

// versions reads SSL_PROTOCOLS. Versions below 1.2 are not offered by anyone any more and refused by name.
func versions(names []string) (low, high uint16, err error) {
	if len(names) == 0 {
		return tls.VersionTLS12, 0, nil
	}
	known := map[string]uint16{"TLSv1.2": tls.VersionTLS12, "TLSv1.3": tls.VersionTLS13}
	for _, name := range names {
		v, ok := known[name]
		if !ok {
			return 0, 0, problem.New(problem.Invalid, "SSL_PROTOCOLS names %q: TLSv1.2 and TLSv1.3 are allowed", name)
		}
		if low == 0 || v < low {
			low = v
		}
		high = max(high, v)
	}
	return low, high, nil
}

// suites maps names of TLS 1.2 suites, in OpenSSL's or Go's spelling, to what Go offers. TLS 1.3 suites are not
// configurable. No known name means Go's own choice.
func suites(names []string) []uint16 {
	openssl := map[string]uint16{
		"ECDHE-RSA-AES128-GCM-SHA256":   tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
		"ECDHE-ECDSA-AES128-GCM-SHA256": tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
		"ECDHE-RSA-AES256-GCM-SHA384":   tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
		"ECDHE-ECDSA-AES256-GCM-SHA384": tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
		"ECDHE-RSA-CHACHA20-POLY1305":   tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
		"ECDHE-ECDSA-CHACHA20-POLY1305": tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
	}
	for _, s := range tls.CipherSuites() {
		openssl[s.Name] = s.ID
	}
	var ids []uint16
	for _, name := range names {
		if id, ok := openssl[name]; ok {
			ids = append(ids, id)
		}
	}
	return ids
}

// certificate is a key pair that follows its files.
type certificate struct {
	cert, key string

	mu      sync.Mutex
	pair    *tls.Certificate
	changed time.Time
	checked time.Time
}

func (c *certificate) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.pair != nil && time.Since(c.checked) < 10*time.Second {
		return c.pair, nil
	}
	c.checked = time.Now()
	changed, err := newest(c.cert, c.key)
	if err == nil && c.pair != nil && changed.Equal(c.changed) {
		return c.pair, nil
	}
	if err == nil {
		var pair tls.Certificate
		if pair, err = tls.LoadX509KeyPair(c.cert, c.key); err == nil {
			c.pair, c.changed = &pair, changed
		}
	}
	if c.pair != nil {
		return c.pair, nil // a half-written renewal leaves the old pair in force
	}
	return nil, err
}

func newest(files ...string) (time.Time, error) {
	var last time.Time
	for _, f := range files {
		info, err := os.Stat(f)
		if err != nil {
			return last, fmt.Errorf("certificate file: %w", err)
		}
		if info.ModTime().After(last) {
			last = info.ModTime()
		}
	}
	return last, nil
}

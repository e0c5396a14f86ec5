package server

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"math/big"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// writeCertificate makes a self-signed certificate for 127.0.0.1.
func writeCertificate(t *testing.T, folder, name string) TLS {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, DNSNames: []string{"localhost"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	files := TLS{CertFile: filepath.Join(folder, "ssl.cert"), KeyFile: filepath.Join(folder, "ssl.key")}
	for path, block := range map[string]*pem.Block{
		files.CertFile: {Type: "CERTIFICATE", Bytes: der},
		files.KeyFile:  {Type: "PRIVATE KEY", Bytes: private},
	} {
		if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return files
}

func client(max uint16) *http.Client {
	return &http.Client{Transport: &http.Transport{
		TLSClientConfig:   &tls.Config{InsecureSkipVerify: true, MaxVersion: max},
		ForceAttemptHTTP2: true,
	}}
}

func TestTLSSpeaksHTTP2AndRefusesOldVersions(t *testing.T) {
	files := writeCertificate(t, t.TempDir(), "one")
	o := options(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, r.Proto) }, io.Discard)
	o.TLS = &files
	url, _ := start(t, o)
	url = strings.Replace(url, "http:", "https:", 1)
	res, err := client(0).Get(url + "/v2/")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if b, _ := io.ReadAll(res.Body); string(b) != "HTTP/2.0" {
		t.Errorf("protocol is %s", b)
	}
	if _, err := client(tls.VersionTLS11).Get(url + "/v2/"); err == nil {
		t.Error("TLS 1.1 was accepted")
	}
}

func TestARenewedCertificateIsServedWithoutRestart(t *testing.T) {
	folder := t.TempDir()
	files := writeCertificate(t, folder, "old")
	c := &certificate{cert: files.CertFile, key: files.KeyFile}
	subject := func() string {
		pair, err := c.get(nil)
		if err != nil {
			t.Fatal(err)
		}
		leaf, err := x509.ParseCertificate(pair.Certificate[0])
		if err != nil {
			t.Fatal(err)
		}
		return leaf.Subject.CommonName
	}
	if got := subject(); got != "old" {
		t.Fatalf("serves %q", got)
	}
	writeCertificate(t, folder, "new")
	if err := os.Chtimes(files.CertFile, time.Time{}, time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	c.checked = time.Time{}
	if got := subject(); got != "new" {
		t.Errorf("after renewal serves %q", got)
	}
	if err := os.WriteFile(files.KeyFile, []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(files.KeyFile, time.Time{}, time.Now().Add(2*time.Minute)); err != nil {
		t.Fatal(err)
	}
	c.checked = time.Time{}
	if got := subject(); got != "new" {
		t.Errorf("with a damaged key serves %q", got)
	}
}

func TestTLSMistakesStopTheStart(t *testing.T) {
	folder := t.TempDir()
	files := writeCertificate(t, folder, "one")
	for _, c := range []struct {
		name string
		tls  TLS
		want string
	}{
		{"missing file", TLS{CertFile: files.CertFile, KeyFile: folder + "/none"}, "must be a PEM chain"},
		{"key in the place of the certificate", TLS{CertFile: files.KeyFile, KeyFile: files.KeyFile}, "must be a PEM chain"},
		{"old protocol", TLS{CertFile: files.CertFile, KeyFile: files.KeyFile, Protocols: []string{"TLSv1.1"}}, `SSL_PROTOCOLS names "TLSv1.1"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := options(nil, io.Discard)
			o.TLS = &c.tls
			if _, err := New(o); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want one with %q", err, c.want)
			}
		})
	}
}

func TestCiphersAreMappedFromOpenSSLNames(t *testing.T) {
	got := suites([]string{"ECDHE-RSA-AES128-GCM-SHA256", "!aNULL", "DHE-RSA-AES256-GCM-SHA384", "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384"})
	want := []uint16{tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384}
	if len(got) != 2 || got[0] != want[0] || got[1] != want[1] {
		t.Errorf("suites are %v, want %v", got, want)
	}
}

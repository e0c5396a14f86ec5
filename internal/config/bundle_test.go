package config

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// certificate makes a certificate for a host and its key, both PEM.
func certificate(t *testing.T, host string) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "registry"}, DNSNames: []string{host}, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	secretDER, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})), string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secretDER}))
}

// bundle writes files into a new folder.
func bundle(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		write(t, path, text)
	}
	return dir
}

func TestABundleBringsItsFiles(t *testing.T) {
	cert, key := certificate(t, "quay.example.org")
	dir := bundle(t, map[string]string{
		"config.yaml": "SERVER_HOSTNAME: quay.example.org:8443\n", "ssl.cert": cert, "ssl.key": key, "ldap.crt": cert, "database.pem": cert,
		"jwt-authn.cert": cert, "extra_ca_certs/one.crt": cert, "extra_ca_certs/two.pem": cert, "extra_ca_certs/.hidden": "", "extra_ca_cert_three.crt": cert, "other.txt": "",
	})
	in := func(name string) string { return filepath.Join(dir, name) }
	want := Bundle{
		Dir: dir, LDAPCert: in("ldap.crt"), DatabaseCert: in("database.pem"), JWTCert: in("jwt-authn.cert"),
		ExtraCAs: []string{in("extra_ca_cert_three.crt"), in("extra_ca_certs/one.crt"), in("extra_ca_certs/two.pem")},
	}
	for name, path := range map[string]string{"by its folder": dir, "by its file": in("config.yaml")} {
		c, report := Load(Source{Path: path})
		if err := report.Err(); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if diff := cmp.Diff(want, c.Bundle); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
		if c.TLS.CertFile != in("ssl.cert") || c.TLS.KeyFile != in("ssl.key") || c.Server.Scheme != "https" || !c.Session.CookieSecure {
			t.Errorf("%s: TLS %+v, scheme %q", name, c.TLS, c.Server.Scheme)
		}
		if len(report.Warnings) > 0 {
			t.Errorf("%s: %v", name, report.Warnings)
		}
	}
}

func TestExtraAuthoritiesMayBeOneFile(t *testing.T) {
	cert, _ := certificate(t, "a")
	dir := bundle(t, map[string]string{"config.yaml": "", "extra_ca_certs": cert + cert})
	c, report := Load(Source{Path: dir})
	if diff := cmp.Diff([]string{filepath.Join(dir, "extra_ca_certs")}, c.Bundle.ExtraCAs); diff != "" || len(report.Warnings) > 0 {
		t.Error(diff, report.Warnings)
	}
}

func TestBundlesThatCannotServeTLSAreErrors(t *testing.T) {
	cert, key := certificate(t, "quay.example.org")
	_, otherKey := certificate(t, "quay.example.org")
	for name, c := range map[string]struct {
		files map[string]string
		want  string
	}{
		"a key without a certificate":  {map[string]string{"ssl.key": key}, "ssl.key: switches TLS on, but there is no ssl.cert beside it"},
		"a key of another certificate": {map[string]string{"ssl.cert": cert, "ssl.key": otherKey}, "ssl.cert: is not, with ssl.key, a certificate chain"},
		"no PEM":                       {map[string]string{"ssl.cert": "hello", "ssl.key": key}, "ssl.cert: is not, with ssl.key, a certificate chain"},
		"another host's certificate":   {map[string]string{"config.yaml": "SERVER_HOSTNAME: other.example.org", "ssl.cert": cert, "ssl.key": key}, "config.yaml:1: SERVER_HOSTNAME: the certificate"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, given := c.files["config.yaml"]; !given {
				c.files["config.yaml"] = ""
			}
			_, report := Load(Source{Path: bundle(t, c.files)})
			if got := findings(report.Errors); !strings.Contains(got, c.want) {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
}

func TestFilesWithoutEffectAreWarnings(t *testing.T) {
	cert, _ := certificate(t, "a")
	c, report := Load(Source{Path: bundle(t, map[string]string{"config.yaml": "", "ssl.cert": cert, "extra_ca_certs/bad.crt": "hello"})})
	got := findings(report.Warnings)
	if !report.OK() || !strings.Contains(got, "ssl.cert: has no effect without ssl.key") || !strings.Contains(got, "bad.crt: adds no certificate authority: no PEM certificate") {
		t.Error(got)
	}
	if c.TLS.CertFile != "" || c.Server.Scheme != "" {
		t.Errorf("TLS %+v, scheme %q", c.TLS, c.Server.Scheme)
	}
}

func TestDatabaseCertificatesAreFoundInTheBundle(t *testing.T) {
	const secrets = "DB_URI: postgresql://h/d\nSECRET_KEY: a\nDATABASE_SECRET_KEY: b\nDB_CONNECTION_ARGS: "
	for name, arguments := range map[string]string{
		"by the path in Quay's container": "{sslmode: verify-full, sslrootcert: /conf/stack/database.pem}",
		"by its usual name":               "{sslmode: verify-ca}",
		"when nothing demands it":         "{}",
	} {
		dir := bundle(t, map[string]string{"config.yaml": secrets + arguments, "database.pem": "x"})
		c, report := Load(Source{Path: dir})
		if err := report.Err(); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if want := filepath.Join(dir, "database.pem"); c.Database.RootCert != want {
			t.Errorf("%s: %q, want %q", name, c.Database.RootCert, want)
		}
	}
}

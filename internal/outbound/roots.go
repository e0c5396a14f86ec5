package outbound

import (
	"crypto/x509"
	"os"
	"path/filepath"
)

// Roots are the system's certificate authorities and those of PEM files (extra_ca_certs). A file that cannot be read adds
// nothing: package config has warned about it.
func Roots(files []string) *x509.CertPool {
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool()
	}
	for _, path := range files {
		if pem, err := os.ReadFile(filepath.Clean(path)); err == nil {
			pool.AppendCertsFromPEM(pem)
		}
	}
	return pool
}

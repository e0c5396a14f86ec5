package config

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/longshore-registry/longshore/internal/problem"
)

// Bundle is the folder of the configuration file with what may lie beside it. Paths are empty where there is no file.
type Bundle struct {
	Dir          string
	ExtraCAs     []string // PEM files whose certificates are trusted in outgoing calls, sorted
	LDAPCert     string   // ldap.crt
	DatabaseCert string   // database.pem
	JWTCert      string   // jwt-authn.cert
}

// findBundle looks at what lies in a folder: ssl.cert and ssl.key, and what Bundle names.
func findBundle(dir string) (Bundle, TLS) {
	file := func(name string) string {
		path := filepath.Join(dir, name)
		if info, err := os.Stat(path); err != nil || info.IsDir() {
			return ""
		}
		return path
	}
	return Bundle{
		Dir: dir, ExtraCAs: extraCAs(dir), LDAPCert: file("ldap.crt"), DatabaseCert: file("database.pem"), JWTCert: file("jwt-authn.cert"),
	}, TLS{CertFile: file("ssl.cert"), KeyFile: file("ssl.key")}
}

// extraCAs gives the files of extra_ca_certs, which is a folder or one file, and those whose names begin with
// extra_ca, the form that Kubernetes flattens the folder to.
func extraCAs(dir string) []string {
	var files []string
	for _, path := range entries(dir) {
		if !strings.HasPrefix(filepath.Base(path), "extra_ca") {
			continue
		}
		info, err := os.Stat(path)
		switch {
		case err != nil:
		case !info.IsDir():
			files = append(files, path)
		case filepath.Base(path) == "extra_ca_certs":
			for _, inner := range entries(path) {
				if info, err := os.Stat(inner); err == nil && !info.IsDir() {
					files = append(files, inner)
				}
			}
		}
	}
	slices.Sort(files)
	return files
}

// entries are the paths in a folder but for hidden ones, among them the folders Kubernetes keeps its versions in.
func entries(dir string) []string {
	found, err := os.ReadDir(dir)
	if err != nil {
		return nil
	}
	var paths []string
	for _, e := range found {
		if !strings.HasPrefix(e.Name(), ".") {
			paths = append(paths, filepath.Join(dir, e.Name()))
		}
	}
	return paths
}

// isFile reports whether something that can be read as a file is at the path.
func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode()&fs.ModeType == 0
}

// locate finds a file that Quay's configuration names as it lies in Quay's container: where the path says, else in
// the bundle under the path's last part.
func (b Bundle) locate(path string) (string, bool) {
	if isFile(path) {
		return path, true
	}
	if b.Dir != "" {
		if beside := filepath.Join(b.Dir, filepath.Base(path)); isFile(beside) {
			return beside, true
		}
	}
	return path, false
}

// firstCertificate is the first certificate of a PEM file, the one that a server shows as its own.
func firstCertificate(path string) (*x509.Certificate, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	for {
		block, rest := pem.Decode(data)
		if block == nil {
			return nil, problem.New(problem.Invalid, "no PEM certificate")
		}
		if block.Type == "CERTIFICATE" {
			return x509.ParseCertificate(block.Bytes)
		}
		data = bytes.TrimSpace(rest)
	}
}

package config

import (
	"crypto/tls"
	"net"
	"slices"
)

// tlsFiles checks the certificate that the registry's own listener shows. A key alone switches TLS on.
func (l *loader) tlsFiles() {
	t := &l.config.TLS
	for _, path := range l.config.Bundle.ExtraCAs {
		if _, err := firstCertificate(path); err != nil {
			l.report.Warnings = append(l.report.Warnings, Finding{File: path, Text: "adds no certificate authority: " + reason(err)})
		}
	}
	switch {
	case t.KeyFile == "" && t.CertFile == "":
		return
	case t.KeyFile == "":
		l.report.Warnings = append(l.report.Warnings, Finding{File: t.CertFile, Text: "has no effect without ssl.key, whose presence switches TLS on"})
		t.CertFile = ""
		return
	case t.CertFile == "":
		l.report.Errors = append(l.report.Errors, Finding{File: t.KeyFile, Text: "switches TLS on, but there is no ssl.cert beside it"})
		return
	}
	if _, err := tls.LoadX509KeyPair(t.CertFile, t.KeyFile); err != nil {
		l.report.Errors = append(l.report.Errors, Finding{File: t.CertFile, Text: "is not, with ssl.key, a certificate chain (leaf first) and its key in PEM: " + reason(err)})
		return
	}
	l.certificateHost()
}

func (l *loader) certificateHost() {
	host := l.config.Server.Hostname
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	if host == "" || l.anyBad("SERVER_HOSTNAME") {
		return
	}
	leaf, err := firstCertificate(l.config.TLS.CertFile)
	if err == nil {
		err = leaf.VerifyHostname(host)
	}
	if err != nil {
		l.contradicts("SERVER_HOSTNAME", "the certificate %s is for another host: %s; allowed: one whose subject alternative names include %s", l.config.TLS.CertFile, reason(err), host)
	}
}

// tlsVersions leaves out the versions that nobody should speak any more.
func (l *loader) tlsVersions() {
	const key = "SSL_PROTOCOLS"
	if l.anyBad(key) {
		return
	}
	offered := []string{"TLSv1.2", "TLSv1.3"}
	var kept []string
	for _, name := range l.config.TLS.Protocols {
		if slices.Contains(offered, name) {
			kept = append(kept, name)
			continue
		}
		l.warnAt(key, "%s is broken and left out", name)
	}
	if len(kept) == 0 {
		l.mustNot(key, "no version is left; allowed: TLSv1.2, TLSv1.3 or both")
		return
	}
	l.config.TLS.Protocols = kept
}

// databaseFiles finds the certificates that the database connection names.
func (l *loader) databaseFiles() {
	d := &l.config.Database
	for _, f := range []struct {
		key  string
		path *string
	}{
		{"DB_CONNECTION_ARGS.sslrootcert", &d.RootCert},
		{"DB_CONNECTION_ARGS.sslcert", &d.Cert},
		{"DB_CONNECTION_ARGS.sslkey", &d.Key},
	} {
		if *f.path == "" {
			continue
		}
		path, ok := l.config.Bundle.locate(*f.path)
		if !ok {
			l.contradicts(f.key, "there is no file %s, nor one of that name beside the configuration", *f.path)
			continue
		}
		*f.path = path
	}
	if d.RootCert == "" {
		d.RootCert = l.config.Bundle.DatabaseCert
	}
	if d.RootCert == "" && (d.SSLMode == "verify-ca" || d.SSLMode == "verify-full") {
		l.contradicts("DB_CONNECTION_ARGS.sslmode", "found %s without a certificate authority; allowed: with sslrootcert, or with database.pem beside the configuration", d.SSLMode)
	}
}

package app

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	blobfiles "github.com/longshore-registry/longshore/internal/content/fs"
	"github.com/longshore-registry/longshore/internal/db"
	"github.com/longshore-registry/longshore/internal/outbound"
	"github.com/longshore-registry/longshore/internal/problem"
)

const (
	clockTolerance = 30 * time.Second // the leeway of token verification
	renewBefore    = 30 * 24 * time.Hour
	doctorTimeout  = 10 * time.Second
)

type doctorCommand struct{ place }

// verdict is what one check found. advice says what to do and is empty when all is well.
type verdict struct {
	name   string
	found  string
	advice string
	fatal  bool
}

// Run checks the installation and prints a line a check. It changes nothing but the temporary files it removes.
func (c doctorCommand) Run(ctx context.Context, p Program) error {
	i, err := c.load(p)
	if err != nil {
		fmt.Fprintf(p.Stdout, "FAULT  configuration: %s\n       → longshore config check tells more\n", problem.From(err).Message)
		return codedError{code: exitUnwell, quiet: true, cause: err}
	}
	faults := 0
	for _, check := range []func(context.Context) []verdict{i.checkConfiguration, i.checkData, i.checkStorage, i.checkDatabase, i.checkTLS, i.checkURL} {
		limited, cancel := context.WithTimeout(ctx, doctorTimeout)
		for _, v := range check(limited) {
			word := "ok   "
			switch {
			case v.fatal:
				word = "FAULT"
				faults++
			case v.advice != "":
				word = "warn "
			}
			fmt.Fprintf(p.Stdout, "%s  %s: %s\n", word, v.name, v.found)
			if v.advice != "" {
				fmt.Fprintf(p.Stdout, "       → %s\n", v.advice)
			}
		}
		cancel()
	}
	if faults > 0 {
		return codedError{code: exitUnwell, quiet: true, cause: fmt.Errorf("%d faults", faults)}
	}
	return nil
}

func (i *installation) checkConfiguration(context.Context) []verdict {
	files := strings.Join(i.report.Files, ", ")
	if files == "" {
		files = "built-in defaults"
	}
	v := verdict{name: "configuration", found: files}
	if n := len(i.report.Warnings); n > 0 {
		v.found += fmt.Sprintf(", %d warnings", n)
		v.advice = "longshore config check lists them"
	}
	return []verdict{v}
}

func (i *installation) checkData(context.Context) []verdict {
	v := verdict{name: "data folder", found: i.data + " can be written"}
	err := i.prepare()
	if err == nil {
		err = tryFile(i.data)
	}
	if err != nil {
		v.found, v.fatal = err.Error(), true
		v.advice = "give the user that runs longshore write permission on it, or choose another with --data"
	}
	return []verdict{v}
}

// tryFile writes, syncs and removes a file.
func tryFile(folder string) error {
	file, err := os.CreateTemp(folder, ".doctor-*")
	if err != nil {
		return err
	}
	_, err = file.WriteString("longshore doctor\n")
	return errors.Join(err, file.Sync(), file.Close(), os.Remove(file.Name()), syncFolder(folder))
}

func (i *installation) checkStorage(ctx context.Context) []verdict {
	var all []verdict
	for _, l := range i.config.Storage.Locations {
		v := verdict{name: "storage " + l.ID, found: l.Path + " can be written"}
		driver, err := blobfiles.New(blobfiles.Options{Root: l.Path})
		if err == nil {
			err = driver.Check(ctx)
		}
		if err != nil {
			v.found, v.fatal, v.advice = err.Error(), true, "pushes will fail: make the folder writable, or correct DISTRIBUTED_STORAGE_CONFIG"
		}
		all = append(all, v)
	}
	return all
}

func (i *installation) checkDatabase(ctx context.Context) []verdict {
	database, err := i.openDatabase(ctx, true)
	if err != nil {
		return []verdict{{name: "database", found: err.Error(), fatal: true, advice: "check DB_URI, the server's address and the password"}}
	}
	defer database.Close()
	if err := database.Ping(ctx); err != nil {
		return []verdict{{name: "database", found: err.Error(), fatal: true, advice: "check DB_URI, the server's address and the password"}}
	}
	v := verdict{name: "database", found: "reachable, schema is current"}
	if err := database.CheckSchema(ctx); err != nil {
		v.found, v.advice = err.Error(), "longshore serve and longshore migrate bring it up to date"
	}
	all := []verdict{v}
	if database.Dialect() == db.PostgreSQL {
		all = append(all, checkPostgres(ctx, database)...)
	}
	return all
}

// checkPostgres looks at settings without which an acknowledged push can be lost, and at the clock.
func checkPostgres(ctx context.Context, database *db.DB) []verdict {
	var all []verdict
	for _, name := range []string{"fsync", "full_page_writes", "synchronous_commit"} {
		var value string
		if err := database.QueryRow(ctx, "SELECT current_setting($1)", name).Scan(&value); err == nil && value == "off" {
			all = append(all, verdict{name: "database", found: name + " is off", advice: "a power cut can lose acknowledged pushes: turn it on in postgresql.conf"})
		}
	}
	var now float64
	if err := database.QueryRow(ctx, "SELECT extract(epoch FROM clock_timestamp())::float8").Scan(&now); err == nil {
		all = append(all, compareClock("the database", time.UnixMilli(int64(now*1000)).UTC()))
	}
	return all
}

func compareClock(whose string, other time.Time) verdict {
	apart := time.Since(other).Round(time.Second)
	v := verdict{name: "clock", found: fmt.Sprintf("%s from that of %s", apart.Abs(), whose)}
	if apart.Abs() > clockTolerance {
		v.fatal, v.advice = true, "tokens will be refused as expired or not yet valid: synchronise the clocks (chrony, systemd-timesyncd)"
	}
	return v
}

func (i *installation) checkTLS(context.Context) []verdict {
	files := i.config.TLS
	if files.KeyFile == "" {
		return []verdict{{name: "TLS", found: "not served here: there is no ssl.key beside the configuration"}}
	}
	pair, err := tls.LoadX509KeyPair(files.CertFile, files.KeyFile)
	if err != nil {
		return []verdict{{name: "TLS", found: err.Error(), fatal: true, advice: "ssl.cert must hold the PEM chain, leaf first, and ssl.key its key"}}
	}
	leaf := pair.Leaf
	v := verdict{name: "TLS", found: fmt.Sprintf("certificate of %s, valid until %s", strings.Join(leaf.DNSNames, ", "), leaf.NotAfter.UTC().Format(time.DateOnly))}
	switch left := time.Until(leaf.NotAfter); {
	case left <= 0:
		v.fatal, v.advice = true, "it has expired: replace ssl.cert and ssl.key, no restart is needed"
	case left < renewBefore:
		v.advice = "it expires soon: replace ssl.cert and ssl.key, no restart is needed"
	}
	if host := hostOnly(i.config.Server.Hostname); host != "" && leaf.VerifyHostname(host) != nil {
		v.fatal, v.advice = true, "it is not valid for SERVER_HOSTNAME "+host+": clients will refuse it (a subject alternative name is needed)"
	}
	return []verdict{v}
}

func hostOnly(hostPort string) string {
	if host, _, err := net.SplitHostPort(hostPort); err == nil {
		return host
	}
	return hostPort
}

// checkURL asks the registry at its public address, as a client would.
func (i *installation) checkURL(ctx context.Context) []verdict {
	set := i.config.Server
	if set.Hostname == "" {
		return []verdict{{name: "public URL", found: "SERVER_HOSTNAME is not set: links follow the address a client uses"}}
	}
	scheme := set.Scheme
	if scheme == "" || set.ExternalTLS || i.config.TLS.KeyFile != "" {
		scheme = "https"
	}
	url := scheme + "://" + set.Hostname + "/v2/"
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return []verdict{{name: "public URL", found: err.Error(), fatal: true, advice: "correct SERVER_HOSTNAME"}}
	}
	client := http.Client{Transport: &http.Transport{Proxy: nil, TLSClientConfig: &tls.Config{RootCAs: outbound.Roots(i.config.Bundle.ExtraCAs)}}}
	response, err := client.Do(request)
	if err != nil {
		return []verdict{{name: "public URL", found: err.Error(), advice: "clients use this address: start the registry, or correct DNS, proxy or SERVER_HOSTNAME"}}
	}
	defer response.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(response.Body, 1<<16))
	v := verdict{name: "public URL", found: url + " answers as this registry"}
	if response.StatusCode != http.StatusUnauthorized || !strings.Contains(response.Header.Get("WWW-Authenticate"), scheme+"://"+set.Hostname+"/v2/auth") {
		v.fatal, v.found = true, fmt.Sprintf("%s answers %s with challenge %q", url, response.Status, response.Header.Get("WWW-Authenticate"))
		v.advice = "something else answers there, or the proxy changes headers"
	}
	all := []verdict{v}
	if date, err := http.ParseTime(response.Header.Get("Date")); err == nil {
		all = append(all, compareClock(set.Hostname, date))
	}
	return all
}

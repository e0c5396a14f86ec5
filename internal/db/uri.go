package db

import (
	"fmt"
	"io"
	"net"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/longshore-registry/longshore/internal/problem"
)

// Address is a parsed DB_URI. However it is printed, it shows no password.
type Address struct {
	Dialect Dialect
	Path    string // SQLite: the file, absolute or relative
	Host    string // PostgreSQL: host name, address or socket folder; empty for the library's default
	Port    string // PostgreSQL: empty for 5432
	User    string // PostgreSQL
	Name    string // PostgreSQL: the database

	password string
	params   map[string]string // PostgreSQL: from the query string
}

// uriForms ends each refusal.
const uriForms = `write postgresql://user:password@host:5432/database, or sqlite:///file for a relative and sqlite:////file for an absolute path`

// ParseURI reads Quay's DB_URI: postgresql://, postgresql+psycopg2:// and postgres:// with percent-encoded user and
// password and a query string of libpq options, sqlite:///relative, sqlite:////absolute, and a plain file path. An
// error is of kind problem.Invalid and names no part of the text that could be a secret.
func ParseURI(uri string) (Address, error) {
	scheme, rest, found := strings.Cut(strings.TrimSpace(uri), "://")
	if !found {
		return parsePath(strings.TrimSpace(uri))
	}
	switch base, _, _ := strings.Cut(strings.ToLower(scheme), "+"); base {
	case "sqlite":
		return parseSQLite(rest)
	case "postgresql", "postgres":
		return parsePostgres(rest)
	case "mysql", "mariadb":
		return Address{}, problem.New(problem.Invalid, "DB_URI names a MySQL database: Longshore keeps its data in "+
			"PostgreSQL or SQLite. The way over is \"longshore import\", which reads a Quay's MySQL database and comes "+
			"with a later version; until then %s", uriForms)
	}
	return Address{}, problem.New(problem.Invalid, "DB_URI has the scheme %q: %s", clip(scheme), uriForms)
}

func parsePath(path string) (Address, error) {
	if path == "" {
		return Address{}, problem.New(problem.Invalid, "DB_URI is empty: %s", uriForms)
	}
	switch filepath.Ext(path) {
	case ".db", ".sqlite", ".sqlite3":
	default:
		if !filepath.IsAbs(path) {
			return Address{}, problem.New(problem.Invalid, "DB_URI has no scheme: %s", uriForms)
		}
	}
	return Address{Dialect: SQLite, Path: filepath.Clean(path)}, checkPath(path)
}

func parseSQLite(rest string) (Address, error) {
	path, ok := strings.CutPrefix(rest, "/")
	if !ok || path == "" || strings.HasPrefix(path, ":memory:") {
		return Address{}, problem.New(problem.Invalid, "DB_URI names no SQLite file: %s", uriForms)
	}
	path, _, _ = strings.Cut(path, "?")
	return Address{Dialect: SQLite, Path: filepath.Clean(path)}, checkPath(path)
}

func checkPath(path string) error {
	if strings.ContainsRune(path, 0) {
		return problem.New(problem.Invalid, "DB_URI names a file with a NUL character: %s", uriForms)
	}
	if strings.HasSuffix(path, "/") || path == "." {
		return problem.New(problem.Invalid, "DB_URI names a folder, not a file: %s", uriForms)
	}
	return nil
}

func parsePostgres(rest string) (Address, error) {
	a := Address{Dialect: PostgreSQL, params: map[string]string{}}
	user, rest := cutUser(rest)
	name, password, _ := strings.Cut(user, ":")
	a.User, a.password = unescape(name), unescape(password)

	rest, query, _ := strings.Cut(rest, "?")
	host, database, _ := strings.Cut(rest, "/")
	a.Name = unescape(database)
	if err := a.setHost(host); err != nil {
		return Address{}, err
	}
	for pair := range strings.SplitSeq(query, "&") {
		if key, value, ok := strings.Cut(pair, "="); ok {
			a.params[unescape(key)] = unescape(value)
		}
	}
	if h, ok := a.params["host"]; ok && a.Host == "" {
		a.Host = h
	}
	for _, part := range []string{a.Host, a.User, a.Name, a.password} {
		if strings.ContainsRune(part, 0) {
			return Address{}, problem.New(problem.Invalid, "DB_URI holds a NUL character: %s", uriForms)
		}
	}
	return a, nil
}

// cutUser splits user:password@ from the rest. A password may hold characters that should have been encoded, so it
// ends at the last @ before a query string, or at the last one at all.
func cutUser(rest string) (user, remainder string) {
	before, _, _ := strings.Cut(rest, "?")
	at := strings.LastIndexByte(before, '@')
	if at < 0 {
		at = strings.LastIndexByte(rest, '@')
	}
	if at < 0 {
		return "", rest
	}
	return rest[:at], rest[at+1:]
}

func (a *Address) setHost(host string) error {
	a.Host = host
	if strings.ContainsAny(host, "[]:") {
		h, port, err := net.SplitHostPort(host)
		if err != nil && strings.HasPrefix(host, "[") && strings.HasSuffix(host, "]") {
			h, port, err = host[1:len(host)-1], "", nil
		}
		if err != nil {
			return problem.New(problem.Invalid, "DB_URI has a host that cannot be read: %s", uriForms)
		}
		a.Host, a.Port = h, port
	}
	a.Host = unescape(a.Host)
	if a.Port == "" {
		return nil
	}
	if n, err := strconv.ParseUint(a.Port, 10, 16); err != nil || n == 0 {
		return problem.New(problem.Invalid, "DB_URI has a port that is no number from 1 to 65535: %s", uriForms)
	}
	return nil
}

// unescape decodes percent-encoding and leaves what is not one as it is, as Python does.
func unescape(s string) string {
	if !strings.Contains(s, "%") {
		return s
	}
	if decoded, err := url.PathUnescape(s); err == nil {
		return decoded
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) {
			if n, err := strconv.ParseUint(s[i+1:i+3], 16, 8); err == nil {
				b.WriteByte(byte(n))
				i += 2
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// path is the SQLite file, absolute where dir is.
func (a Address) path(dir string) string {
	if dir == "" || filepath.IsAbs(a.Path) {
		return a.Path
	}
	return filepath.Join(dir, a.Path)
}

// String describes the address to people, without the password.
func (a Address) String() string {
	if a.Dialect == SQLite {
		return "sqlite:///" + a.Path
	}
	host := a.Host
	if a.Port != "" {
		host = net.JoinHostPort(a.Host, a.Port)
	}
	user := ""
	if a.User != "" {
		user = url.PathEscape(a.User)
		if a.password != "" {
			user += ":[redacted]"
		}
		user += "@"
	}
	return "postgresql://" + user + host + "/" + url.PathEscape(a.Name)
}

// Format makes every verb of package fmt print String.
func (a Address) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, a.String()) }

// clip keeps long input out of messages.
func clip(s string) string {
	if len(s) > 40 {
		return s[:40] + "…"
	}
	return s
}

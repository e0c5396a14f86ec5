package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/cookiejar"
	"os"
	"path/filepath"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/longshore-registry/longshore/internal/db"
	"github.com/longshore-registry/longshore/internal/db/pgcluster"
	"github.com/longshore-registry/longshore/test/process"
)

// The kinds of databases.
const (
	sqlite     = "sqlite"
	postgresql = "postgresql"
)

const configuration = process.FirstUser + `SUPER_USERS: [root]
FEATURE_SUPERUSERS_FULL_ACCESS: true
SECRET_KEY: benchmark-secret-key
DATABASE_SECRET_KEY: benchmark-database-key
DB_URI: %q
`

// installation is a running program with its data.
type installation struct {
	size    size
	server  *process.Server
	uri     string
	cluster *pgcluster.Cluster
	few     *http.Client // signed in as few
	took    time.Duration
}

// install starts the program on an empty database to make its people, fills the database while it is stopped, and starts
// it again. What it returns must be ended even with an error.
func install(ctx context.Context, program, folder, database string, s size) (*installation, error) {
	i := &installation{size: s}
	begin := time.Now()
	home := filepath.Join(folder, s.name)
	if err := os.Mkdir(home, 0o700); err != nil {
		return i, err
	}
	i.uri = "sqlite:///" + filepath.Join(home, "registry.db")
	if database == postgresql {
		var err error
		if i.cluster, err = pgcluster.Start(ctx, pgcluster.C); err != nil {
			return i, err
		}
		i.uri = i.cluster.URI
	}
	server, err := process.New(process.Options{Program: program, Folder: home, Configuration: fmt.Sprintf(configuration, i.uri)})
	if err != nil {
		return i, err
	}
	if _, err := server.Start(); err != nil {
		return i, err
	}
	i.server = server
	password, err := i.people(ctx)
	if err != nil {
		return i, err
	}
	if err := server.Stop(); err != nil {
		return i, err
	}
	if err := i.fill(ctx, filepath.Join(home, "spool")); err != nil {
		return i, err
	}
	if _, err := server.Start(); err != nil {
		return i, err
	}
	i.took = time.Since(begin)
	return i, i.signIn(ctx, "few", password)
}

func (i *installation) people(ctx context.Context) (password string, err error) {
	if err := i.server.Initialize(ctx, "root", "benchmark-password"); err != nil {
		return "", err
	}
	for _, name := range []string{"acme", "catalog"} {
		if err := i.server.CreateOrganization(ctx, name); err != nil {
			return "", err
		}
	}
	if err := i.server.API(ctx, http.StatusCreated, http.MethodPut, "organization/acme/robots/model", map[string]any{}, nil); err != nil {
		return "", err
	}
	var made struct{ Password string }
	err = i.server.API(ctx, http.StatusOK, http.MethodPost, "superuser/users/", map[string]any{"username": "few", "email": "few@example.org"}, &made)
	return made.Password, err
}

func (i *installation) fill(ctx context.Context, spool string) error {
	d, err := db.Open(ctx, db.Options{URI: i.uri})
	if err != nil {
		return err
	}
	err = fill(ctx, d, i.size, spool)
	if err := errors.Join(err, d.Close()); err != nil || i.cluster == nil {
		return err
	}
	return vacuum(ctx, i.uri)
}

// vacuum does at once what autovacuum does in time; it may not be in a transaction.
func vacuum(ctx context.Context, uri string) error {
	c, err := pgx.Connect(ctx, uri)
	if err != nil {
		return err
	}
	_, err = c.Exec(ctx, "VACUUM ANALYZE")
	return errors.Join(err, c.Close(ctx))
}

// signIn signs in as a browser does.
func (i *installation) signIn(ctx context.Context, name, password string) error {
	jar, err := cookiejar.New(nil)
	if err != nil {
		return err
	}
	i.few = &http.Client{Jar: jar, Timeout: time.Minute}
	text, err := i.get(ctx, i.few, "", "/csrf_token")
	if err != nil {
		return err
	}
	var csrf struct {
		Token string `json:"csrf_token"`
	}
	if err := json.Unmarshal(text, &csrf); err != nil {
		return err
	}
	body, err := json.Marshal(map[string]string{"username": name, "password": password})
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, i.server.URL("/api/v1/signin"), bytes.NewReader(body))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("X-CSRF-Token", csrf.Token)
	_, err = answer(i.few, request)
	return err
}

// get reads a path with a client, and with a token that is not empty.
func (i *installation) get(ctx context.Context, c *http.Client, token, path string) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, i.server.URL(path), nil)
	if err != nil {
		return nil, err
	}
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	return answer(c, request)
}

func answer(c *http.Client, request *http.Request) ([]byte, error) {
	response, err := c.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s %s: %s %.300s", request.Method, request.URL, response.Status, text)
	}
	return text, err
}

// end stops the program and its database, which removes the latter's folder.
func (i *installation) end() {
	if i.server != nil {
		_ = i.server.Stop()
	}
	if i.cluster != nil {
		_ = i.cluster.Stop()
	}
}

// megabytes is the size of the database.
func (i *installation) megabytes(ctx context.Context) float64 {
	if i.cluster != nil {
		d, err := db.Open(ctx, db.Options{URI: i.uri})
		if err != nil {
			return 0
		}
		defer d.Close()
		var n int64
		_ = d.QueryRow(ctx, "SELECT pg_database_size(current_database())").Scan(&n)
		return float64(n) / 1e6
	}
	var sum int64
	_ = filepath.WalkDir(filepath.Dir(i.server.Data), func(_ string, entry fs.DirEntry, err error) error {
		if info, e := entry.Info(); err == nil && e == nil && !entry.IsDir() {
			sum += info.Size()
		}
		return nil
	})
	return float64(sum) / 1e6
}

//go:build e2e

package crash

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib"
	_ "modernc.org/sqlite"
)

// rows reads the database of a server that nobody works with at the moment.
type rows struct {
	db      *sql.DB
	storage string
}

func openRows(uri, data string) (*rows, error) {
	driver, source := "pgx", uri
	if uri == "" {
		driver, source = "sqlite", "file:"+filepath.Join(data, "longshore.db")+"?mode=ro&_pragma=query_only(1)"
	}
	db, err := sql.Open(driver, source)
	if err != nil {
		return nil, err
	}
	return &rows{db: db, storage: filepath.Join(data, "storage")}, db.Ping()
}

// faults lists what a collection would not find and what a reader would miss.
func (r *rows) faults(ctx context.Context) ([]string, error) {
	var list []string
	for _, check := range []func(context.Context) ([]string, error){r.orphans, r.missing, r.unlinked, r.unqueued} {
		found, err := check(ctx)
		if err != nil {
			return nil, err
		}
		list = append(list, found...)
	}
	return list, nil
}

// orphans are files that no row leads to, but for what names the folder. An object that no row names yet belongs to the upload whose name it bears.
func (r *rows) orphans(ctx context.Context) ([]string, error) {
	known, err := r.strings(ctx, `SELECT path FROM blob_object UNION SELECT path FROM upload`)
	if err != nil {
		return nil, err
	}
	named := map[string]bool{}
	for _, path := range known {
		named[path] = true
	}
	var list []string
	err = filepath.WalkDir(r.storage, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		path, _ := filepath.Rel(r.storage, name)
		_, upload, _ := strings.Cut(filepath.Base(path), ".")
		if !named[path] && !strings.HasPrefix(path, ".longshore-location") && !(strings.HasPrefix(path, "sha") && named["uploads/"+upload]) {
			list = append(list, "no row leads to the file "+path)
		}
		return nil
	})
	return list, err
}

// missing are live objects without their bytes.
func (r *rows) missing(ctx context.Context) ([]string, error) {
	found, err := r.db.QueryContext(ctx, `SELECT o.path, b.size FROM blob_object o JOIN blob b ON b.id = o.blob_id WHERE o.state = 1`)
	if err != nil {
		return nil, err
	}
	defer found.Close()
	var list []string
	for found.Next() {
		var path string
		var size int64
		if err := found.Scan(&path, &size); err != nil {
			return nil, err
		}
		if info, err := os.Stat(filepath.Join(r.storage, path)); err != nil || info.Size() != size {
			list = append(list, fmt.Sprintf("the live object %s of %d bytes is not there: %v", path, size, err))
		}
	}
	return list, found.Err()
}

// unlinked are blobs that a readable manifest names and that no row keeps for it, and manifests without bytes.
func (r *rows) unlinked(ctx context.Context) ([]string, error) {
	links, err := r.strings(ctx, `SELECT CAST(f.repo_id AS TEXT) || ' ' || CAST(f.manifest_id AS TEXT) || ' ' || `+r.hex("b.digest")+`
		FROM blob_ref f JOIN blob b ON b.id = f.blob_id WHERE f.manifest_id > 0`)
	if err != nil {
		return nil, err
	}
	linked := map[string]bool{}
	for _, l := range links {
		linked[strings.ToLower(l)] = true
	}
	found, err := r.db.QueryContext(ctx, `SELECT rm.repo_id, rm.manifest_id, c.bytes FROM repo_manifest rm
		LEFT JOIN manifest_content c ON c.manifest_id = rm.manifest_id WHERE rm.deleted_ms IS NULL`)
	if err != nil {
		return nil, err
	}
	defer found.Close()
	var list []string
	for found.Next() {
		var repository, id int64
		var bytes []byte
		if err := found.Scan(&repository, &id, &bytes); err != nil {
			return nil, err
		}
		var m struct {
			Config struct{ Digest string }
			Layers []struct{ Digest string }
		}
		if err := json.Unmarshal(bytes, &m); err != nil {
			list = append(list, fmt.Sprintf("manifest %d of repository %d has no readable bytes: %v", id, repository, err))
		}
		for _, blob := range append(m.Layers, m.Config) {
			key := fmt.Sprintf("%d %d 01%s", repository, id, strings.TrimPrefix(blob.Digest, "sha256:"))
			if blob.Digest != "" && !linked[key] {
				list = append(list, fmt.Sprintf("manifest %d of repository %d has no row for its blob %s", id, repository, blob.Digest))
			}
		}
	}
	return list, found.Err()
}

// unqueued are blobs that nothing refers to and that no review leads the collector to.
func (r *rows) unqueued(ctx context.Context) ([]string, error) {
	list, err := r.strings(ctx, `SELECT 'blob ' || CAST(b.id AS TEXT) || ' is referred to by nothing and queued for no review' FROM blob b
		WHERE NOT EXISTS (SELECT 1 FROM blob_ref f WHERE f.blob_id = b.id)
		AND NOT EXISTS (SELECT 1 FROM review v WHERE v.kind = 3 AND v.item_id = b.id)`)
	return list, err
}

// lease says whether a promise was renewed while the clock was ninety minutes late.
func (r *rows) lease(ctx context.Context, repository, digest string) (string, error) {
	namespace, name, _ := strings.Cut(repository, "/")
	found, err := r.strings(ctx, fmt.Sprintf(`SELECT CAST(f.lease_ms AS TEXT) FROM blob_ref f JOIN blob b ON b.id = f.blob_id JOIN repository r ON r.id = f.repo_id
		JOIN account a ON a.id = r.namespace_id WHERE a.name = '%s' AND r.name = '%s' AND f.manifest_id = 0 AND lower(%s) = '01%s' AND f.lease_ms > %d`,
		namespace, name, r.hex("b.digest"), strings.TrimPrefix(digest, "sha256:"), time.Now().Add(150*time.Minute).UnixMilli()))
	if err != nil || len(found) == 0 {
		return "", err
	}
	return "renewed", nil
}

// hex is the expression for a column of bytes as hexadecimal digits.
func (r *rows) hex(column string) string {
	if strings.Contains(fmt.Sprintf("%T", r.db.Driver()), "sqlite") {
		return "hex(" + column + ")"
	}
	return "encode(" + column + ", 'hex')"
}

func (r *rows) strings(ctx context.Context, query string) ([]string, error) {
	found, err := r.db.QueryContext(ctx, query)
	if err != nil {
		return nil, err
	}
	defer found.Close()
	var list []string
	for found.Next() {
		var s string
		if err := found.Scan(&s); err != nil {
			return nil, err
		}
		list = append(list, s)
	}
	return list, found.Err()
}

package registry_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/longshore-registry/longshore/internal/db"
	"github.com/longshore-registry/longshore/internal/digest"
	"github.com/longshore-registry/longshore/internal/problem"
	"github.com/longshore-registry/longshore/internal/registry"
	"github.com/longshore-registry/longshore/internal/registry/manifest"
)

const (
	gzipLayer = "application/vnd.oci.image.layer.v1.tar+gzip"
	foreign   = "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip"
	lease     = time.Hour
	window    = 14 * 24 * time.Hour
)

// fixture is a registry on one database, with a clock that the test moves.
type fixture struct {
	t    testing.TB
	db   *db.DB
	reg  *registry.Registry
	repo registry.Repository // acme/app
	now  time.Time
	mu   sync.Mutex
	blob map[digest.Digest][]byte // what the blob store would give

	failing error // what it gives instead
}

func newFixture(t testing.TB, d *db.DB, options ...func(*registry.Options)) *fixture {
	t.Helper()
	f := &fixture{t: t, db: d, now: time.UnixMilli(1_700_000_000_000).UTC(), blob: map[digest.Digest][]byte{}}
	f.reg = f.registry(options...)
	f.repo = f.repository(f.account("acme", 2), "app")
	return f
}

// registry makes another registry on the same database, as another process would be.
func (f *fixture) registry(options ...func(*registry.Options)) *registry.Registry {
	f.t.Helper()
	o := registry.Options{DB: f.db, Content: f, Lease: lease, Names: registry.NameOptions{Extended: true, Library: "library"}, Clock: f.clock}
	for _, option := range options {
		option(&o)
	}
	reg, err := registry.New(o)
	if err != nil {
		f.t.Fatal(err)
	}
	return reg
}

func sparse(o *registry.Options) { o.SparseIndex = true }

func (f *fixture) clock() time.Time {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.now
}

func (f *fixture) pass(d time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.now = f.now.Add(d)
}

// Bytes stands in for the blob store.
func (f *fixture) Bytes(_ context.Context, _ int64, d digest.Digest, limit int64) ([]byte, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.failing != nil {
		return nil, f.failing
	}
	b, ok := f.blob[d]
	if !ok {
		return nil, problem.New(problem.NotFound, "no blob %s", d).WithCode("BLOB_UNKNOWN")
	}
	if int64(len(b)) > limit {
		return nil, problem.New(problem.TooLarge, "blob %s has %d bytes", d, len(b))
	}
	return b, nil
}

// account inserts an account: 1 user, 2 organization, 3 robot of the first account.
func (f *fixture) account(name string, kind int) int64 {
	f.t.Helper()
	var owner any
	if kind == 3 {
		owner = int64(1)
	}
	return f.id(`INSERT INTO account (uuid, kind, name, owner_id, tag_window_s, created_ms) VALUES ($1, $2, $3, $4, $5, 0) RETURNING id`,
		uuid.NewString(), kind, name, owner, int64(window.Seconds()))
}

func (f *fixture) repository(namespaceID int64, name string) registry.Repository {
	f.t.Helper()
	repo, err := f.reg.CreateRepository(f.t.Context(), registry.NewRepository{NamespaceID: namespaceID, Name: name})
	if err != nil {
		f.t.Fatal(err)
	}
	return repo
}

// id runs an insert that returns an id.
func (f *fixture) id(query string, args ...any) (id int64) {
	f.t.Helper()
	err := f.db.Hard(f.t.Context(), "test", func(ctx context.Context, tx db.Tx) error {
		return tx.QueryRow(ctx, query, args...).Scan(&id)
	})
	if err != nil {
		f.t.Fatalf("%s: %v", query, err)
	}
	return id
}

func (f *fixture) exec(query string, args ...any) {
	f.t.Helper()
	if _, err := f.db.Exec(f.t.Context(), query, args...); err != nil {
		f.t.Fatalf("%s: %v", query, err)
	}
}

// number reads one number; NULL is -1.
func (f *fixture) number(query string, args ...any) int64 {
	f.t.Helper()
	var n *int64
	if err := f.db.QueryRow(f.t.Context(), query, args...).Scan(&n); err != nil {
		f.t.Fatalf("%s: %v", query, err)
	}
	if n == nil {
		return -1
	}
	return *n
}

// upload puts a blob into a repository under a lease, as a finished upload does, and gives its descriptor.
func (f *fixture) upload(repo registry.Repository, mediaType string, content []byte) desc {
	f.t.Helper()
	return f.uploadAs(digest.SHA256, repo, mediaType, content)
}

func (f *fixture) uploadAs(alg digest.Algorithm, repo registry.Repository, mediaType string, content []byte) desc {
	f.t.Helper()
	d := alg.Of(content)
	f.mu.Lock()
	f.blob[d] = content
	f.mu.Unlock()
	err := f.db.Hard(f.t.Context(), "test upload", func(ctx context.Context, tx db.Tx) error {
		if _, err := tx.Exec(ctx, `INSERT INTO blob (digest, size, created_ms) VALUES ($1, $2, 0) ON CONFLICT (digest) DO NOTHING`, d, len(content)); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, `INSERT INTO blob_ref (repo_id, blob_id, manifest_id, lease_ms)
			SELECT $1, id, 0, $2 FROM blob WHERE digest = $3 ON CONFLICT (repo_id, blob_id, manifest_id) DO NOTHING`,
			repo.ID, db.Millis(f.clock().Add(2*lease)), d)
		return err
	})
	if err != nil {
		f.t.Fatal(err)
	}
	return desc{MediaType: mediaType, Digest: d.String(), Size: int64(len(content))}
}

// desc is a descriptor as a client writes it.
type desc struct {
	MediaType string   `json:"mediaType"`
	Digest    string   `json:"digest"`
	Size      int64    `json:"size"`
	URLs      []string `json:"urls,omitempty"`
}

func (d desc) digest(t testing.TB) digest.Digest {
	t.Helper()
	parsed, err := digest.Parse(d.Digest)
	if err != nil {
		t.Fatal(err)
	}
	return parsed
}

// doc is a manifest or index as a client writes it.
type doc struct {
	SchemaVersion int               `json:"schemaVersion"`
	MediaType     string            `json:"mediaType"`
	ArtifactType  string            `json:"artifactType,omitempty"`
	Config        *desc             `json:"config,omitempty"`
	Layers        *[]desc           `json:"layers,omitempty"`
	Manifests     *[]desc           `json:"manifests,omitempty"`
	Subject       *desc             `json:"subject,omitempty"`
	Annotations   map[string]string `json:"annotations,omitempty"`
}

func (d doc) bytes() []byte {
	b, err := json.Marshal(d)
	if err != nil {
		panic(err)
	}
	return b
}

func (d doc) desc() desc {
	return desc{MediaType: d.MediaType, Digest: digest.SHA256.Of(d.bytes()).String(), Size: int64(len(d.bytes()))}
}

func (d doc) digest() digest.Digest { return digest.SHA256.Of(d.bytes()) }

// image uploads a config with labels and a layer that differs with name, and gives their manifest.
func (f *fixture) image(repo registry.Repository, name string, labels map[string]string) doc {
	f.t.Helper()
	config, err := json.Marshal(map[string]any{"name": name, "config": map[string]any{"Labels": labels}})
	if err != nil {
		f.t.Fatal(err)
	}
	c := f.upload(repo, manifest.OCIConfig, config)
	return doc{SchemaVersion: 2, MediaType: manifest.OCIManifest, Config: &c, Layers: &[]desc{f.upload(repo, gzipLayer, []byte("layer of "+name))}}
}

// artifact is a manifest of a type about a subject.
func (f *fixture) artifact(repo registry.Repository, artifactType string, subject *desc, annotations map[string]string) doc {
	f.t.Helper()
	c := f.upload(repo, manifest.EmptyJSON, []byte("{}"))
	return doc{SchemaVersion: 2, MediaType: manifest.OCIManifest, ArtifactType: artifactType, Config: &c, Layers: &[]desc{c},
		Subject: subject, Annotations: annotations}
}

func index(children ...doc) doc {
	manifests := []desc{}
	for _, c := range children {
		manifests = append(manifests, c.desc())
	}
	return doc{SchemaVersion: 2, MediaType: manifest.OCIIndex, Manifests: &manifests}
}

// push stores a document under tags, or by its digest when there are none.
func (f *fixture) push(d doc, tags ...string) registry.Pushed {
	f.t.Helper()
	pushed, err := f.tryPush(d, tags...)
	if err != nil {
		f.t.Fatalf("push of %v: %v", tags, err)
	}
	return pushed
}

func (f *fixture) tryPush(d doc, tags ...string) (registry.Pushed, error) {
	p := registry.Push{Tags: tags, ContentType: d.MediaType, Bytes: d.bytes()}
	if len(tags) == 0 {
		p.Digest = d.digest()
	}
	return f.reg.Push(f.t.Context(), f.repo, p)
}

func (f *fixture) byTag(tag string) (registry.Manifest, error) {
	return f.reg.Manifest(f.t.Context(), f.repo, registry.Reference{Tag: tag})
}

func (f *fixture) byDigest(d digest.Digest) (registry.Manifest, error) {
	return f.reg.Manifest(f.t.Context(), f.repo, registry.Reference{Digest: d})
}

// wantTag says what a pull by tag must give.
func (f *fixture) wantTag(tag string, d doc) {
	f.t.Helper()
	m, err := f.byTag(tag)
	if err != nil {
		f.t.Errorf("pull of %s: %v", tag, err)
		return
	}
	if m.Digest != d.digest() || !bytes.Equal(m.Bytes, d.bytes()) || m.MediaType != d.MediaType {
		f.t.Errorf("pull of %s gave %s %s", tag, m.MediaType, m.Digest)
	}
}

func (f *fixture) wantTags(want ...string) {
	f.t.Helper()
	got, _, err := f.reg.TagNames(f.t.Context(), f.repo, "", 1000)
	if err != nil {
		f.t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		f.t.Errorf("live tags: %s", diff)
	}
}

// history gives all periods as text, newest first, with times in ms since the fixture's start.
func (f *fixture) history(filter registry.TagFilter) []string {
	f.t.Helper()
	if filter.Limit == 0 {
		filter.Page, filter.Limit = 1, 100
	}
	tags, _, err := f.reg.TagHistory(f.t.Context(), f.repo, filter)
	if err != nil {
		f.t.Fatal(err)
	}
	start := time.UnixMilli(1_700_000_000_000)
	var all []string
	for _, tag := range tags {
		end, state := "", "ended"
		if !tag.End.IsZero() {
			end = fmt.Sprint(tag.End.Sub(start).Milliseconds())
		}
		if tag.Live {
			state = "live"
		}
		all = append(all, fmt.Sprintf("%s %d-%s %s", tag.Name, tag.Start.Sub(start).Milliseconds(), end, state))
	}
	return all
}

// wantCode compares an error's kind and OCI code.
func wantCode(t testing.TB, err error, kind problem.Kind, code string) *problem.Error {
	t.Helper()
	p := problem.From(err)
	if p == nil {
		t.Errorf("no error, want %s", code)
		return problem.New(problem.Internal, "")
	}
	if p.Kind != kind || p.Code != code {
		t.Errorf("got kind %d code %q (%v), want kind %d code %q", p.Kind, p.Code, err, kind, code)
	}
	return p
}

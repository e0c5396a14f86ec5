package registry

import (
	"strings"
	"time"

	"github.com/longshore-registry/longshore/internal/db"
	"github.com/longshore-registry/longshore/internal/digest"
	"github.com/longshore-registry/longshore/internal/identity/aged"
)

// DefaultMemory is a good value for Options.Memory: some 5,000 manifests with their repositories and tags.
const DefaultMemory = 18 << 20

// How old what is remembered may be on PostgreSQL, where other processes change it unseen.
const (
	rememberedAge   = 30 * time.Second // it is not used
	rememberedFresh = 15 * time.Second // from here on it is asked again when used
	rememberedSpare = 24 * time.Hour   // while the database is away
)

// memory is what a registry remembers of the database, so that a pull in the steady state asks it nothing, or on
// PostgreSQL for the tag alone.
//
// On SQLite this process makes all changes but those of commands, which the database notices (db.OnForeignCommit). So
// every change here forgets what it concerns after its commit and before it answers, and what is remembered is exact.
// On PostgreSQL that makes a process see its own changes; those of others it sees after rememberedAge. A tag's target
// could not be that old, since whoever pushes a tag must see it from then on at every replica: it is asked each time.
//
// While the database of several processes is away, what is remembered goes on being used for rememberedSpare, a tag's
// last answer too. That is for pulls, which would fail otherwise; nothing is written on the strength of it.
//
// That something is not there is remembered nowhere. Identifiers of rows are never used twice. What changes these
// tables in this process must do it through this package, or call Forget.
type memory struct {
	exact        bool
	repositories *aged.Cache[repositoryName, Repository]
	tags         *aged.Cache[tagName, tagged] // unless exact, the last answers, for when the database is away
	members      *aged.Cache[member, int64]   // to the manifest's row
	manifests    *aged.Cache[digest.Digest, Manifest]
	asking       *tagQueue // nil if exact
	pages        *tagPages // nil unless exact
}

type repositoryName struct{ namespace, name string }

type tagName struct {
	repositoryID int64
	name         string
}

// member is a readable manifest of a repository.
type member struct {
	repositoryID int64
	digest       digest.Digest
}

// tagged is what a tag points at. Whether it has expired is decided when it is used.
type tagged struct {
	manifestID int64
	digest     digest.Digest
	expires    *int64 // Unix milliseconds; nil for never
}

func (t tagged) expired(now int64) bool { return t.expires != nil && *t.expires <= now }

// newMemory divides so many bytes; with none, nothing is remembered.
func newMemory(d *db.DB, bytes int64, clock func() time.Time) memory {
	m := memory{exact: d.Dialect() == db.SQLite}
	if bytes <= 0 {
		return m
	}
	o := aged.Options{Age: rememberedAge, Refresh: rememberedFresh, Spare: rememberedSpare, Clock: clock}
	if m.exact {
		o.Age, o.Refresh = aged.Forever, 0
	}
	share := func(of18 int64) int64 { return bytes / 18 * of18 }
	m.repositories = aged.NewWeighed(o, share(2), func(k repositoryName, r Repository) int {
		return 400 + 2*len(k.namespace) + 2*len(k.name) + len(r.Description)
	}).OwnKeys(func(k repositoryName) repositoryName {
		return repositoryName{strings.Clone(k.namespace), strings.Clone(k.name)}
	})
	m.members = aged.NewWeighed(o, share(2), func(member, int64) int { return 250 })
	manifests := o
	manifests.Age, manifests.Refresh = aged.Forever, 0 // a digest's bytes never change
	m.manifests = aged.NewWeighed(manifests, share(7), func(_ digest.Digest, v Manifest) int {
		return 500 + len(v.Bytes) + len(v.MediaType) + len(v.ArtifactType) + len(v.ConfigType)
	})
	m.tags = aged.NewWeighed(o, share(6), func(k tagName, _ tagged) int { return 300 + len(k.name) }).
		OwnKeys(func(k tagName) tagName { return tagName{k.repositoryID, strings.Clone(k.name)} })
	if m.exact {
		m.pages = newTagPages(o, share(1))
		d.OnForeignCommit(m.drop)
	} else {
		m.asking = newTagQueue(d)
	}
	return m
}

// drop forgets everything but the manifests' bytes.
func (m *memory) drop() {
	m.repositories.Drop()
	m.tags.Drop()
	m.pages.drop()
	m.members.Drop()
}

// Forget makes the registry ask the database again for everything that can change. It is for whatever changes the
// registry's tables in this process by other means than a Registry; it is to be called after the commit.
func (r *Registry) Forget() { r.memory.drop() }

// forgetTags registers with a transaction that it changes tags.
func (m *memory) forgetTags(tx db.Tx, repo Repository, names ...string) {
	if len(names) == 0 {
		return
	}
	tx.AfterCommit(func() {
		for _, name := range names {
			m.tags.Forget(tagName{repo.ID, name})
		}
		m.pages.forget(repo.ID)
	})
}

// forgetMember registers with a transaction that it adds or removes a manifest.
func (m *memory) forgetMember(tx db.Tx, repo Repository, d digest.Digest) {
	tx.AfterCommit(func() { m.members.Forget(member{repo.ID, d}) })
}

// forgetRepositories registers with a transaction that it changes repositories, which is rare: what is dropped costs
// one indexed query each to get back.
func (m *memory) forgetRepositories(tx db.Tx) { tx.AfterCommit(m.repositories.Drop) }

package forgetfs_test

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/longshore-registry/longshore/internal/content"
	blobfiles "github.com/longshore-registry/longshore/internal/content/fs"
	"github.com/longshore-registry/longshore/internal/content/fs/faultfs"
	"github.com/longshore-registry/longshore/internal/content/fs/forgetfs"
	"github.com/longshore-registry/longshore/internal/db"
	"github.com/longshore-registry/longshore/internal/db/dbtest"
	"github.com/longshore-registry/longshore/internal/digest"
	"github.com/longshore-registry/longshore/internal/problem"
)

var (
	histories = flag.Int("powercut.histories", 60, "random histories")
	firstSeed = flag.Int("powercut.first", 1, "the first seed")
)

// machine is a store on a disk that forgets and an embedded database, until the power is cut: at a random call of the
// file system or moment of a transaction, after which nothing has an effect any more.
type machine struct {
	t      *testing.T
	random *rand.Rand
	disk   *forgetfs.FS
	root   string
	file   string            // the database's
	hard   map[string][]byte // the database's files as of the last hard commit
	db     *db.DB
	store  *content.Store
	left   atomic.Int64 // calls and moments until the cut

	skip  string // an operation of the file system that has no effect, to see that it is missed
	found []string

	acked map[string][]byte // by repository and digest
	maybe map[string]bool   // requests without an answer
	open  []*upload
}

type upload struct {
	owner    content.Owner
	id       string
	data     []byte
	received int
}

// soft names the transactions that a power cut may undo.
var soft = strings.Fields("start-upload save-upload claim-upload release-upload lease-blob mark-upload-as-discarded remove-upload forget-object adopt-upload")

// TestPowerCut plays random histories with cuts: what was acknowledged is there afterwards, whole, and what was not is
// unknown or whole.
func TestPowerCut(t *testing.T) {
	for seed := *firstSeed; seed < *firstSeed+*histories; seed++ {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			for _, fault := range play(t, seed, "") {
				t.Error(fault)
			}
		})
	}
}

// TestPowerCutMissesEachSync takes the syncs away: the histories must show it.
func TestPowerCutMissesEachSync(t *testing.T) {
	for _, operation := range []string{"sync", "syncdir"} {
		found := 0
		for seed := 1; found == 0 && seed <= 60; seed++ {
			found = len(play(t, seed, operation))
		}
		if found == 0 {
			t.Errorf("60 histories without %s lose nothing", operation)
		}
	}
}

// play gives what was wrong in a history.
func play(t *testing.T, seed int, skip string) []string {
	t.Helper()
	m := &machine{
		t: t, random: rand.New(rand.NewPCG(uint64(seed), 3)), root: filepath.Join(t.TempDir(), "blobs"), skip: skip,
		file: strings.TrimPrefix(dbtest.URI(t, dbtest.SQLite), "sqlite:///"), acked: map[string][]byte{}, maybe: map[string]bool{},
	}
	if err := os.Mkdir(m.root, 0o755); err != nil {
		t.Fatal(err)
	}
	m.disk = forgetfs.New(m.root)
	m.boot()
	for range 3 {
		m.left.Store(int64(10 + m.random.IntN(150)))
		for m.left.Load() > 0 {
			m.step()
		}
		m.cut()
		if !m.boot() {
			break
		}
		m.check()
	}
	if err := m.db.Close(); err != nil {
		t.Error(err)
	}
	return m.found
}

func (m *machine) fault(format string, args ...any) {
	m.found = append(m.found, fmt.Sprintf(format, args...))
}

// power reports whether there still is some, and takes a little.
func (m *machine) power() error {
	if m.left.Add(-1) < 0 {
		return forgetfs.ErrCut
	}
	return nil
}

// call is of the file system: the cut comes before it or after it.
func (m *machine) call(operation, _ string, do func() error) error {
	if err := m.power(); err != nil {
		return err
	}
	if operation != m.skip {
		if err := do(); err != nil {
			return err
		}
	}
	return m.power()
}

// watch keeps a copy of the database after each hard commit: that much a power cut leaves.
func (m *machine) watch(transaction string, at db.Moment) error {
	if at == db.Committed && transaction != db.Batch && !isSoft(transaction) {
		m.hard = m.read()
	}
	return m.power()
}

func isSoft(transaction string) bool {
	for _, name := range soft {
		if strings.ReplaceAll(name, "-", " ") == transaction {
			return true
		}
	}
	return false
}

// read gives the database's files: first the file, then the log, which still holds what was moved in between.
func (m *machine) read() map[string][]byte {
	files := map[string][]byte{}
	for _, suffix := range []string{"", "-wal"} {
		if b, err := os.ReadFile(m.file + suffix); err == nil {
			files[suffix] = b
		}
	}
	return files
}

// boot starts the store; false when it does not know its folder any more, which is a fault.
func (m *machine) boot() bool {
	m.t.Helper()
	m.left.Store(1 << 40)
	options := dbtest.Options("sqlite:///" + m.file)
	options.Watch = m.watch
	var err error
	if m.db, err = db.Open(m.t.Context(), options); err != nil {
		m.t.Fatal(err)
	}
	driver, err := blobfiles.New(blobfiles.Options{Root: m.root, System: &faultfs.FS{System: m.disk, Call: m.call, Halves: true}})
	if err != nil {
		m.t.Fatal(err)
	}
	m.store, err = content.NewStore(m.t.Context(), content.Options{DB: m.db, Locations: []content.Location{{Name: "default", Driver: driver}}})
	if err != nil {
		m.fault("the store does not start: %v", err)
		return false
	}
	// The system's boot id does not change here as it does when the power is back.
	if _, err := m.db.Exec(m.t.Context(), `UPDATE upload SET boot = 'before the cut'`); err != nil {
		m.t.Fatal(err)
	}
	return true
}

// cut takes the disk back to what is durable, and the database to its last hard commit, or leaves it what it has.
func (m *machine) cut() {
	m.t.Helper()
	if err := m.db.Close(); err != nil {
		m.t.Fatal(err)
	}
	if m.random.IntN(2) == 0 {
		for _, suffix := range []string{"", "-wal", "-shm"} {
			if err := os.Remove(m.file + suffix); err != nil && !errors.Is(err, os.ErrNotExist) {
				m.t.Fatal(err)
			}
		}
		for suffix, b := range m.hard {
			if err := os.WriteFile(m.file+suffix, b, 0o600); err != nil {
				m.t.Fatal(err)
			}
		}
	}
	random := m.random
	if random.IntN(3) == 0 {
		random = nil
	}
	var err error
	if m.disk, err = m.disk.Cut(random); err != nil {
		m.t.Fatal(err)
	}
}

func (m *machine) owner() content.Owner {
	return content.Owner{RepositoryID: int64(11 * (1 + m.random.IntN(2))), AccountID: 1, Actor: "user:alice"}
}

func key(repository int64, d digest.Digest) string { return fmt.Sprintf("%d %s", repository, d) }

func (m *machine) step() {
	ctx, o := m.t.Context(), m.owner()
	data := make([]byte, m.random.IntN(3000))
	for i := range data {
		data[i] = byte(m.random.Uint32())
	}
	if m.random.IntN(4) == 0 {
		data = fmt.Appendf(nil, "often %d", m.random.IntN(3))
	}
	switch m.random.IntN(8) {
	case 0: // a blob leaves a repository
		for k, known := range m.acked {
			d := digest.SHA256.Of(known)
			if k != key(o.RepositoryID, d) {
				continue
			}
			m.maybe[k] = true
			if err := m.store.Unlink(ctx, o.RepositoryID, d); err == nil {
				delete(m.acked, k)
			}
			return
		}
	case 1: // an upload is cancelled
		if len(m.open) > 0 {
			u := m.open[0]
			m.open = m.open[1:]
			_ = m.store.Cancel(ctx, u.owner, u.id)
		}
	case 2: // one is left open
		if u, err := m.begin(ctx, o, data); err == nil {
			m.open = append(m.open, u)
		}
	case 3: // one goes on
		if len(m.open) > 0 {
			u := m.open[0]
			m.open = m.open[1:]
			m.finish(ctx, u)
		}
	default:
		if u, err := m.begin(ctx, o, data); err == nil {
			m.finish(ctx, u)
		}
	}
}

// begin starts an upload and sends a part of it.
func (m *machine) begin(ctx context.Context, o content.Owner, data []byte) (*upload, error) {
	u, err := m.store.Start(ctx, o, digest.SHA256)
	if err != nil {
		return nil, err
	}
	some := data[:m.random.IntN(len(data)+1)]
	if u, err = m.store.Append(ctx, o, u.ID, chunk(some)); err != nil {
		return nil, err
	}
	return &upload{o, u.ID, data, int(u.Received)}, nil
}

func chunk(b []byte) content.Chunk { return content.Chunk{From: -1, To: -1, Body: bytes.NewReader(b)} }

func (m *machine) finish(ctx context.Context, u *upload) {
	d := digest.SHA256.Of(u.data)
	k := key(u.owner.RepositoryID, d)
	_, known := m.acked[k]
	if !known {
		m.maybe[k] = true
	}
	if _, err := m.store.Finish(ctx, u.owner, u.id, chunk(u.data[u.received:]), d); err == nil {
		m.acked[k] = u.data
		delete(m.maybe, k)
	}
}

// check reads back what was acknowledged, goes on with what was open, and looks at all objects.
func (m *machine) check() {
	ctx, t := m.t.Context(), m.t
	for k, want := range m.acked {
		var repository int64
		var name string
		if _, err := fmt.Sscan(k, &repository, &name); err != nil {
			t.Fatal(err)
		}
		if got, err := m.content(ctx, repository, digest.SHA256.Of(want)); (err != nil || !bytes.Equal(got, want)) && !(m.maybe[k] && problem.HasCode(err, "BLOB_UNKNOWN")) {
			m.fault("acknowledged blob %s: %d bytes of %d, %v", k, len(got), len(want), err)
		}
	}
	m.objects(ctx)
	for _, u := range m.open {
		status, err := m.store.Status(ctx, u.owner, u.id)
		if problem.HasCode(err, "BLOB_UPLOAD_UNKNOWN") {
			continue
		}
		if err != nil || status.Received > int64(len(u.data)) {
			m.fault("status of an open upload: %+v, %v", status, err)
			continue
		}
		d := digest.SHA256.Of(u.data)
		_, err = m.store.Finish(ctx, u.owner, u.id, chunk(u.data[status.Received:]), d)
		if problem.HasCode(err, "BLOB_UPLOAD_UNKNOWN") {
			continue
		}
		if got, readErr := m.content(ctx, u.owner.RepositoryID, d); err != nil || readErr != nil || !bytes.Equal(got, u.data) {
			m.fault("an upload that went on at byte %d of %d: %v, %v", status.Received, len(u.data), err, readErr)
		}
		m.acked[key(u.owner.RepositoryID, d)] = u.data
	}
	m.open, m.maybe = nil, map[string]bool{}
}

// content reads a blob with its promise.
func (m *machine) content(ctx context.Context, repository int64, d digest.Digest) ([]byte, error) {
	b, err := m.store.Stat(ctx, repository, d, true)
	if err != nil {
		return nil, err
	}
	o, err := m.store.Open(ctx, b)
	if err != nil {
		return nil, err
	}
	defer o.Close()
	return io.ReadAll(o)
}

// objects holds every live object against its blob's digest.
func (m *machine) objects(ctx context.Context) {
	rows, err := m.db.Query(ctx, `SELECT b.digest, o.path FROM blob_object o JOIN blob b ON b.id = o.blob_id WHERE o.state = 1`)
	if err != nil {
		m.t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var d digest.Digest
		var path string
		if err := rows.Scan(&d, &path); err != nil {
			m.t.Fatal(err)
		}
		if b, err := os.ReadFile(filepath.Join(m.root, path)); err != nil || digest.SHA256.Of(b) != d {
			m.fault("the live object %s has %d bytes with another digest: %v", path, len(b), err)
		}
	}
}

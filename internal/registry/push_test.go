package registry_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/longshore-registry/longshore/internal/access"
	"github.com/longshore-registry/longshore/internal/db"
	"github.com/longshore-registry/longshore/internal/db/dbtest"
	"github.com/longshore-registry/longshore/internal/digest"
	"github.com/longshore-registry/longshore/internal/problem"
	"github.com/longshore-registry/longshore/internal/registry"
	"github.com/longshore-registry/longshore/internal/registry/manifest"
)

func TestWhatWasPushedIsPulled(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := newFixture(t, d)
		image := f.image(f.repo, "a", nil)
		pushed := f.push(image, "latest")
		want := registry.Pushed{Digest: image.digest(), MediaType: manifest.OCIManifest, Tags: []string{"latest"}}
		if diff := cmp.Diff(want, pushed, cmp.Comparer(func(a, b digest.Digest) bool { return a == b })); diff != "" {
			t.Error(diff)
		}
		f.wantTag("latest", image)
		m, err := f.byDigest(image.digest())
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(m.Bytes, image.bytes()) || m.ConfigType != manifest.OCIConfig || m.LayersSize != (*image.Layers)[0].Size || m.Size != int64(len(image.bytes())) {
			t.Errorf("got %+v", m)
		}
		if n := f.number(`SELECT COUNT(*) FROM blob_ref WHERE repo_id = $1 AND manifest_id = $2`, f.repo.ID, m.ID); n != 2 {
			t.Errorf("%d blobs are linked, want 2", n)
		}
	})
}

func TestOnePushSetsSeveralTags(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := newFixture(t, d)
		image := f.image(f.repo, "a", nil)
		pushed, err := f.reg.Push(t.Context(), f.repo, registry.Push{Tags: []string{"v1.2", "v1", "latest", "v1"}, Digest: image.digest(), Bytes: image.bytes()})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]string{"v1.2", "v1", "latest"}, pushed.Tags); diff != "" {
			t.Error(diff)
		}
		f.wantTags("latest", "v1", "v1.2")
	})
}

func TestATagRemembersTheAlgorithmItWasPushedWith(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := newFixture(t, d)
		image := f.image(f.repo, "a", nil)
		long := digest.SHA512.Of(image.bytes())
		if _, err := f.reg.Push(t.Context(), f.repo, registry.Push{Tags: []string{"long"}, Digest: long, Bytes: image.bytes()}); err != nil {
			t.Fatal(err)
		}
		if _, err := f.reg.Push(t.Context(), f.repo, registry.Push{Tags: []string{"long2"}, Algorithm: digest.SHA512, Bytes: image.bytes()}); err != nil {
			t.Fatal(err)
		}
		f.push(image, "short")
		for tag, want := range map[string]digest.Digest{"long": long, "long2": long, "short": image.digest()} {
			if m, err := f.byTag(tag); err != nil || m.Digest != want {
				t.Errorf("%s: got %s, %v", tag, m.Digest, err)
			}
		}
		if _, err := f.reg.DeleteManifest(t.Context(), f.repo, long); err != nil {
			t.Fatal(err)
		}
		f.wantTag("short", image)
	})
}

func TestRefusedPushes(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := newFixture(t, d)
		other := f.repository(f.repo.NamespaceID, "other")
		elsewhere := f.image(other, "elsewhere", nil)
		image := f.image(f.repo, "a", nil)
		with := func(change func(*doc)) doc {
			c := image
			layers := append([]desc{}, *image.Layers...)
			config := *image.Config
			c.Layers, c.Config = &layers, &config
			change(&c)
			return c
		}
		tests := []struct {
			name string
			doc  doc
			code string
			want string
		}{
			{"a blob of another repository", elsewhere, "MANIFEST_BLOB_UNKNOWN", "Unknown blob `" + elsewhere.Config.Digest + "`"},
			{"a layer that is nowhere", with(func(d *doc) { (*d.Layers)[0].Digest = digest.SHA256.Of(nil).String() }), "MANIFEST_BLOB_UNKNOWN", "Unknown blob `" + digest.SHA256.Of(nil).String() + "`"},
			{"a config of another size", with(func(d *doc) { d.Config.Size++ }), "MANIFEST_INVALID", "Size of config does not match that retrieved: "},
			{"a layer of another size", with(func(d *doc) { (*d.Layers)[0].Size++ }), "MANIFEST_INVALID", "Size of layer does not match that retrieved: "},
			{"a foreign layer without urls", with(func(d *doc) { (*d.Layers)[0] = desc{MediaType: foreign, Digest: digest.SHA256.Of(nil).String()} }), "MANIFEST_INVALID", "missing `urls` for remote layer"},
			{"a child that is not here", index(image), "MANIFEST_BLOB_UNKNOWN", "Unknown manifest `" + image.desc().Digest + "`"},
		}
		for _, tt := range tests {
			t.Run(tt.name, func(t *testing.T) {
				_, err := f.tryPush(tt.doc, "latest")
				p := wantCode(t, err, problem.Invalid, tt.code)
				if detail, _ := p.Detail.(manifest.Detail); !strings.Contains(detail.Message, tt.want) {
					t.Errorf("detail %q, want %q", detail.Message, tt.want)
				}
			})
		}
		if n := f.number(`SELECT COUNT(*) FROM manifest`) + f.number(`SELECT COUNT(*) FROM repo_manifest`) + f.number(`SELECT COUNT(*) FROM tag`); n != 0 {
			t.Errorf("refused pushes left %d rows", n)
		}
	})
}

func TestCheckPush(t *testing.T) {
	f := newFixture(t, dbtest.Open(t, dbtest.SQLite), func(o *registry.Options) {
		o.Limits.TagsPerPush = 10
		o.Artifacts.Types = map[string][]string{}
	})
	image := f.image(f.repo, "a", nil)
	thing := f.artifact(f.repo, "application/x.thing", nil, nil)
	tags := func(n int) (all []string) {
		for i := range n {
			all = append(all, fmt.Sprint("t", i))
		}
		return all
	}
	tests := []struct {
		name string
		push registry.Push
		kind problem.Kind
		code string // empty: accepted
	}{
		{"a good push", registry.Push{Tags: []string{"a"}, Bytes: image.bytes()}, 0, ""},
		{"ten tags", registry.Push{Tags: tags(10), Bytes: image.bytes()}, 0, ""},
		{"eleven tags", registry.Push{Tags: tags(11), Bytes: image.bytes()}, problem.TooLarge, "TOO_MANY_TAGS_REQUESTED"},
		{"neither tag nor digest", registry.Push{Bytes: image.bytes()}, problem.Invalid, "TAG_INVALID"},
		{"a bad tag", registry.Push{Tags: []string{"a", ".b"}, Bytes: image.bytes()}, problem.Invalid, "TAG_INVALID"},
		{"another digest", registry.Push{Digest: thing.digest(), Bytes: image.bytes()}, problem.Invalid, "MANIFEST_INVALID"},
		{"another digest of another algorithm", registry.Push{Digest: digest.SHA512.Of(nil), Bytes: image.bytes()}, problem.Invalid, "MANIFEST_INVALID"},
		{"an unlisted artifact", registry.Push{Tags: []string{"a"}, Bytes: thing.bytes()}, problem.Invalid, "MANIFEST_INVALID"},
		{"a foreign Content-Type", registry.Push{Tags: []string{"a"}, Bytes: image.bytes(), ContentType: "text/html"}, problem.UnsupportedMedia, "MANIFEST_INVALID"},
		{"too many bytes", registry.Push{Tags: []string{"a"}, Bytes: make([]byte, 4<<20+1)}, problem.TooLarge, "MANIFEST_INVALID"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := f.reg.CheckPush("acme", tt.push)
			if tt.code == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			wantCode(t, err, tt.kind, tt.code)
			if _, err := f.reg.Push(t.Context(), f.repo, tt.push); problem.From(err) == nil || problem.From(err).Code != tt.code {
				t.Errorf("Push says %v", err)
			}
		})
	}
}

func TestForeignLayersNeedNoBlobButAreLinkedWhenItIsThere(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := newFixture(t, d)
		image := f.image(f.repo, "a", nil)
		here := f.upload(f.repo, foreign, []byte("pushed although foreign"))
		absent := desc{MediaType: foreign, Digest: digest.SHA256.Of([]byte("elsewhere")).String(), Size: 12345, URLs: []string{"https://example.com/x"}}
		image.Layers = &[]desc{absent, here}
		f.push(image, "windows")
		m, err := f.byTag("windows")
		if err != nil {
			t.Fatal(err)
		}
		if n := f.number(`SELECT COUNT(*) FROM blob_ref WHERE repo_id = $1 AND manifest_id = $2`, f.repo.ID, m.ID); n != 2 {
			t.Errorf("%d blobs are linked, want config and one layer", n)
		}
	})
}

func TestIndexes(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := newFixture(t, d)
		a, b := f.image(f.repo, "a", nil), f.image(f.repo, "b", nil)
		f.push(a)
		f.push(b)
		inner := index(a, b, a)
		f.push(inner)
		outer := index(inner, a)
		f.push(outer, "nested")
		f.push(index(), "empty")
		f.wantTag("nested", outer)
		wrong := index(a)
		(*wrong.Manifests)[0].Size++
		_, err := f.tryPush(wrong, "wrong")
		wantCode(t, err, problem.Invalid, "MANIFEST_INVALID")
	})
}

func TestASparseIndexMayNameWhatIsNotHere(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := newFixture(t, d, sparse)
		a, b := f.image(f.repo, "a", map[string]string{"quay.expires-after": "1d"}), f.image(f.repo, "b", nil)
		f.push(a)
		i := index(a, b)
		f.push(i, "sparse")
		f.wantTag("sparse", i)
		if diff := cmp.Diff([]string{"sparse 0- live"}, f.history(registry.TagFilter{})); diff != "" {
			t.Errorf("an absent child has no labels in common: %s", diff)
		}
	})
}

func TestAManifestOfManyBlobsIsLinkedWhole(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := newFixture(t, d)
		image := f.image(f.repo, "a", nil)
		for i := range 130 {
			*image.Layers = append(*image.Layers, f.upload(f.repo, gzipLayer, fmt.Append(nil, "layer ", i)))
		}
		f.push(image, "many")
		if n := f.number(`SELECT COUNT(*) FROM blob_ref WHERE repo_id = $1 AND manifest_id > 0`, f.repo.ID); n != 132 {
			t.Errorf("%d blobs are linked, want 132", n)
		}
	})
}

func TestALargeManifestWithManyAnnotationsIsTaken(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := newFixture(t, d)
		image := f.image(f.repo, "a", nil)
		image.Annotations = map[string]string{}
		for i := range 390 {
			image.Annotations[fmt.Sprint("large-annotation-", i)] = strings.Repeat("A", 10_000)
		}
		f.push(image, "large")
		f.wantTag("large", image)
		if n := f.number(`SELECT COUNT(*) FROM manifest_label`); n != 390 {
			t.Errorf("%d labels, want 390", n)
		}
	})
}

func TestAPushSeesTheRepositoryAsItIsNow(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := newFixture(t, d)
		image := f.image(f.repo, "a", nil)
		account := f.account("alice", 1)
		push := func() error {
			_, err := f.reg.Push(t.Context(), f.repo, registry.Push{Tags: []string{"t"}, Bytes: image.bytes(), AccountID: account})
			return err
		}
		if err := push(); err != nil {
			t.Fatal(err)
		}
		f.exec(`UPDATE account SET enabled = 0 WHERE id = $1`, account)
		wantCode(t, push(), problem.Unauthenticated, "UNAUTHORIZED")
		f.exec(`UPDATE account SET enabled = 1 WHERE id = $1`, account)
		f.exec(`UPDATE account SET enabled = 0 WHERE id = $1`, f.repo.NamespaceID)
		wantCode(t, push(), problem.Unsupported, "DENIED")
		f.exec(`UPDATE account SET enabled = 1 WHERE id = $1`, f.repo.NamespaceID)
		if err := f.reg.SetState(t.Context(), f.repo.ID, access.ReadOnlyState); err != nil {
			t.Fatal(err)
		}
		wantCode(t, push(), problem.Conflict, "DENIED")
		wantCode(t, f.reg.DeleteTag(t.Context(), f.repo, "t"), problem.Conflict, "DENIED")
		if err := f.reg.DeleteRepository(t.Context(), f.repo.ID); err != nil {
			t.Fatal(err)
		}
		wantCode(t, push(), problem.NotFound, "NAME_UNKNOWN")
	})
}

func TestPins(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := newFixture(t, d)
		now := db.Millis(f.clock())
		pin := func(d doc) int64 {
			t.Helper()
			return f.number(`SELECT rm.pin_until_ms FROM repo_manifest rm JOIN manifest m ON m.id = rm.manifest_id WHERE m.digest = $1`, d.digest())
		}
		child := f.image(f.repo, "child", nil)
		f.push(child)
		if got, want := pin(child), now+window.Milliseconds(); got != want {
			t.Errorf("pushed by digest: pinned until %d, want the namespace's window %d", got, want)
		}
		tagged := f.image(f.repo, "tagged", nil)
		f.push(tagged, "t")
		if got := pin(tagged); got != 0 {
			t.Errorf("pushed by tag: pinned until %d", got)
		}
		f.exec(`UPDATE account SET tag_window_s = 0 WHERE id = $1`, f.repo.NamespaceID)
		short := f.image(f.repo, "short", nil)
		f.push(short)
		if got, want := pin(short), now+2*lease.Milliseconds(); got != want {
			t.Errorf("without a window: pinned until %d, want two leases %d", got, want)
		}
		f.pass(lease)
		f.push(child)
		if got, want := pin(child), now+window.Milliseconds(); got != want {
			t.Errorf("a shorter pin replaced a longer one: %d, want %d", got, want)
		}

		subject := f.image(f.repo, "subject", nil)
		s := subject.desc()
		early := f.artifact(f.repo, "application/x.early", &s, nil)
		f.push(early)
		if got := pin(early); got != 9223372036854775807 {
			t.Errorf("a referrer without subject is pinned until %d, want without end", got)
		}
		f.push(subject, "subject")
		if got, want := pin(early), now+3*lease.Milliseconds(); got != want {
			t.Errorf("when its subject came: pinned until %d, want two leases %d", got, want)
		}
		late := f.artifact(f.repo, "application/x.late", &s, nil)
		f.push(late)
		if got, want := pin(late), now+3*lease.Milliseconds(); got != want {
			t.Errorf("a referrer whose subject is here: pinned until %d, want two leases %d", got, want)
		}
	})
}

func TestSchemaOneIsServedAsStored(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := newFixture(t, d)
		stored := []byte(`{"schemaVersion":1,"name":"acme/app","tag":"old","fsLayers":[],"signatures":[]}`)
		sum := digest.SHA256.Of(stored)
		id := f.id(`INSERT INTO manifest (digest, media_type, size, kind, created_ms) VALUES ($1, $2, $3, 5, 0) RETURNING id`, sum, manifest.DockerSigned1, len(stored))
		f.exec(`INSERT INTO manifest_content (manifest_id, bytes) VALUES ($1, $2)`, id, stored)
		f.exec(`INSERT INTO repo_manifest (repo_id, manifest_id, pushed_ms) VALUES ($1, $2, 0)`, f.repo.ID, id)
		f.exec(`INSERT INTO tag (repo_id, name, manifest_id, digest, start_ms) VALUES ($1, 'old', $2, $3, 0)`, f.repo.ID, id, sum)
		m, err := f.byTag("old")
		if err != nil || m.MediaType != manifest.DockerSigned1 || !bytes.Equal(m.Bytes, stored) {
			t.Errorf("%+v, %v", m, err)
		}
		_, err = f.reg.Push(t.Context(), f.repo, registry.Push{Tags: []string{"old"}, Bytes: stored})
		wantCode(t, err, problem.UnsupportedMedia, "MANIFEST_INVALID")
	})
}

func TestTheConfigIsReadForLabelsOnly(t *testing.T) {
	f := newFixture(t, dbtest.Open(t, dbtest.SQLite), func(o *registry.Options) { o.Limits.ConfigBytes = 100 })
	labels := map[string]string{"quay.expires-after": "1h"}
	f.push(f.image(f.repo, strings.Repeat("large", 50), labels), "large")
	broken := f.image(f.repo, "broken", nil)
	config := f.upload(f.repo, manifest.OCIConfig, []byte("no JSON"))
	broken.Config = &config
	f.push(broken, "broken")
	if diff := cmp.Diff([]string{"large 0- live", "broken 0- live"}, f.history(registry.TagFilter{})); diff != "" {
		t.Error(diff)
	}
	lost := f.image(f.repo, "lost", labels)
	f.failing = errors.New("the disk is gone")
	if _, err := f.tryPush(lost, "lost"); !errors.Is(err, f.failing) {
		t.Errorf("with a store that fails: %v", err)
	}
	f.failing = nil
	f.push(lost, "lost")
	if got := f.number(`SELECT expires_ms - start_ms FROM tag WHERE name = 'lost'`); got != time.Hour.Milliseconds() {
		t.Errorf("lives %d ms", got)
	}
}

//go:build e2e

package crash

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
)

// operation is what a client does in one step.
type operation int

const (
	uploadWhole operation = iota
	uploadTwo
	uploadChunks
	uploadShared
	cancelUpload
	mountBlob
	deleteBlob
	pushImage
	pushIndex
	deleteTag
	deleteManifest
	changeRobot
	changePermission
	changeRepository
	changeOrganization
	operations
	changeSession // passwords are slow by intent: only where it is what the point is about
	leaseBlob     // only while the clock is late
)

const (
	actors     = 6
	sharedTags = 3
	imageType  = "application/vnd.oci.image.manifest.v1+json"
	indexType  = "application/vnd.oci.image.index.v1+json"
	layerType  = "application/vnd.oci.image.layer.v1.tar"
)

var places = []string{user + "/one", user + "/two", user + "/deep/three"}

// actor is one client. What it deletes is its own; tags and contents of some pushes are everybody's.
type actor struct {
	id      int
	random  *rand.Rand
	client  *client
	journal *journal
	likely  operation
	serial  *serial

	promised *promised // of all
	signedIn *[]string // registers of the visitor's sessions, of the first actor

	blobs     []kept // its own, in no manifest
	children  []manifest
	tags      []string // registers of its own tags
	deletable []deletable
	robots    []string
	granted   []string
	made      []string // repositories
	founded   []string // organizations
}

type kept struct {
	repository string
	content    []byte
}

type manifest struct {
	repository string
	bytes      []byte
}

type deletable struct {
	manifest
	tag string
}

// promised are blobs from before the present crash that nobody deletes.
type promised struct {
	mu   sync.Mutex
	list []kept
}

func (p *promised) add(b kept) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.list = append(p.list, b)
}

// take gives one that has not been taken.
func (p *promised) take() (kept, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.list) == 0 {
		return kept{}, false
	}
	b := p.list[0]
	p.list = p.list[1:]
	return b, true
}

// serial numbers contents, so that no two that are meant to differ are alike.
type serial struct {
	mu sync.Mutex
	n  int
}

func (s *serial) next() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.n++
	return s.n
}

// unexpected is an answer that the workload gives no reason for.
type unexpected struct{ error }

// work does steps until the process does not answer any more. Only an answer that nothing explains is an error.
func (a *actor) work(ctx context.Context) error {
	for ctx.Err() == nil {
		what := operation(a.random.IntN(int(operations)))
		if a.random.IntN(2) == 0 {
			what = a.likely
		}
		err := a.step(ctx, what)
		if errors.As(err, new(unexpected)) {
			return fmt.Errorf("operation %d: %w", what, err)
		}
		if err != nil {
			return nil // the process is gone
		}
	}
	return nil
}

func (a *actor) step(ctx context.Context, what operation) error {
	switch what {
	case uploadWhole, uploadTwo, uploadChunks:
		b := kept{a.place(), a.content()}
		done, err := a.upload(ctx, what, b)
		if done {
			a.blobs = append(a.blobs, b)
		}
		return err
	case uploadShared:
		return a.uploadTwice(ctx)
	case cancelUpload:
		return a.cancel(ctx)
	case mountBlob:
		return a.mount(ctx)
	case deleteBlob:
		return a.deleteBlob(ctx)
	case pushImage:
		return a.pushImage(ctx)
	case pushIndex:
		return a.pushIndex(ctx)
	case deleteTag:
		return a.deleteTag(ctx)
	case deleteManifest:
		return a.deleteManifest(ctx)
	case changeRobot:
		return a.changeRobot(ctx)
	case changePermission:
		return a.changePermission(ctx)
	case changeRepository:
		return a.changeRepository(ctx)
	case changeOrganization:
		return a.changeOrganization(ctx)
	case changeSession:
		return a.changeSession(ctx)
	case leaseBlob:
		return a.leaseBlob(ctx)
	}
	return nil
}

func (a *actor) place() string { return places[a.random.IntN(len(places))] }

// content gives bytes that nobody has pushed yet.
func (a *actor) content() []byte {
	size := a.random.IntN(20_000)
	if a.random.IntN(20) == 0 {
		size = 300_000 + a.random.IntN(300_000)
	}
	return fill(a.serial.next(), size)
}

// fill makes content from a number.
func fill(number, size int) []byte {
	b := fmt.Appendf(nil, "content %d ", number)
	r := rand.New(rand.NewPCG(uint64(number), 7))
	for len(b) < size {
		b = append(b, byte(r.Uint32()))
	}
	return b
}

func digestOf(b []byte) string { return fmt.Sprintf("sha256:%x", sha256.Sum256(b)) }

func blobKey(repository, digest string) string     { return "blob " + repository + " " + digest }
func manifestKey(repository, digest string) string { return "manifest " + repository + " " + digest }
func tagKey(repository, name string) string        { return "tag " + repository + " " + name }

// setting is a request that sets registers when it is answered with one of some statuses.
type setting struct {
	journal *journal
	keys    []string
	writes  []*write
}

func (a *actor) sets(keysAndValues ...string) *setting {
	s := &setting{journal: a.journal}
	for i := 0; i < len(keysAndValues); i += 2 {
		s.keys = append(s.keys, keysAndValues[i])
		s.writes = append(s.writes, a.journal.begin(keysAndValues[i], keysAndValues[i+1]))
	}
	return s
}

// answered settles what the request did. Refusals are named by the caller: they set nothing and are no mistake.
func (s *setting) answered(r result, err error, want int, refusals ...int) (applied bool, _ error) {
	if err != nil {
		return false, err
	}
	applied = r.status == want
	known := applied
	for _, status := range refusals {
		known = known || r.status == status
	}
	if !known {
		return false, unexpected{fmt.Errorf("%v, want %d for %q", r, want, s.keys)}
	}
	for i, w := range s.writes {
		s.journal.end(s.keys[i], w, applied)
	}
	return applied, nil
}

// image is a manifest over a config and layers.
func image(serial int, config []byte, layers ...[]byte) []byte {
	describe := func(mediaType string, b []byte) map[string]any {
		return map[string]any{"mediaType": mediaType, "digest": digestOf(b), "size": len(b)}
	}
	list := []any{}
	for _, b := range layers {
		list = append(list, describe(layerType, b))
	}
	b, _ := json.Marshal(map[string]any{
		"schemaVersion": 2, "mediaType": imageType, "config": describe("application/vnd.example.config", config), "layers": list,
		"annotations": map[string]string{"serial": fmt.Sprint(serial)},
	})
	return b
}

func index(serial int, children ...manifest) []byte {
	list := []any{}
	for _, c := range children {
		list = append(list, map[string]any{"mediaType": imageType, "digest": digestOf(c.bytes), "size": len(c.bytes)})
	}
	b, _ := json.Marshal(map[string]any{
		"schemaVersion": 2, "mediaType": indexType, "manifests": list, "annotations": map[string]string{"serial": fmt.Sprint(serial)},
	})
	return b
}

// pop takes a random element.
func pop[T any](r *rand.Rand, list *[]T) (T, bool) {
	var none T
	if len(*list) == 0 {
		return none, false
	}
	i := r.IntN(len(*list))
	x := (*list)[i]
	(*list)[i] = (*list)[len(*list)-1]
	*list = (*list)[:len(*list)-1]
	return x, true
}

// run lets clients work until the process ends or the context does, and gives the first unexplained answer.
func run(ctx context.Context, list []*actor) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	results := make(chan error, len(list))
	for _, a := range list {
		go func() { results <- a.work(ctx) }()
	}
	var first error
	for range list {
		if err := <-results; err != nil && first == nil {
			first = err
			cancel()
		}
	}
	return first
}

var octets = http.Header{"Content-Type": {"application/octet-stream"}}

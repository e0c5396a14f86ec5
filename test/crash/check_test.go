//go:build e2e

package crash

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
)

// checker reads every register back after a restart.
type checker struct {
	client  *client
	journal *journal
	rows    *rows
	park    bool // uploads that a dead process holds are left for later

	mu     sync.Mutex
	faults []string
	reads  int
	whole  map[string]bool // manifests whose blobs were read
}

func (c *checker) fail(format string, args ...any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.faults = append(c.faults, fmt.Sprintf(format, args...))
}

// all checks the registers that were touched since the last crash and some more, then the uploads that were left open.
// The two do not run at the same time: to continue an upload sets its blob, and a register is held against what the
// clients did before the crash.
func (c *checker) all(ctx context.Context, more int) []string {
	open, keys := c.journal.take(more)
	atOnce(keys, actors, func(key string) { c.register(ctx, key) })
	atOnce(open, max(actors, len(open)), func(o *opened) { c.upload(ctx, o) }) // each may wait five seconds for its holder
	return c.faults
}

// atOnce does something with each element of a list, so many at the same time.
func atOnce[T any](list []T, many int, do func(T)) {
	var group sync.WaitGroup
	work := make(chan T)
	for range many {
		group.Go(func() {
			for x := range work {
				do(x)
			}
		})
	}
	for _, x := range list {
		work <- x
	}
	close(work)
	group.Wait()
}

// register reads what a register holds and holds it against the journal.
func (c *checker) register(ctx context.Context, key string) {
	var value string
	var err error
	kind, rest, _ := strings.Cut(key, " ")
	first, second, _ := strings.Cut(rest, " ")
	switch kind {
	case "blob":
		value, err = c.blob(ctx, first, second)
	case "manifest":
		value, err = c.manifest(ctx, first, second)
	case "tag":
		value, err = c.tag(ctx, first, second)
	case "robot":
		value, err = c.named(ctx, "user/robots/"+first, "token")
	case "permission":
		value, err = c.named(ctx, "repository/"+first+"/permissions/user/"+user+"+"+second, "role")
	case "repository":
		value, err = c.named(ctx, "repository/"+user+"/"+first, "description")
	case "organization":
		value, err = c.named(ctx, "organization/"+first, "name")
	case "session":
		value, err = c.session(ctx, first)
	case "lease":
		value, err = c.rows.lease(ctx, first, second)
	}
	if err == nil {
		err = c.journal.settle(key, value)
	}
	if err != nil {
		c.fail("%v", err)
	}
	c.mu.Lock()
	c.reads++
	c.mu.Unlock()
}

// blob says whether a blob is there; what is there must have the right bytes.
func (c *checker) blob(ctx context.Context, repository, digest string) (string, error) {
	r, err := c.client.registry(ctx, http.MethodGet, "/v2/"+repository+"/blobs/"+digest, nil, nil, repository)
	switch {
	case err != nil:
		return "", err
	case r.status == http.StatusNotFound:
		return "", nil
	case r.status != http.StatusOK:
		return "", fmt.Errorf("GET of blob %s in %s: %v", digest, repository, r)
	case digestOf(r.body) != digest:
		return "", fmt.Errorf("blob %s in %s has other bytes, %d of them", digest, repository, len(r.body))
	}
	return "present", nil
}

// manifest gives a manifest's bytes, empty when it is not there. All that a readable one names must be there.
func (c *checker) manifest(ctx context.Context, repository, reference string) (string, error) {
	r, err := c.client.registry(ctx, http.MethodGet, "/v2/"+repository+"/manifests/"+reference, nil, nil, repository)
	switch {
	case err != nil:
		return "", err
	case r.status == http.StatusNotFound:
		return "", nil
	case r.status != http.StatusOK:
		return "", fmt.Errorf("GET of manifest %s in %s: %v", reference, repository, r)
	}
	d := digestOf(r.body)
	if strings.Contains(reference, ":") && d != reference {
		return "", fmt.Errorf("manifest %s in %s has the bytes of %s", reference, repository, d)
	}
	return string(r.body), c.complete(ctx, repository, d, r.body)
}

// complete reads everything that a manifest names.
func (c *checker) complete(ctx context.Context, repository, digest string, b []byte) error {
	c.mu.Lock()
	seen := c.whole[repository+digest]
	c.whole[repository+digest] = true
	c.mu.Unlock()
	if seen {
		return nil
	}
	var m struct {
		Config            struct{ Digest string }
		Layers, Manifests []struct{ Digest string }
	}
	if err := json.Unmarshal(b, &m); err != nil {
		return fmt.Errorf("manifest %s: %w", digest, err)
	}
	for _, child := range m.Manifests {
		if text, err := c.manifest(ctx, repository, child.Digest); err != nil || text == "" {
			return fmt.Errorf("index %s in %s is readable without its child %s: %v", digest, repository, child.Digest, err)
		}
	}
	blobs := m.Layers
	if m.Config.Digest != "" {
		blobs = append(blobs, m.Config)
	}
	for _, blob := range blobs {
		if there, err := c.blob(ctx, repository, blob.Digest); err != nil || there == "" {
			return fmt.Errorf("manifest %s in %s is readable without its blob %s: %v", digest, repository, blob.Digest, err)
		}
	}
	return nil
}

// tag gives the digest that a tag points to, empty when there is none.
func (c *checker) tag(ctx context.Context, repository, name string) (string, error) {
	text, err := c.manifest(ctx, repository, name)
	if err != nil || text == "" {
		return "", err
	}
	return digestOf([]byte(text)), nil
}

// named gives a member of what the API answers, empty when there is no such thing.
func (c *checker) named(ctx context.Context, path, member string) (string, error) {
	r, err := c.client.change(ctx, http.MethodGet, path, nil)
	if err != nil {
		return "", err
	}
	if r.status == http.StatusNotFound || r.status == http.StatusBadRequest {
		return "", nil
	}
	var answer map[string]any
	if r.status != http.StatusOK || json.Unmarshal(r.body, &answer) != nil {
		return "", fmt.Errorf("GET %s: %v", path, r)
	}
	value, _ := answer[member].(string)
	return value, nil
}

// upload continues an upload that was left open where its status says and finishes it, unless it is unknown, which only
// one may be that a request was about to end.
func (c *checker) upload(ctx context.Context, o *opened) {
	r, err := c.client.registry(ctx, http.MethodGet, o.location, nil, nil, o.repository)
	if err != nil {
		c.fail("status of an upload: %v", err)
		return
	}
	if r.status == http.StatusNotFound && o.ending {
		return
	}
	if r.status != http.StatusNoContent {
		c.fail("status of an upload with %d bytes acknowledged: %v", o.answered, r)
		return
	}
	_, last, _ := strings.Cut(r.header.Get("Range"), "-")
	n, err := strconv.Atoi(last)
	has := n + 1
	if last == "0" && o.answered == 0 { // "0-0" is what an empty upload says, too
		has = 0
	}
	if err != nil || has < o.answered || has > len(o.content) {
		c.fail("an upload with %d of %d bytes acknowledged says Range: %q", o.answered, len(o.content), r.header.Get("Range"))
		return
	}
	if c.park {
		c.journal.leave(o)
		return
	}
	d := digestOf(o.content)
	r, err = c.client.registry(ctx, http.MethodPut, with(o.location, "digest="+d), o.content[has:], octets, o.repository)
	if err == nil && r.status == http.StatusNotFound && o.ending {
		return // it had its final name, and the row not all of its bytes
	}
	if err != nil || r.status != http.StatusCreated {
		c.fail("an upload is continued at byte %d of %d, %d acknowledged: %v %v", has, len(o.content), o.answered, r, err)
		return
	}
	got, err := c.client.registry(ctx, http.MethodGet, "/v2/"+o.repository+"/blobs/"+d, nil, nil, o.repository)
	if err != nil || !bytes.Equal(got.body, o.content) {
		c.fail("an upload that was continued at byte %d became %d bytes, not %d: %v", has, len(got.body), len(o.content), err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.journal.settleQuietly(blobKey(o.repository, d), "present")
}

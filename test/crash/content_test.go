//go:build e2e

package crash

import (
	"context"
	"fmt"
	"net/http"
	"strings"
)

// upload pushes a blob in one of three ways: whole in one request, POST and PUT, or in chunks, which it may leave off.
func (a *actor) upload(ctx context.Context, how operation, b kept) (done bool, err error) {
	d := digestOf(b.content)
	if how == uploadWhole {
		s := a.sets(blobKey(b.repository, d), "present")
		r, err := a.client.registry(ctx, http.MethodPost, "/v2/"+b.repository+"/blobs/uploads/?digest="+d, b.content, octets, b.repository)
		return a.seen(ctx, s, r, err, http.StatusCreated)
	}
	o, err := a.begin(ctx, b)
	if err != nil {
		return false, err
	}
	rest := b.content
	if how == uploadChunks {
		for range 1 + a.random.IntN(3) {
			n := a.random.IntN(len(rest) + 1)
			if a.random.IntN(6) == 0 {
				n = 0 // an empty chunk is one, too
			}
			if err := a.patch(ctx, o, rest[:n]); err != nil {
				a.journal.leave(o)
				return false, err
			}
			rest = rest[n:]
		}
		if a.random.IntN(4) == 0 {
			a.journal.leave(o)
			return false, nil
		}
	}
	o.ending = true
	s := a.sets(blobKey(b.repository, d), "present")
	r, err := a.client.registry(ctx, http.MethodPut, with(o.location, "digest="+d), rest, octets, b.repository)
	if done, err = a.seen(ctx, s, r, err, http.StatusCreated); err != nil {
		a.journal.leave(o)
	}
	return done, err
}

// begin starts an upload.
func (a *actor) begin(ctx context.Context, b kept) (*opened, error) {
	r, err := a.client.registry(ctx, http.MethodPost, "/v2/"+b.repository+"/blobs/uploads/", nil, octets, b.repository)
	if err != nil {
		return nil, err
	}
	if r.status != http.StatusAccepted {
		return nil, unexpected{fmt.Errorf("POST of an upload: %v", r)}
	}
	return &opened{repository: b.repository, location: r.header.Get("Location"), content: b.content}, nil
}

func (a *actor) patch(ctx context.Context, o *opened, chunk []byte) error {
	header := http.Header{"Content-Type": octets["Content-Type"]}
	if len(chunk) > 0 {
		header.Set("Content-Range", fmt.Sprintf("%d-%d", o.answered, o.answered+len(chunk)-1))
	}
	r, err := a.client.registry(ctx, http.MethodPatch, o.location, chunk, header, o.repository)
	if err != nil {
		return err
	}
	if r.status != http.StatusAccepted {
		return unexpected{fmt.Errorf("PATCH of %d bytes: %v", len(chunk), r)}
	}
	o.answered += len(chunk)
	o.location = r.header.Get("Location")
	return nil
}

// with adds a query to an address that may have one.
func with(address, query string) string {
	if strings.Contains(address, "?") {
		return address + "&" + query
	}
	return address + "?" + query
}

// uploadTwice pushes content that is, or becomes, another repository's as well: the second object is dropped.
func (a *actor) uploadTwice(ctx context.Context) error {
	content := a.content()
	for _, how := range []operation{uploadWhole, uploadTwo} {
		if _, err := a.upload(ctx, how, kept{a.place(), content}); err != nil {
			return err
		}
	}
	_, err := a.upload(ctx, uploadWhole, kept{a.place(), fill(-1-a.random.IntN(20), 3000)}) // everybody pushes these
	return err
}

// cancel ends an upload without a blob: as asked, or since the digest is wrong.
func (a *actor) cancel(ctx context.Context) error {
	b := kept{a.place(), a.content()}
	o, err := a.begin(ctx, b)
	if err != nil {
		return err
	}
	if err := a.patch(ctx, o, b.content[:len(b.content)/2]); err != nil {
		a.journal.leave(o)
		return err
	}
	o.ending = true
	want, method, address := http.StatusNoContent, http.MethodDelete, o.location
	if a.random.IntN(3) == 0 {
		want, method, address = http.StatusBadRequest, http.MethodPut, with(o.location, "digest="+digestOf([]byte("other")))
	}
	r, err := a.client.registry(ctx, method, address, nil, octets, b.repository)
	if err != nil {
		a.journal.leave(o)
		return err
	}
	if r.status != want {
		return unexpected{fmt.Errorf("%s to cancel an upload: %v", method, r)}
	}
	return nil
}

// mount takes over one of its own blobs from another repository.
func (a *actor) mount(ctx context.Context) error {
	b, ok := pop(a.random, &a.blobs)
	if !ok {
		return a.step(ctx, uploadWhole)
	}
	to := places[(indexOf(b.repository)+1)%len(places)]
	d := digestOf(b.content)
	s := a.sets(blobKey(to, d), "present")
	r, err := a.client.registry(ctx, http.MethodPost, "/v2/"+to+"/blobs/uploads/?mount="+d+"&from="+b.repository, nil, octets, to, b.repository)
	_, err = a.seen(ctx, s, r, err, http.StatusCreated)
	return err
}

func leaseKey(repository, digest string) string { return "lease " + repository + " " + digest }

// leaseBlob asks for a blob as one who may push it: the promise that it stays is renewed.
func (a *actor) leaseBlob(ctx context.Context) error {
	b, ok := a.promised.take()
	if !ok {
		return a.step(ctx, mountBlob)
	}
	d := digestOf(b.content)
	s := a.sets(leaseKey(b.repository, d), "renewed")
	r, err := a.client.registry(ctx, http.MethodHead, "/v2/"+b.repository+"/blobs/"+d, nil, nil, b.repository)
	_, err = s.answered(r, err, http.StatusOK)
	return err
}

func indexOf(place string) int {
	for i, p := range places {
		if p == place {
			return i
		}
	}
	return 0
}

// deleteBlob removes one of its own blobs from its repository.
func (a *actor) deleteBlob(ctx context.Context) error {
	b, ok := pop(a.random, &a.blobs)
	if !ok {
		return a.step(ctx, uploadWhole)
	}
	d := digestOf(b.content)
	if err := a.look(ctx, a.holds(blobKey(b.repository, d), "present")); err != nil {
		return err
	}
	s := a.sets(blobKey(b.repository, d), "")
	r, err := a.client.registry(ctx, http.MethodDelete, "/v2/"+b.repository+"/blobs/"+d, nil, nil, b.repository)
	_, err = a.seen(ctx, s, r, err, http.StatusAccepted)
	return err
}

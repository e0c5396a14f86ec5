//go:build e2e

package crash

import (
	"context"
	"fmt"
	"net/http"
)

// pushImage pushes an image with its blobs under a tag of its own, a tag of everybody, or its digest.
func (a *actor) pushImage(ctx context.Context) error {
	place := a.place()
	config, layer := a.content(), a.content()
	for i, content := range [][]byte{config, layer} {
		if _, err := a.upload(ctx, []operation{uploadWhole, uploadTwo}[i], kept{place, content}); err != nil {
			return err
		}
	}
	m := manifest{place, image(a.serial.next(), config, layer)}
	tag := fmt.Sprintf("own-%d-%d", a.id, a.random.IntN(4))
	switch a.random.IntN(4) {
	case 0:
		tag = fmt.Sprintf("shared-%d", a.random.IntN(sharedTags))
	case 1:
		tag = ""
	case 2:
		tag = fmt.Sprintf("once-%d", a.serial.next())
	}
	if err := a.put(ctx, m, tag, imageType); err != nil {
		return err
	}
	switch {
	case len(tag) > 4 && tag[:4] == "once":
		a.deletable = append(a.deletable, deletable{m, tag})
	case tag == "":
		a.children = append(a.children, m)
	case tag[:3] == "own":
		a.tags = append(a.tags, place+" "+tag)
	}
	return nil
}

// put pushes a manifest, by tag or, without one, by digest.
func (a *actor) put(ctx context.Context, m manifest, tag, mediaType string) error {
	d := digestOf(m.bytes)
	sets, reference := []string{manifestKey(m.repository, d), string(m.bytes)}, d
	if tag != "" {
		sets, reference = append(sets, tagKey(m.repository, tag), d), tag
	}
	s := a.sets(sets...)
	r, err := a.client.registry(ctx, http.MethodPut, "/v2/"+m.repository+"/manifests/"+reference, m.bytes, http.Header{"Content-Type": {mediaType}}, m.repository)
	_, err = a.seen(ctx, s, r, err, http.StatusCreated)
	return err
}

// pushIndex pushes an index over images that were pushed by digest.
func (a *actor) pushIndex(ctx context.Context) error {
	if len(a.children) == 0 {
		return a.step(ctx, pushImage)
	}
	child := a.children[a.random.IntN(len(a.children))]
	m := manifest{child.repository, index(a.serial.next(), child)}
	return a.put(ctx, m, fmt.Sprintf("index-%d-%d", a.id, a.random.IntN(3)), indexType)
}

// deleteTag ends one of its own tags; others of the same name may have ended before.
func (a *actor) deleteTag(ctx context.Context) error {
	key, ok := pop(a.random, &a.tags)
	if !ok {
		return a.step(ctx, pushImage)
	}
	var repository, tag string
	if _, err := fmt.Sscan(key, &repository, &tag); err != nil {
		return unexpected{err}
	}
	s := a.sets(tagKey(repository, tag), "")
	if a.random.IntN(2) == 0 { // the way of the console
		r, err := a.client.change(ctx, http.MethodDelete, "repository/"+repository+"/tag/"+tag, nil)
		_, err = s.answered(r, err, http.StatusNoContent, http.StatusNotFound, http.StatusBadRequest)
		return err
	}
	r, err := a.client.registry(ctx, http.MethodDelete, "/v2/"+repository+"/manifests/"+tag, nil, nil, repository)
	_, err = a.seen(ctx, s, r, err, http.StatusAccepted, http.StatusNotFound)
	return err
}

// deleteManifest removes a manifest with its tag.
func (a *actor) deleteManifest(ctx context.Context) error {
	m, ok := pop(a.random, &a.deletable)
	if !ok {
		return a.step(ctx, pushImage)
	}
	d := digestOf(m.bytes)
	s := a.sets(manifestKey(m.repository, d), "", tagKey(m.repository, m.tag), "")
	r, err := a.client.registry(ctx, http.MethodDelete, "/v2/"+m.repository+"/manifests/"+d, nil, nil, m.repository)
	_, err = a.seen(ctx, s, r, err, http.StatusAccepted)
	return err
}

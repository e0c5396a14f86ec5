package fakestore

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/longshore-registry/longshore/internal/content"
	"github.com/longshore-registry/longshore/internal/digest"
	"github.com/longshore-registry/longshore/internal/problem"
)

// Driver stores objects on a Server. The key is chosen when an upload starts and is final.
type Driver struct {
	Server   *Server
	PartSize int           // bytes of a part, at least Server.MinPart
	Patience int           // how often an object that must be there is looked for
	Pause    time.Duration // between two looks
}

var (
	_ content.Driver     = (*Driver)(nil)
	_ content.Redirector = (*Driver)(nil)
)

// state is the part of a session that only this driver reads.
type state struct {
	Upload  string `json:"upload,omitempty"`   // multipart upload's identifier
	Tail    string `json:"tail,omitempty"`     // key of the object that holds what is not in a part yet,
	TailTag string `json:"tail_tag,omitempty"` // and its entity tag
	Whole   string `json:"whole,omitempty"`    // entity tag of an object that was stored at once, without parts
	Adopted bool   `json:"adopted,omitempty"`  // another process may have begun a multipart upload of its own
}

func (s state) encode() []byte {
	b, _ := json.Marshal(s) // strings and booleans
	return b
}

func decode(s content.Session) (st state, err error) {
	if err := json.Unmarshal(s.State, &st); err != nil {
		return st, fmt.Errorf("the stored state of upload %s is damaged: %w", s.ID, err)
	}
	return st, nil
}

func tails(id string) string { return "uploads/" + id + "/" }

// Start chooses the key.
func (d *Driver) Start(ctx context.Context, id string) (content.Session, error) {
	return content.Session{ID: id, Path: "blobs/" + id[:2] + "/" + id, State: state{}.encode()}, nil
}

// Adopt only takes a note, for Publish to clean up. A part that is written late has another entity tag, so that the
// upload cannot be completed with it; a late completion is noticed by the object's.
func (d *Driver) Adopt(ctx context.Context, s content.Session, generation int64) (content.Session, error) {
	st, err := decode(s)
	st.Adopted = true
	s.State = st.encode()
	return s, err
}

// Publish completes the multipart upload, or stores a small object at once. Its entity tag can be told beforehand, so
// an object that is there already is known to be this upload's or to be somebody else's.
func (d *Driver) Publish(ctx context.Context, s content.Session, _ digest.Digest) (string, error) {
	st, err := decode(s)
	if err != nil {
		return "", err
	}
	parts := s.Parts
	if st.Tail != "" && st.Upload != "" {
		parts = append(parts[:len(parts):len(parts)], content.Part{Number: int64(len(parts) + 1), ETag: st.TailTag})
	}
	tag := st.expected(parts)
	if _, found, err := d.Server.Head(s.Path); err != nil || found != tag { // else this call is a repetition
		if err := d.make(ctx, s, st, parts); err != nil {
			return "", translate(err)
		}
	}
	if err := d.awaitObject(ctx, s, tag); err != nil {
		return "", err
	}
	if st.Adopted {
		_ = d.abort(s.Path)
	}
	_ = d.removeTails(s.ID, "") // what stays is a leak that only costs its bytes
	return s.Path, nil
}

// expected is the entity tag of the object that is made of the session.
func (s state) expected(parts []content.Part) string {
	switch {
	case s.Whole != "":
		return s.Whole
	case s.Upload != "":
		return CompleteTag(tags(parts))
	case s.Tail != "":
		return s.TailTag
	}
	return etag(nil)
}

func tags(parts []content.Part) []string {
	var list []string
	for _, p := range parts {
		list = append(list, p.ETag)
	}
	return list
}

// make makes the object, unless somebody was first: awaitObject finds out who.
func (d *Driver) make(ctx context.Context, s content.Session, st state, parts []content.Part) error {
	if st.Whole != "" {
		return nil
	}
	data, err := d.tail(ctx, st)
	if err != nil {
		return err
	}
	size := int64(len(data))
	for _, p := range s.Parts {
		size += p.Size
	}
	if size != s.Size {
		return content.ErrLost
	}
	if st.Upload == "" {
		return d.putWhole(s.Path, data)
	}
	if st.Tail != "" {
		_, err = d.Server.Part(s.Path, st.Upload, int64(len(parts)), data)
	}
	if err == nil {
		var numbers []int64
		for _, p := range parts {
			numbers = append(numbers, p.Number)
		}
		err = d.Server.Complete(s.Path, st.Upload, numbers, tags(parts))
	}
	if errors.Is(err, ErrNoSuchUpload) {
		return nil
	}
	return err
}

func (d *Driver) putWhole(key string, data []byte) error {
	if err := d.Server.Put(key, data); !errors.Is(err, ErrExists) {
		return err
	}
	return nil
}

// awaitObject waits until the object can be seen. An object of another tag was made by somebody else.
func (d *Driver) awaitObject(ctx context.Context, s content.Session, tag string) error {
	return d.await(ctx, func() error {
		_, found, err := d.Server.Head(s.Path)
		if err == nil && found != tag {
			return content.ErrLost
		}
		return err
	})
}

// await repeats a look at something that must be there.
func (d *Driver) await(ctx context.Context, look func() error) error {
	for i := 0; ; i++ {
		err := look()
		if !errors.Is(err, fs.ErrNotExist) {
			return translate(err)
		}
		if i >= d.Patience {
			return problem.Wrap(err, problem.Unavailable, "the object store does not show what it has stored")
		}
		select {
		case <-time.After(d.Pause):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// translate gives the errors of the server their meaning for an upload.
func translate(err error) error {
	if errors.Is(err, ErrNoSuchUpload) || errors.Is(err, ErrInvalidPart) {
		return fmt.Errorf("%w: %w", content.ErrLost, err)
	}
	return err
}

// tail reads what is not in a part yet.
func (d *Driver) tail(ctx context.Context, st state) (data []byte, err error) {
	if st.Tail == "" {
		return nil, nil
	}
	err = d.await(ctx, func() (err error) {
		data, err = d.Server.Get(st.Tail)
		return err
	})
	return data, err
}

func (d *Driver) removeTails(id, except string) error {
	keys, err := d.Server.List(tails(id))
	for _, k := range keys {
		if err == nil && k != except {
			err = d.Server.Delete(k)
		}
	}
	return err
}

// Abandon aborts and deletes, in this order: a completion that overtakes the abortion is undone by the deletion.
func (d *Driver) Abandon(ctx context.Context, s content.Session) error {
	err := d.abort(s.Path)
	if err == nil {
		err = d.Server.Delete(s.Path)
	}
	if err == nil {
		err = d.removeTails(s.ID, "")
	}
	return err
}

// abort ends all multipart uploads of a key.
func (d *Driver) abort(key string) error {
	ids, err := d.Server.Uploads(key)
	for _, id := range ids {
		if err == nil {
			err = d.Server.Abort(key, id)
		}
	}
	return err
}

type object struct {
	*bytes.Reader
}

func (object) Close() error { return nil }

// Open reads an object.
func (d *Driver) Open(ctx context.Context, path string) (content.Object, error) {
	data, err := d.Server.Get(path)
	if err != nil {
		return nil, err
	}
	return object{bytes.NewReader(data)}, nil
}

// Stat asks for an object's size.
func (d *Driver) Stat(ctx context.Context, path string) (int64, error) {
	size, _, err := d.Server.Head(path)
	return size, err
}

// Delete deletes objects.
func (d *Driver) Delete(ctx context.Context, paths ...string) error {
	for _, p := range paths {
		if err := d.Server.Delete(p); err != nil {
			return err
		}
	}
	return nil
}

// Check asks for something.
func (d *Driver) Check(ctx context.Context) error {
	_, err := d.Server.Uploads("check")
	return err
}

// URL makes a URL that nothing answers.
func (d *Driver) URL(ctx context.Context, path string, lifetime time.Duration) (string, error) {
	return fmt.Sprintf("https://objects.example/%s?lifetime=%s", path, lifetime), nil
}

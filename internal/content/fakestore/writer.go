package fakestore

import (
	"context"

	"github.com/google/uuid"

	"github.com/longshore-registry/longshore/internal/content"
)

// writer gathers bytes until they fill a part.
type writer struct {
	driver  *Driver
	session content.Session
	state   state
	buffer  []byte
	stale   string // the tail that the stored session no longer names
}

// Resume continues after the parts and the tail that the session names.
func (d *Driver) Resume(ctx context.Context, s content.Session) (content.Writer, error) {
	st, err := decode(s)
	if err != nil {
		return nil, err
	}
	w := &writer{driver: d, session: s, state: st}
	if st.Whole != "" {
		return nil, content.ErrLost // only Publish is left to be called
	}
	if w.buffer, err = d.tail(ctx, st); err != nil {
		return nil, err
	}
	w.buffer = append([]byte(nil), w.buffer...)
	size := int64(len(w.buffer))
	for _, p := range s.Parts {
		size += p.Size
	}
	if size != s.Size {
		return nil, content.ErrLost
	}
	return w, d.removeTails(s.ID, st.Tail)
}

func (w *writer) Write(p []byte) (int, error) {
	w.buffer = append(w.buffer, p...)
	for len(w.buffer) >= w.driver.PartSize {
		if err := w.part(w.buffer[:w.driver.PartSize]); err != nil {
			return 0, err
		}
		w.buffer = append([]byte(nil), w.buffer[w.driver.PartSize:]...)
	}
	w.session.Size += int64(len(p))
	return len(p), nil
}

func (w *writer) part(data []byte) (err error) {
	s := &w.session
	if w.state.Upload == "" {
		if w.state.Upload, err = w.driver.Server.Create(s.Path); err != nil {
			return err
		}
	}
	number := int64(len(s.Parts) + 1)
	tag, err := w.driver.Server.Part(s.Path, w.state.Upload, number, data)
	if err != nil {
		return translate(err)
	}
	s.Parts = append(s.Parts[:len(s.Parts):len(s.Parts)], content.Part{Number: number, Size: int64(len(data)), ETag: tag})
	return nil
}

// Save stores what is not in a part as an object of its own, under a new name each time: the session before needs the
// one before. The one before that can go.
func (w *writer) Save(ctx context.Context, last bool) (content.Session, error) {
	if w.stale != "" {
		if err := w.driver.Server.Delete(w.stale); err != nil {
			return content.Session{}, err
		}
	}
	w.stale = w.state.Tail
	w.state.Tail, w.state.TailTag = "", ""
	var err error
	switch {
	case last && w.state.Upload == "":
		w.state.Whole = etag(w.buffer)
		err = w.driver.putWhole(w.session.Path, w.buffer)
	case last && len(w.buffer) > 0:
		err = w.part(w.buffer)
	case len(w.buffer) > 0:
		w.state.Tail, w.state.TailTag = tails(w.session.ID)+uuid.NewString(), etag(w.buffer)
		err = w.driver.Server.Put(w.state.Tail, w.buffer)
	}
	w.session.State = w.state.encode()
	return w.session, err
}

func (w *writer) Close() error { return nil }

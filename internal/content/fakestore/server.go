// Package fakestore is an object store in memory, with the habits of real ones that a driver must cope with, and the
// driver for it.
//
// Keys are opaque. A multipart upload refuses parts below a minimum size, except the last. What was stored may be
// invisible for a while. A call may take effect although its answer is lost. Tests of the content store run on it, so
// that the Driver interface is right for object stores, and drivers of real ones are modelled on it.
package fakestore

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"sync"
)

// The errors of a Server besides io/fs.ErrNotExist.
var (
	ErrNoSuchUpload = errors.New("no such multipart upload")
	ErrInvalidPart  = errors.New("a part is missing, too small or was replaced")
	ErrExists       = errors.New("the key exists")
)

// Server is the store. Several drivers may work on one, as several processes would. The fields are set before use.
type Server struct {
	// MinPart is the least size in bytes of a part that is not the last.
	MinPart int64
	// Late is how many times an object is asked for in vain after it was stored.
	Late int
	// Fault is asked before and after each call; its error is the call's. After: the call has taken effect.
	Fault func(operation, key string, after bool) error

	mu      sync.Mutex
	objects map[string]*entry
	uploads map[string]*multipart
	next    int
}

type entry struct {
	data []byte
	etag string
	late int
}

type multipart struct {
	key   string
	parts map[int64][]byte
}

func etag(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:8])
}

// do runs an operation under the lock, between the two questions for a fault.
func (s *Server) do(operation, key string, fn func() error) error {
	if s.Fault != nil {
		if err := s.Fault(operation, key, false); err != nil {
			return err
		}
	}
	s.mu.Lock()
	if s.objects == nil {
		s.objects, s.uploads = map[string]*entry{}, map[string]*multipart{}
	}
	err := fn()
	s.mu.Unlock()
	if err == nil && s.Fault != nil {
		err = s.Fault(operation, key, true)
	}
	return err
}

// Put stores an object unless the key exists: ErrExists.
func (s *Server) Put(key string, data []byte) error {
	return s.do("put", key, func() error {
		if s.objects[key] != nil {
			return ErrExists
		}
		s.objects[key] = &entry{data: append([]byte(nil), data...), etag: etag(data), late: s.Late}
		return nil
	})
}

// look finds an object that is visible yet.
func (s *Server) look(key string) (*entry, error) {
	e := s.objects[key]
	if e == nil {
		return nil, fmt.Errorf("%s: %w", key, fs.ErrNotExist)
	}
	if e.late > 0 {
		e.late--
		return nil, fmt.Errorf("%s: %w", key, fs.ErrNotExist)
	}
	return e, nil
}

// Get reads an object.
func (s *Server) Get(key string) (data []byte, err error) {
	err = s.do("get", key, func() error {
		e, err := s.look(key)
		if err == nil {
			data = e.data
		}
		return err
	})
	return data, err
}

// Head gives an object's size and entity tag.
func (s *Server) Head(key string) (size int64, tag string, err error) {
	err = s.do("head", key, func() error {
		e, err := s.look(key)
		if err == nil {
			size, tag = int64(len(e.data)), e.etag
		}
		return err
	})
	return size, tag, err
}

// Delete removes an object; an absent one is none the worse for it.
func (s *Server) Delete(key string) error {
	return s.do("delete", key, func() error {
		delete(s.objects, key)
		return nil
	})
}

// List gives the keys with a prefix, in no order.
func (s *Server) List(prefix string) (keys []string, err error) {
	err = s.do("list", prefix, func() error {
		for k := range s.objects {
			if strings.HasPrefix(k, prefix) {
				keys = append(keys, k)
			}
		}
		return nil
	})
	return keys, err
}

// Create begins a multipart upload.
func (s *Server) Create(key string) (id string, err error) {
	err = s.do("create", key, func() error {
		s.next++
		id = fmt.Sprintf("mp-%d", s.next)
		s.uploads[id] = &multipart{key: key, parts: map[int64][]byte{}}
		return nil
	})
	return id, err
}

// Part stores or replaces a part. ErrNoSuchUpload.
func (s *Server) Part(key, id string, number int64, data []byte) (tag string, err error) {
	err = s.do("part", key, func() error {
		u := s.uploads[id]
		if u == nil || u.key != key {
			return ErrNoSuchUpload
		}
		u.parts[number] = append([]byte(nil), data...)
		tag = etag(data)
		return nil
	})
	return tag, err
}

// Complete makes an object of parts, named by number and entity tag. ErrNoSuchUpload, ErrInvalidPart.
func (s *Server) Complete(key, id string, numbers []int64, tags []string) error {
	return s.do("complete", key, func() error {
		u := s.uploads[id]
		if u == nil || u.key != key {
			return ErrNoSuchUpload
		}
		var data []byte
		for i, n := range numbers {
			part, ok := u.parts[n]
			if !ok || etag(part) != tags[i] || i < len(numbers)-1 && int64(len(part)) < s.MinPart {
				return ErrInvalidPart
			}
			data = append(data, part...)
		}
		delete(s.uploads, id)
		s.objects[key] = &entry{data: data, etag: CompleteTag(tags), late: s.Late}
		return nil
	})
}

// CompleteTag is the entity tag that a completed upload of these parts gets.
func CompleteTag(tags []string) string {
	return fmt.Sprintf("%s-%d", etag([]byte(strings.Join(tags, ""))), len(tags))
}

// Uploads lists the multipart uploads of a key.
func (s *Server) Uploads(key string) (ids []string, err error) {
	err = s.do("uploads", key, func() error {
		for id, u := range s.uploads {
			if u.key == key {
				ids = append(ids, id)
			}
		}
		return nil
	})
	return ids, err
}

// Abort forgets a multipart upload; an unknown one is none the worse for it.
func (s *Server) Abort(key, id string) error {
	return s.do("abort", key, func() error {
		delete(s.uploads, id)
		return nil
	})
}

// Left counts what is in the store: objects, and multipart uploads that were neither completed nor aborted.
func (s *Server) Left() (objects, uploads int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.objects), len(s.uploads)
}

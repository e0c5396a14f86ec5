// Package reference is the least a registry over net/http can do: no authentication, no database, manifests in
// memory, blobs in a folder. The benchmark holds other registries against it, so that figures are ratios that mean
// the same on every machine.
//
// With Sync it is also the least that keeps what it acknowledged: each blob's file and folder are synced before the
// answer, and one record is appended to a log and synced for each acknowledged blob and manifest.
package reference

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
)

type manifest struct {
	mediaType, digest string
	bytes             []byte
}

type repository struct {
	manifests map[string]manifest // by digest
	tags      map[string]string   // name → digest
	sorted    []string            // tag names, kept in order
}

// Server is an http.Handler for /v2.
type Server struct {
	root string
	sync bool

	mu    sync.RWMutex
	repos map[string]*repository

	logMu sync.Mutex
	log   *os.File
}

// New makes a server over an empty folder.
func New(root string, syncs bool) (*Server, error) {
	for _, d := range []string{"blobs", "uploads"} {
		if err := os.MkdirAll(filepath.Join(root, d), 0o755); err != nil {
			return nil, err
		}
	}
	log, err := os.OpenFile(filepath.Join(root, "log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return nil, err
	}
	return &Server{root: root, sync: syncs, repos: map[string]*repository{}, log: log}, nil
}

// ServeHTTP answers the part of the distribution specification that the benchmark uses.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path := strings.TrimPrefix(r.URL.Path, "/v2/")
	if name, rest, ok := cut(path, "/blobs/uploads/"); ok {
		s.upload(w, r, name, rest)
		return
	}
	if _, digest, ok := cut(path, "/blobs/"); ok {
		s.blob(w, r, digest)
		return
	}
	if name, ref, ok := cut(path, "/manifests/"); ok {
		s.manifest(w, r, name, ref)
		return
	}
	if name, _, ok := cut(path, "/tags/"); ok {
		s.tags(w, r, name)
		return
	}
	w.WriteHeader(http.StatusOK)
}

func cut(path, at string) (before, after string, ok bool) {
	i := strings.LastIndex(path, at)
	if i < 0 {
		return "", "", false
	}
	return path[:i], path[i+len(at):], true
}

func (s *Server) upload(w http.ResponseWriter, r *http.Request, name, id string) {
	digest := r.URL.Query().Get("digest")
	if r.Method == http.MethodPost && digest == "" {
		id := rand.Text()
		w.Header().Set("Location", "/v2/"+name+"/blobs/uploads/"+id)
		w.WriteHeader(http.StatusAccepted)
		return
	}
	if r.Method == http.MethodPost {
		id = rand.Text()
	}
	file, err := os.OpenFile(filepath.Join(s.root, "uploads", filepath.Base(id)), os.O_CREATE|os.O_RDWR|os.O_APPEND, 0o644)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	defer file.Close()
	hash := sha256.New()
	if r.Method == http.MethodPut {
		if _, err := io.Copy(hash, file); err != nil { // what earlier PATCHes brought
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
	}
	buffer := make([]byte, 256<<10)
	n, err := io.CopyBuffer(struct{ io.Writer }{io.MultiWriter(file, hash)}, struct{ io.Reader }{r.Body}, buffer)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	if r.Method == http.MethodPatch {
		w.Header().Set("Location", r.URL.Path)
		w.Header().Set("Range", fmt.Sprintf("0-%d", n-1))
		w.WriteHeader(http.StatusAccepted)
		return
	}
	if got := "sha256:" + hex.EncodeToString(hash.Sum(nil)); got != digest {
		http.Error(w, "digest is "+got, http.StatusBadRequest)
		return
	}
	if err := s.publish(file, digest); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Location", "/v2/"+name+"/blobs/"+digest)
	w.Header().Set("Docker-Content-Digest", digest)
	w.WriteHeader(http.StatusCreated)
}

func (s *Server) publish(file *os.File, digest string) error {
	final := s.blobPath(digest)
	if err := os.MkdirAll(filepath.Dir(final), 0o755); err != nil {
		return err
	}
	if s.sync {
		if err := file.Sync(); err != nil {
			return err
		}
	}
	if err := os.Rename(file.Name(), final); err != nil {
		return err
	}
	if !s.sync {
		return nil
	}
	folder, err := os.Open(filepath.Dir(final))
	if err != nil {
		return err
	}
	defer folder.Close()
	if err := folder.Sync(); err != nil {
		return err
	}
	return s.append(digest)
}

// append records an acknowledged object.
func (s *Server) append(record string) error {
	if !s.sync {
		return nil
	}
	s.logMu.Lock()
	defer s.logMu.Unlock()
	if _, err := s.log.WriteString(record + "\n"); err != nil {
		return err
	}
	return s.log.Sync()
}

func (s *Server) blobPath(digest string) string {
	encoded := filepath.Base(strings.TrimPrefix(digest, "sha256:"))
	return filepath.Join(s.root, "blobs", encoded[:min(2, len(encoded))], encoded)
}

func (s *Server) blob(w http.ResponseWriter, r *http.Request, digest string) {
	file, err := os.Open(s.blobPath(digest))
	if err != nil {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Content-Length", strconv.FormatInt(info.Size(), 10))
	w.Header().Set("Docker-Content-Digest", digest)
	if r.Method == http.MethodGet {
		_, _ = io.Copy(w, io.LimitReader(file, info.Size()))
	}
}

func (s *Server) manifest(w http.ResponseWriter, r *http.Request, name, ref string) {
	if r.Method == http.MethodPut {
		s.putManifest(w, r, name, ref)
		return
	}
	s.mu.RLock()
	var m manifest
	if repo := s.repos[name]; repo != nil {
		if d, ok := repo.tags[ref]; ok {
			ref = d
		}
		m = repo.manifests[ref]
	}
	s.mu.RUnlock()
	if m.digest == "" {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	w.Header().Set("Content-Type", m.mediaType)
	w.Header().Set("Content-Length", strconv.Itoa(len(m.bytes)))
	w.Header().Set("Docker-Content-Digest", m.digest)
	if r.Method == http.MethodGet {
		_, _ = w.Write(m.bytes)
	}
}

func (s *Server) putManifest(w http.ResponseWriter, r *http.Request, name, ref string) {
	b, err := io.ReadAll(io.LimitReader(r.Body, 4<<20))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	sum := sha256.Sum256(b)
	m := manifest{mediaType: r.Header.Get("Content-Type"), digest: "sha256:" + hex.EncodeToString(sum[:]), bytes: b}
	s.mu.Lock()
	repo := s.repos[name]
	if repo == nil {
		repo = &repository{manifests: map[string]manifest{}, tags: map[string]string{}}
		s.repos[name] = repo
	}
	repo.manifests[m.digest] = m
	if !strings.Contains(ref, ":") {
		if _, known := repo.tags[ref]; !known {
			i, _ := slices.BinarySearch(repo.sorted, ref)
			repo.sorted = slices.Insert(repo.sorted, i, ref)
		}
		repo.tags[ref] = m.digest
	}
	s.mu.Unlock()
	if err := s.append(name + " " + ref + " " + m.digest); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Location", "/v2/"+name+"/manifests/"+m.digest)
	w.Header().Set("Docker-Content-Digest", m.digest)
	w.WriteHeader(http.StatusCreated)
}

func (s *Server) tags(w http.ResponseWriter, r *http.Request, name string) {
	n, err := strconv.Atoi(r.URL.Query().Get("n"))
	if err != nil {
		n = 1000
	}
	last := r.URL.Query().Get("last")
	s.mu.RLock()
	var page []string
	if repo := s.repos[name]; repo != nil {
		i, found := slices.BinarySearch(repo.sorted, last)
		if found {
			i++
		}
		page = slices.Clone(repo.sorted[i:min(i+n, len(repo.sorted))])
		if i+n < len(repo.sorted) {
			w.Header().Set("Link", fmt.Sprintf(`</v2/%s/tags/list?n=%d&last=%s>; rel="next"`, name, n, page[len(page)-1]))
		}
	}
	s.mu.RUnlock()
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]any{"name": name, "tags": page})
}

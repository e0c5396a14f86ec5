package fs_test

import (
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/uuid"
	"pgregory.net/rapid"

	"github.com/longshore-registry/longshore/internal/content"
	"github.com/longshore-registry/longshore/internal/content/fs"
	"github.com/longshore-registry/longshore/internal/digest"
	"github.com/longshore-registry/longshore/internal/problem"
)

func TestPathsThatLeaveTheFolderAreRefused(t *testing.T) {
	outer := t.TempDir()
	root := filepath.Join(outer, "root")
	d := open(t, fs.Options{Root: root})
	canary := filepath.Join(outer, "canary")
	if err := os.WriteFile(canary, []byte("do not touch"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, p := range []string{
		"", ".", "..", "/", "../canary", "sha256/../../canary", "/etc/passwd", canary, "./sha256", "sha256//ab", "sha256/ab/",
		"uploads/..", "uploads/\x00", `..\canary`, `sha256\..\..\canary`,
	} {
		if o, err := d.Open(t.Context(), p); err == nil {
			o.Close()
			t.Errorf("Open of %q succeeded", p)
		}
		if _, err := d.Stat(t.Context(), p); err == nil {
			t.Errorf("Stat of %q succeeded", p)
		}
		if err := d.Delete(t.Context(), p); err == nil {
			t.Errorf("Delete of %q succeeded", p)
		}
		s := content.Session{ID: "x", Path: p}
		if w, err := d.Resume(t.Context(), s); err == nil {
			w.Close()
			t.Errorf("Resume of %q succeeded", p)
		}
		if err := d.Abandon(t.Context(), s); err == nil {
			t.Errorf("Abandon of %q succeeded", p)
		}
	}
	if _, err := d.Start(t.Context(), "../../x"); err == nil {
		t.Error("Start with a path as identifier succeeded")
	}
	if b, err := os.ReadFile(canary); err != nil || string(b) != "do not touch" {
		t.Errorf("the file outside: %q, %v", b, err)
	}
}

func TestAnyAcceptedPathIsInsideTheFolder(t *testing.T) {
	root := filepath.Join(t.TempDir(), "root")
	d := open(t, fs.Options{Root: root})
	rapid.Check(t, func(t *rapid.T) {
		segment := rapid.OneOf(
			rapid.SampledFrom([]string{"", ".", "..", "...", "sha256", "uploads", "%2e%2e", "‥", "~", "C:", "a\x00b", `\`, " "}),
			rapid.String(),
		)
		p := strings.Join(rapid.SliceOfN(segment, 0, 6).Draw(t, "segments"), rapid.SampledFrom([]string{"/", `\`, "//"}).Draw(t, "separator"))
		name, err := d.Resolve(p)
		if err != nil {
			return
		}
		if rel, err := filepath.Rel(root, name); err != nil || rel == "." || !filepath.IsLocal(rel) || filepath.Clean(name) != name {
			t.Fatalf("%q means %q", p, name)
		}
	})
}

func TestAnyDigestAndIdentifierIsPublishedInsideTheFolder(t *testing.T) {
	root := t.TempDir()
	d := open(t, fs.Options{Root: root})
	rapid.Check(t, func(rt *rapid.T) {
		alg := rapid.SampledFrom([]digest.Algorithm{digest.SHA256, digest.SHA512}).Draw(rt, "algorithm")
		s, err := d.Start(t.Context(), uuid.NewString())
		if err != nil {
			rt.Fatal(err)
		}
		path, err := d.Publish(t.Context(), s, alg.Of(rapid.SliceOf(rapid.Byte()).Draw(rt, "content")))
		if err != nil {
			rt.Fatal(err)
		}
		name, err := d.Resolve(path)
		if err != nil || !strings.HasPrefix(name, filepath.Join(root, alg.String())+string(filepath.Separator)) {
			rt.Fatalf("published as %q, which means %q, %v", path, name, err)
		}
		if err := d.Delete(t.Context(), path); err != nil {
			rt.Fatal(err)
		}
	})
}

// TestObjectIsSentByTheKernel checks what package net asks before it calls sendfile, and that limits and positions are
// respected on the way.
func TestObjectIsSentByTheKernel(t *testing.T) {
	d := open(t, fs.Options{Root: t.TempDir()})
	path, err := d.Publish(t.Context(), upload(t, d, "0123456789"), digest.SHA256.Of([]byte("0123456789")))
	if err != nil {
		t.Fatal(err)
	}
	o, err := d.Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer o.Close()
	if _, ok := o.(syscall.Conn); !ok {
		t.Error("the object is no syscall.Conn: it would be copied through memory")
	}
	if f := content.File(o); f == nil {
		t.Error("the object gives no file")
	}
	if _, err := o.Seek(3, io.SeekStart); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	sent := make(chan error, 1)
	go func() {
		c, err := net.Dial("tcp", l.Addr().String())
		if err == nil {
			_, err = c.(*net.TCPConn).ReadFrom(io.LimitReader(o, 4))
			c.Close()
		}
		sent <- err
	}()
	c, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	got, err := io.ReadAll(c)
	if err := <-sent; err != nil {
		t.Error(err)
	}
	if err != nil || string(got) != "3456" {
		t.Errorf("received %q, %v", got, err)
	}
}

func TestRoot(t *testing.T) {
	dir := t.TempDir()
	root := filepath.Join(dir, "not", "there", "yet")
	open(t, fs.Options{Root: root})
	open(t, fs.Options{Root: root})
	if info, err := os.Stat(filepath.Join(root, "uploads")); err != nil || !info.IsDir() {
		t.Errorf("uploads: %v", err)
	}
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"", file, filepath.Join(file, "below")} {
		if _, err := fs.New(fs.Options{Root: name}); !problem.Is(err, problem.Invalid) || !strings.Contains(err.Error(), name) {
			t.Errorf("New with %q: %v", name, err)
		}
	}
}

package fs

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"

	"github.com/longshore-registry/longshore/internal/content"
	"github.com/longshore-registry/longshore/internal/digest"
	"github.com/longshore-registry/longshore/internal/problem"
)

// Publish is the one recipe for a durable write. The content, complete and verified by the caller, gets its final name
// by a rename, so that nobody sees half of it; then content and folder are synced, at the same time, since neither
// needs the other: a power cut before both are done leaves a file that no row names.
//
// A sync that failed is never repeated. The kernel may have dropped the pages it could not write, and a second call
// would succeed without them; so the file goes, under both names, and the client sends its content again.
func (d *Driver) Publish(ctx context.Context, s content.Session, dg digest.Digest) (string, error) {
	final := objectPath(s, dg)
	f, err := d.rename(s, final)
	if err != nil {
		closeFile(f)
		return "", d.explain(err)
	}
	defer f.Close()
	dir := make(chan error, 1)
	go func() { dir <- d.dirs.sync(path.Dir(final)) }()
	if err := errors.Join(f.Sync(), <-dir); err != nil {
		s.Object = final
		err = errors.Join(err, d.Abandon(ctx, s))
		return "", problem.Wrap(err, problem.Internal, "the content of upload %s could not be written to disk: send it again", s.ID)
	}
	return final, nil
}

// objectPath is Quay's path of a digest, made unique by the name of the upload's file.
func objectPath(s content.Session, d digest.Digest) string {
	hex := d.Hex()
	return path.Join(d.Algorithm().String(), hex[:2], hex+"."+path.Base(s.Path))
}

// rename gives the upload's file its final name, if it has not got it already, and exactly its size.
func (d *Driver) rename(s content.Session, final string) (File, error) {
	to, err := d.file(final)
	if err != nil {
		return nil, err
	}
	from, err := d.file(s.Path)
	if err != nil {
		return nil, err
	}
	f, err := d.system.Write(from)
	renamed := false
	if errors.Is(err, fs.ErrNotExist) {
		f, err = d.system.Write(to) // renamed by a Publish that did not come to its end, or whose caller did not
		renamed = err == nil
	}
	if errors.Is(err, fs.ErrNotExist) && s.Size == 0 {
		f, err = d.create(s.Path) // nothing is lost with an empty file
	}
	if err != nil {
		return nil, lost(err)
	}
	if err := cut(f, s.Size); err != nil {
		return f, err
	}
	if err := d.dirs.make(path.Dir(final)); err != nil || renamed {
		return f, err
	}
	return f, d.system.Rename(from, to)
}

// Reclaim undoes the rename. It is not synced: after a power cut the file may be where Reclaim found it.
func (d *Driver) Reclaim(ctx context.Context, s content.Session, dg digest.Digest) error {
	to, err := d.file(s.Path)
	if err != nil {
		return err
	}
	if _, err := d.system.Stat(to); !errors.Is(err, fs.ErrNotExist) {
		return errors.Join(content.ErrLost, err) // it is there, so this is not what it lacks
	}
	if !dg.IsZero() {
		from, err := d.file(objectPath(s, dg))
		if err != nil {
			return err
		}
		if err := d.system.Rename(from, to); !errors.Is(err, fs.ErrNotExist) {
			return d.explain(err)
		}
	}
	found, err := d.search(ctx, path.Base(s.Path))
	if err != nil {
		return err
	}
	for _, p := range found {
		from, err := d.file(p)
		if err != nil {
			return err
		}
		return d.explain(lost(d.system.Rename(from, to)))
	}
	return fmt.Errorf("%w: it was not published either", content.ErrLost)
}

// Abandon removes the upload's file, or the object it became. Where the file is missing and nobody knows under which
// digest it was published, which takes a process that died between the rename and the commit, the folders are searched.
func (d *Driver) Abandon(ctx context.Context, s content.Session) error {
	name, err := d.file(s.Path)
	if err != nil {
		return err
	}
	err = d.system.Remove(name)
	missing := errors.Is(err, fs.ErrNotExist)
	if err != nil && !missing {
		return d.explain(err)
	}
	switch {
	case s.Object != "":
		return d.Delete(ctx, s.Object)
	case missing:
		return d.abandonPublished(ctx, path.Base(s.Path))
	}
	return nil
}

func (d *Driver) abandonPublished(ctx context.Context, suffix string) error {
	found, err := d.search(ctx, suffix)
	if err != nil || len(found) == 0 {
		return err
	}
	return d.Delete(ctx, found...)
}

// search finds the objects that an upload's file became, by reading the names in all folders of objects.
func (d *Driver) search(ctx context.Context, suffix string) ([]string, error) {
	var all []string
	for _, alg := range []digest.Algorithm{digest.SHA256, digest.SHA512} {
		for i := range 256 {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			found, err := d.namesWith(path.Join(alg.String(), fmt.Sprintf("%02x", i)), 2*alg.Size(), suffix)
			if err != nil {
				return nil, err
			}
			all = append(all, found...)
		}
	}
	return all, nil
}

// namesWith lists the paths of a folder whose names are so many digits, a point and the suffix.
func (d *Driver) namesWith(dir string, digits int, suffix string) ([]string, error) {
	name, err := d.file(dir)
	if err != nil {
		return nil, err
	}
	names, err := d.system.Names(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var found []string
	for _, n := range names {
		if len(n) > digits && n[digits:] == "."+suffix {
			found = append(found, path.Join(dir, n))
		}
	}
	return found, d.explain(err)
}

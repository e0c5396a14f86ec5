package content

import (
	"context"
	"fmt"

	"github.com/google/uuid"

	"github.com/longshore-registry/longshore/internal/db"
	"github.com/longshore-registry/longshore/internal/problem"
)

// place is a location with its row.
type place struct {
	id     int64
	name   string
	marker string // of the folder; empty where the driver is none
	driver Driver
	files  Files // nil when the driver is none
}

// add registers a location. The row is looked for first, so that an ordinary start writes nothing.
func (s *Store) add(ctx context.Context, l Location) error {
	p := &place{name: l.Name, driver: l.Driver}
	p.files, _ = l.Driver.(Files)
	err := p.load(ctx, s.db)
	if noRows(err) {
		err = s.db.Hard(ctx, "register storage location", func(ctx context.Context, tx db.Tx) error {
			if _, err := tx.Exec(ctx, `INSERT INTO storage_location (name) VALUES ($1) ON CONFLICT (name) DO NOTHING`, l.Name); err != nil {
				return err
			}
			return p.load(ctx, tx)
		})
	}
	if err != nil {
		return err
	}
	if s.byID[p.id] != nil {
		return problem.New(problem.Invalid, "storage location %q is named twice", l.Name)
	}
	if p.files != nil {
		if err := s.recognise(ctx, p); err != nil {
			return err
		}
	}
	s.places = append(s.places, p)
	s.byID[p.id] = p
	return nil
}

func (p *place) load(ctx context.Context, q db.Queryer) error {
	return q.QueryRow(ctx, `SELECT id, COALESCE(marker, '') FROM storage_location WHERE name = $1`, p.name).Scan(&p.id, &p.marker)
}

// recognise makes sure that a folder is the one whose objects the rows name: one that is not mounted looks like one that
// lost everything. A folder bears a name, which the row knows. One without it is named if there is nothing to lose, or if
// some of the objects are found there: paths are used once, so they lie nowhere else. A named folder of which no object is
// known keeps its name, since another location, or another installation, may use it too.
func (s *Store) recognise(ctx context.Context, p *place) error {
	m, err := p.files.Marker(ctx)
	if err != nil || m.Name != "" && m.Name == p.marker {
		return err
	}
	known, there, err := s.sample(ctx, p)
	if err != nil {
		return err
	}
	old := p.marker
	switch {
	case m.Name != "" && (!known || old == "" && there):
		err = s.name(ctx, p, m.Name)
	case old == "":
		err = s.name(ctx, p, uuid.NewString())
	}
	switch {
	case err != nil:
		return err
	case m.Name == p.marker:
		return nil
	case m.Name == "" && (!known || there):
		if known {
			s.log.Warn("a storage folder bore no name; it was known by its objects", "location", p.name, "file", m.File)
		}
		return p.files.Mark(ctx, p.marker)
	}
	return p.elsewhere(m)
}

// name gives a location's row the name of its folder, unless another process has just given it one.
func (s *Store) name(ctx context.Context, p *place, name string) error {
	before := p.marker
	return s.db.Hard(ctx, "name storage location", func(ctx context.Context, tx db.Tx) error {
		if _, err := tx.Exec(ctx, `UPDATE storage_location SET marker = $2 WHERE id = $1 AND COALESCE(marker, '') = $3`, p.id, name, before); err != nil {
			return err
		}
		return p.load(ctx, tx)
	})
}

// sample looks for some of the objects that a location should hold: whether any is known, and whether any is there.
func (s *Store) sample(ctx context.Context, p *place) (known, there bool, err error) {
	rows, err := s.db.Query(ctx, `SELECT o.path, b.size FROM blob_object o JOIN blob b ON b.id = o.blob_id
		WHERE o.location_id = $1 AND o.state IN ($2, $3) ORDER BY o.path LIMIT $4`, p.id, objectLive, objectBad, batch)
	if err != nil {
		return false, false, err
	}
	defer rows.Close()
	for rows.Next() && !there {
		var path string
		var size int64
		if err := rows.Scan(&path, &size); err != nil {
			return known, false, err
		}
		known = true
		found, err := p.driver.Stat(ctx, path)
		there = err == nil && found == size
	}
	return known, there, rows.Err()
}

// elsewhere is the error of a folder that is not the one whose objects the rows name.
func (p *place) elsewhere(m Marker) error {
	found := "is missing"
	if m.Name != "" {
		found = fmt.Sprintf("names %q", clip(m.Name))
	}
	return problem.New(problem.Unavailable, "storage location %q does not hold this registry's objects: the file %s should name %q and %s. "+
		"Mount the storage, or correct its path. If it is the right folder, write that name into the file: what is not there then counts as lost until it is pushed again",
		p.name, m.File, p.marker, found)
}

// present reports whether a location is there and can be written. Nothing that is missing in another one's place is lost.
func (p *place) present(ctx context.Context) error {
	if err := p.recognised(ctx); err != nil {
		return err
	}
	return p.driver.Check(ctx)
}

// recognised reports whether a folder still bears its name.
func (p *place) recognised(ctx context.Context) error {
	if p.files == nil {
		return nil
	}
	m, err := p.files.Marker(ctx)
	if err == nil && m.Name != p.marker {
		err = p.elsewhere(m)
	}
	return err
}

// place finds a configured location by name.
func (s *Store) place(name string) (*place, error) {
	for _, p := range s.places {
		if p.name == name {
			return p, nil
		}
	}
	return nil, problem.New(problem.Internal, "storage location %q is not configured", name)
}

// Check reports whether blobs can be stored now.
func (s *Store) Check(ctx context.Context) error { return s.places[0].present(ctx) }

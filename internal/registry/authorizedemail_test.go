package registry_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/longshore-registry/longshore/internal/db"
	"github.com/longshore-registry/longshore/internal/db/dbtest"
	"github.com/longshore-registry/longshore/internal/problem"
)

// TestAnAddressIsAuthorizedByItsCode holds that a code authorizes the one address of the one repository that it belongs
// to, as often as the link is opened, and none once the repository is gone.
func TestAnAddressIsAuthorizedByItsCode(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := newFixture(t, d)
		other := f.repository(f.account("zeta", 2), "deep/er")
		for _, row := range []struct {
			repo        int64
			email, code string
		}{
			{f.repo.ID, "ops@example.com", "first"}, {f.repo.ID, "dev@example.com", "second"}, {other.ID, "ops@example.com", "third"},
		} {
			f.id(`INSERT INTO repository_authorized_email (repo_id, email, code) VALUES ($1, $2, $3) RETURNING repo_id`, row.repo, row.email, row.code)
		}
		for range 2 {
			repository, email, err := f.reg.AuthorizeEmail(t.Context(), "third")
			if err != nil || repository != "zeta/deep/er" || email != "ops@example.com" {
				t.Fatalf("%s %s %v", repository, email, err)
			}
		}
		for _, code := range []string{"", "Third", "third ", "%", "fourth"} {
			if _, _, err := f.reg.AuthorizeEmail(t.Context(), code); !problem.Is(err, problem.NotFound) {
				t.Errorf("the code %q: %v", code, err)
			}
		}
		if diff := cmp.Diff([]string{"third"}, f.authorized()); diff != "" {
			t.Errorf("what is authorized (-want +got):\n%s", diff)
		}
		if err := f.reg.DeleteRepository(t.Context(), f.repo.ID); err != nil {
			t.Fatal(err)
		}
		if _, _, err := f.reg.AuthorizeEmail(t.Context(), "first"); !problem.Is(err, problem.NotFound) {
			t.Errorf("of a repository that was deleted: %v", err)
		}
		if diff := cmp.Diff([]string{"third"}, f.authorized()); diff != "" {
			t.Errorf("what is authorized after the deletion (-want +got):\n%s", diff)
		}
	})
}

// authorized are the codes whose addresses may be told, in order.
func (f *fixture) authorized() (codes []string) {
	f.t.Helper()
	rows, err := f.db.Query(f.t.Context(), `SELECT code FROM repository_authorized_email WHERE confirmed = 1 ORDER BY code`)
	if err != nil {
		f.t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var code string
		if err := rows.Scan(&code); err != nil {
			f.t.Fatal(err)
		}
		codes = append(codes, code)
	}
	return codes
}

package app

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/longshore-registry/longshore/internal/config"
	"github.com/longshore-registry/longshore/internal/db/dbtest"
)

// TestAPullIsSeenInTheStatistics pushes and pulls over HTTP, through the whole program, and reads what the API tells.
func TestAPullIsSeenInTheStatistics(t *testing.T) {
	for _, kind := range dbtest.Kinds() {
		t.Run(string(kind), func(t *testing.T) {
			x := startTarget(t, kind, func(c *config.Config) { c.Tags.CountPulls = true })
			for _, reference := range []string{"v1", "v1", x.image.String()} {
				x.must(t, attack{who: "alice", scope: "alice/app", method: "GET", path: "/v2/alice/app/manifests/" + reference}, 200)
			}
			told := func(path string, status int) string {
				return string(x.must(t, attack{session: &x.session, method: "GET", path: path}, status).body)
			}
			const repository = "/api/v1/repository/alice/app"
			for deadline := time.Now().Add(15 * time.Second); ; time.Sleep(20 * time.Millisecond) {
				if strings.Contains(told(repository+"/manifest/"+x.image.String()+"/pull_statistics", 200), `"manifest_pull_count":3`) {
					break
				}
				if time.Now().After(deadline) {
					t.Fatal("three pulls are not counted within 15 s")
				}
			}
			if got := told(repository+"/tag/v1/pull_statistics", 200); !strings.Contains(got, `"tag_pull_count":2`) {
				t.Errorf("the tag's statistics: %s", got)
			}
			// Three pulls and the push that made the tag.
			if got := told("/api/v1/repository?namespace=alice&popularity=true", 200); !strings.Contains(got, `"popularity":4`) {
				t.Errorf("the list: %s", got)
			}
			if got := told(repository+"?includeStats=true", 200); !strings.Contains(got, fmt.Sprintf(`{"date":%q,"count":4}`, time.Now().UTC().Format(time.DateOnly))) {
				t.Errorf("the repository: %s", got)
			}
		})
	}
}

func TestPullStatisticsAreOffByDefault(t *testing.T) {
	x := startTarget(t, dbtest.SQLite, nil)
	for _, of := range []string{"tag/v1", "manifest/" + x.image.String()} {
		x.must(t, attack{session: &x.session, method: "GET", path: "/api/v1/repository/alice/app/" + of + "/pull_statistics"}, 404)
	}
}

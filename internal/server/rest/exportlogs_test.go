package rest

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/longshore-registry/longshore/internal/db"
	"github.com/longshore-registry/longshore/internal/db/dbtest"
	"github.com/longshore-registry/longshore/internal/server/logexport"
)

// TestAnExportIsToldServedAndRecorded goes from the request over the callback to the file and the entry about it.
func TestAnExportIsToldServedAndRecorded(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		told := make(chan logexport.Result, 1)
		hook := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			var result logexport.Result
			if err := json.NewDecoder(r.Body).Decode(&result); err != nil {
				t.Error(err)
			}
			told <- result
		}))
		t.Cleanup(hook.Close)
		w := newWorld(t, d, func(s *settings) { s.callable = []string{"127.0.0.1"} })
		w.user("alice")
		w.organization("acme", "alice")
		alice := w.session("alice")
		a := alice.do(http.MethodPost, "/api/v1/organization/acme/exportlogs", `{"callback_url":"`+hook.URL+`"}`)
		var out struct {
			ID string `json:"export_id"`
		}
		if err := json.Unmarshal([]byte(a.body), &out); err != nil || a.status != http.StatusOK {
			t.Fatalf("%d %s", a.status, a.body)
		}
		var result logexport.Result
		select {
		case result = <-told:
		case <-time.After(time.Minute):
			t.Fatal("the callback was not called")
		}
		if result.ID != out.ID || result.Status != "success" || result.URL == nil || *result.URL != "http://registry.test/exportedlogs/"+out.ID || *result.Namespace != "acme" {
			t.Errorf("%+v", result)
		}
		fetch := func(id string) *httptest.ResponseRecorder {
			r := httptest.NewRequest(http.MethodGet, "/exportedlogs/"+id, nil)
			r.SetPathValue("id", id)
			answer := httptest.NewRecorder()
			w.api.options.Exports.ServeHTTP(answer, r)
			return answer
		}
		var file struct {
			ID   string           `json:"export_id"`
			Logs []map[string]any `json:"logs"`
		}
		if err := json.Unmarshal(fetch(out.ID).Body.Bytes(), &file); err != nil || file.ID != out.ID || len(file.Logs) != 2 ||
			file.Logs[0]["kind"] != "org_create" || file.Logs[1]["terminator"] != true {
			t.Errorf("%+v %v", file, err)
		}
		for _, id := range []string{"00000000-0000-4000-8000-000000000000", "..", "../logs", strings.ToUpper(out.ID)} {
			if got := fetch(id).Code; got != http.StatusNotFound {
				t.Errorf("%q: %d", id, got)
			}
		}
		if a := alice.do(http.MethodGet, "/api/v1/organization/acme/logs", ""); !strings.Contains(a.body, `"export_logs_success"`) || strings.Contains(a.body, out.ID) {
			t.Errorf("the export is not recorded, or its key is: %s", a.body)
		}
		w.pass(logexport.Life)
		if got := fetch(out.ID).Code; got != http.StatusNotFound {
			t.Errorf("after a day: %d", got)
		}
	})
}

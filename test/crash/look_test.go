//go:build e2e

package crash

import (
	"context"
	"fmt"
	"net/http"
	"strings"
)

// seen settles what a request did and, half of the time, reads it back at once: a client sees its own changes, whatever
// the registry remembers from before.
func (a *actor) seen(ctx context.Context, s *setting, r result, err error, want int, refusals ...int) (applied bool, _ error) {
	applied, err = s.answered(r, err, want, refusals...)
	if applied && err == nil && a.random.IntN(2) == 0 {
		err = a.look(ctx, s)
	}
	return applied, err
}

// look reads blobs, manifests and tags that no other client changes.
func (a *actor) look(ctx context.Context, s *setting) error {
	for i, key := range s.keys {
		kind, rest, _ := strings.Cut(key, " ")
		repository, name, _ := strings.Cut(rest, " ")
		if strings.HasPrefix(name, "shared-") {
			continue
		}
		folder := "manifests"
		if kind == "blob" {
			folder = "blobs"
		}
		r, err := a.client.registry(ctx, http.MethodGet, "/v2/"+repository+"/"+folder+"/"+name, nil, nil, repository)
		if err != nil {
			return err
		}
		if want := s.writes[i].value; !r.shows(kind, name, want) {
			return unexpected{fmt.Errorf("%s was set to %.100q, then read as %v", key, want, r)}
		}
	}
	return nil
}

// holds is a setting that was made before. Looking at it makes the registry remember it, just before it changes.
func (a *actor) holds(key, value string) *setting {
	return &setting{journal: a.journal, keys: []string{key}, writes: []*write{{value: value}}}
}

// shows reports whether the answer to a GET says that a register has a value.
func (r result) shows(kind, name, value string) bool {
	if value == "" {
		return r.status == http.StatusNotFound
	}
	has := map[string]string{"blob": name, "manifest": name, "tag": value}[kind]
	return r.status == http.StatusOK && digestOf(r.body) == has
}

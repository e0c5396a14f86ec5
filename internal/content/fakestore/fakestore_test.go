package fakestore_test

import (
	"testing"
	"time"

	"github.com/longshore-registry/longshore/internal/content"
	"github.com/longshore-registry/longshore/internal/content/contenttest"
	"github.com/longshore-registry/longshore/internal/content/fakestore"
)

func TestDriver(t *testing.T) {
	for name, late := range map[string]int{"what was stored is visible at once": 0, "what was stored is visible late": 3} {
		t.Run(name, func(t *testing.T) {
			contenttest.Run(t, func(t *testing.T) contenttest.Subject {
				server := &fakestore.Server{MinPart: 2000, Late: late}
				return contenttest.Subject{
					Open: func() content.Driver {
						return &fakestore.Driver{Server: server, PartSize: 3000, Patience: 5, Pause: time.Microsecond}
					},
					PartBytes: 3000,
					Place: func(path string, data []byte) {
						visible := server.Late
						server.Late = 0
						defer func() { server.Late = visible }()
						if err := server.Put(path, data); err != nil {
							t.Fatal(err)
						}
					},
				}
			})
		})
	}
}

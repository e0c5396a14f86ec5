# Longshore. `make run` builds and serves the registry; `make test` runs the tests.

SHELL   := /bin/bash
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
LDFLAGS := -s -w -X github.com/longshore-registry/longshore/internal/app.version=$(VERSION)
GO      ?= go
DATA    ?= data
LISTEN  ?= 127.0.0.1:8080
# Concurrent packages, tested with the race detector as well.
RACE    := ./internal/content/... ./internal/identity/... ./internal/access/... ./internal/registry/...

export GOWORK := off

.DEFAULT_GOAL := build
.PHONY: run build test e2e crash soak bench lint tools conformance generate clean need

run: build ## build and serve with an embedded database under $(DATA)
	bin/longshore serve --data $(DATA) --listen $(LISTEN)

build: need ## build bin/longshore
	CGO_ENABLED=0 $(GO) build -ldflags '$(LDFLAGS)' -o bin/longshore ./cmd/longshore

need:
	@scripts/need go

test: need ## unit and integration tests on SQLite and PostgreSQL
	@scripts/need postgresql gcc
	@scripts/within 0 'compiling the tests' scripts/test compile $(RACE)
	@scripts/within 480 'make test' scripts/test run $(RACE)

e2e: build tools ## real clients against the real program; crash points
	@scripts/within 1500 'make e2e' test/run e2e

crash: need ## kill -9 at named points, power cuts, faults
	@scripts/within 180 'make crash' test/run crash

soak: build tools ## the same programs with large numbers, by hand: make soak SOAK=20 FUZZTIME=30s
	@SOAK=$(SOAK) FUZZTIME=$(FUZZTIME) test/run soak

bench: build ## ratios to a bare reference server: make bench BENCH='-rows manifest -rounds 7'
	CGO_ENABLED=0 $(GO) run ./bench -longshore bin/longshore $(BENCH)

tools: need ## build the pinned clients that e2e uses
	@scripts/within 0 'make tools' test/run tools

conformance: build ## run built OCI conformance programs: make conformance PROGRAMS='a b'
	$(GO) run ./test/conformance -server bin/longshore $(PROGRAMS)

lint: need ## formatting, vet, house rules
	@test -z "$$(gofmt -l $$(git ls-files '*.go'))" || { echo 'gofmt would change:'; gofmt -l $$(git ls-files '*.go'); exit 1; }
	$(GO) vet ./...
	$(GO) test ./internal/houserules

generate: need ## documentation that is generated from the program's tables
	$(GO) generate ./...

clean:
	rm -rf bin

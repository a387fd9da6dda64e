# Calling make without a target lists what there is.

SHELL       := /bin/bash -o pipefail
.DEFAULT_GOAL := help

GO       ?= go
TOOL     := $(GO) tool -modfile=tools/go.mod
# -race and shuffled order are always on; the seed is printed and can be given back with TESTFLAGS=-shuffle=<seed>.
TESTFLAGS ?= -race -shuffle=on -timeout=15m
FUZZTIME  ?= 5s
CRASHTIME ?= 60
VERSION   ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)

.PHONY: help
help: ## list the targets
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  \033[1mmake %-10s\033[0m %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: demo
demo: ## start gate, desk and sample backend, prove them, stay up
	$(GO) run ./cmd/gatehouse demo

.PHONY: build
build: ## build ./gatehouse
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '-s -w -X main.version=$(VERSION)' -o gatehouse ./cmd/gatehouse

.PHONY: check
check: format vet lint generated modules test ## everything that must be green before a change lands

.PHONY: format
format: ## fail when a file is not gofmt-ed
	@files=$$(gofmt -l $$(git ls-files '*.go')); test -z "$$files" || { echo "run gofmt -w on:"; echo "$$files"; exit 1; }

.PHONY: vet
vet: ## go vet
	$(GO) vet ./...

.PHONY: lint
lint: ## staticcheck, configured in staticcheck.conf
	$(TOOL) staticcheck ./...

.PHONY: generate
generate: ## write again what is generated from the code
	$(GO) generate ./...

.PHONY: generated
generated: ## fail when a generated file is not what the code says
	@.ci/generated

.PHONY: modules
modules: ## check the module cache against go.sum
	$(GO) mod verify

.PHONY: test
test: ## all tests, with the race detector and in shuffled order
	$(GO) test -json $(TESTFLAGS) ./... | $(GO) run ./internal/testlog -allowed-skips .ci/allowed-skips

.PHONY: crash
crash: ## kill the server in a loop under load, for CRASHTIME seconds (default 60)
	GATEHOUSE_CRASH_SECONDS=$(CRASHTIME) $(GO) test ./cmd/gatehouse -count=1 -v -run 'TestKillUnderLoad|TestFullDisk'

.PHONY: fuzz
fuzz: ## every fuzz target for FUZZTIME (default 5s)
	@.ci/fuzz $(FUZZTIME)

.PHONY: bench
bench: ## the speed kit: ratios of one run, see bench/README.md
	$(GO) run ./bench $(BENCHFLAGS)

.PHONY: bench-write
bench-write: ## measure and write the table into bench/README.md
	$(GO) run ./bench -write $(BENCHFLAGS)

.PHONY: vuln
vuln: ## look the dependencies up in the Go vulnerability database (needs the network)
	$(TOOL) govulncheck ./...

# Bare `make` lists the targets. Those that build install first what a bare Debian 12 or Ubuntu lacks.
# WAIT=SECONDS is how long a node stays away in latency and drill. Drills take FOR (the same), USERS, DURATION and SEED.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

scripts := deployments/scripts
# nomsgpack drops a codec of Gin's that nothing here speaks, and half of the gateway's size with it.
tags := -tags nomsgpack
build := go build $(tags) -trimpath -ldflags "-s -w"
gotest := go test -json $(tags)
tally := go run ./tests/tally
compose := $$(command -v docker-compose || echo docker compose)

# Asked anew for each command, as only deps may have installed the library.
export CGO_CFLAGS = $(shell $(scripts)/cflags.sh)

.PHONY: help
help:
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: deps
deps: ## install the packages that a build needs (RocksDB's headers, a C++ compiler); says what it installs
	@$(scripts)/deps.sh

.PHONY: build
build: deps ## build bin/gateway, bin/dbnode and bin/dyad
	$(build) -o bin/ ./gateway/cmd/gateway ./dbnode/cmd/dbnode
	$(build) -o bin/dyad ./ctl

.PHONY: run
run: build ## build, then run a whole cluster here: a gateway on 127.0.0.1:8080, three nodes, data in ./data
	@exec bin/dyad dev

# vet and test with the same flags, so that they share what they compile. Everything is compiled first, and
# then one package runs at a time: whole clusters are no fair test while a compiler has the processors. A run of
# the simulator is one goroutine: the race detector would find nothing there, and keeps what each coroutine cost.
.PHONY: test
test: deps ## vet and run all tests under the race detector; ends with how many passed
	go vet -race $(tags) ./...
	go test -race $(tags) -run '^$$' ./... >/dev/null
	{ failed=; \
	  $(gotest) -race -p 1 -timeout 10m $$(go list $(tags) ./... | grep -v /tests/sim) || failed=1; \
	  $(gotest) -p 1 -timeout 20m ./tests/sim/... || failed=1; \
	  [ -z "$$failed" ]; } | $(tally)

.PHONY: sim
sim: ## explore fresh seeds of the simulator for DURATION (2m), or replay SEED with its trace
	@go run $(tags) ./tests/sim/cmd/sim -duration $(or $(DURATION),2m) -seed $(or $(SEED),0)

.PHONY: sim-bugs
sim-bugs: ## have the simulator find every bug planted in a copy of the code, each within 10 minutes (NAME: that one)
	@go run $(tags) ./tests/sim/cmd/bugs -name "$(NAME)" -duration $(or $(DURATION),10m)

.PHONY: cover
cover: deps ## run all tests and print how much of each function they reach
	go test $(tags) -timeout 10m -coverpkg=./... -coverprofile=coverage.out ./...
	go tool cover -func=coverage.out

.PHONY: latency
latency: deps ## stop a node under load and start it again: every request answered, and under 250 ms (WAIT=10)
	DYAD_LATENCY=1 DYAD_WAIT=$(or $(WAIT),10) $(gotest) -v -count=1 -timeout 10m ./tests/latency/... | $(tally) -v

.PHONY: drills
drills: ## list the drills
	@awk -F '"' '/^\t\t\{"[a-z-]+", / { printf "  make drill NAME=%-16s %s\n", $$2, $$4 }' tests/drills/drills_test.go

# Those of docker-compose need its images, those that cut the network the tools for it.
drill := $(or $(NAME),compose)
.PHONY: drill
drill: deps $(if $(filter compose%,$(drill)),images) ## run the drill NAME (compose): faults under load, every answer checked
	@$(if $(filter cut hour,$(drill)),$(scripts)/drill-deps.sh)
	DYAD_DRILL=$(drill) DYAD_FOR=$(or $(FOR),$(WAIT)) DYAD_USERS=$(USERS) DYAD_DURATION=$(DURATION) DYAD_SEED=$(SEED) \
	  $(gotest) -v -count=1 -timeout 6h -run '^TestDrill$$' ./tests/drills | $(tally) -v

# The metamorphic test is part of the storage contract; whole nodes are among the tests of programs.
.PHONY: storage
storage: deps ## prove the store: HISTORIES=300, KILLS=300, ERRORS=100, CUTS=100, NODE_ERRORS=5, NODE_CUTS=5 rounds
	{ failed=; \
	  $(gotest) -v -count=1 -timeout 1h -run '^TestContract$$/^model$$' ./dbnode/store/rocks \
	    -rapid.checks $(or $(HISTORIES),300) -rapid.steps 120 -rapid.seed $(or $(SEED),0) || failed=1; \
	  DYAD_KILLS=$(or $(KILLS),300) DYAD_ERRORS=$(or $(ERRORS),100) DYAD_CUTS=$(or $(CUTS),100) DYAD_SEED=$(SEED) \
	    $(gotest) -v -count=1 -timeout 1h ./tests/storage/... || failed=1; \
	  DYAD_NODE_ERRORS=$(or $(NODE_ERRORS),5) DYAD_NODE_CUTS=$(or $(NODE_CUTS),5) \
	    $(gotest) -v -count=1 -timeout 1h -run '^TestPrograms$$/(sync|power)' ./tests/e2e || failed=1; \
	  [ -z "$$failed" ]; } | $(tally) -v

.PHONY: fuzz
fuzz: deps ## let each fuzz target look for bad inputs for DURATION (30s); prints executions and findings
	@$(scripts)/fuzz.sh $(or $(DURATION),30s)

# What is not right is left in bin/nemesis: each history as a log to be judged again, and as a page.
.PHONY: nemesis
nemesis: deps ## all faults at random under recorded calls, judged (DURATION=10m SEED=n; PLANT=bug must be found)
	@$(scripts)/drill-deps.sh
	mkdir -p bin/nemesis
	DYAD_NEMESIS=1 DYAD_DURATION=$(DURATION) DYAD_SEED=$(SEED) DYAD_PLANT=$(PLANT) $(gotest) -v -count=1 -timeout 6h \
	  -run '^TestNemesis$$' -artifacts -outputdir=$(CURDIR)/bin/nemesis ./tests/nemesis | $(tally) -v

.PHONY: images
images: deps ## build the images; starts a Docker engine and makes the base images where there are none
	@$(scripts)/docker-engine.sh
	@deployments/docker/offline-bases.sh
	GOPROXY="$$(go env GOPROXY)" $(compose) build

.PHONY: lint
lint: deps bin/tools/golangci-lint ## run the linters and check the format
	bin/tools/golangci-lint run
	bin/tools/golangci-lint fmt --diff

.PHONY: fmt
fmt: bin/tools/golangci-lint ## format all Go files
	bin/tools/golangci-lint fmt

.PHONY: generate
generate: bin/tools/mockery ## write the mocks anew after an interface of ours has changed
	bin/tools/mockery --log-level warn

.PHONY: clean
clean: ## remove what was built; ./data stays
	rm -rf bin coverage.out

# Built from source, at the versions of tools/go.mod.
bin/tools/golangci-lint: package := github.com/golangci/golangci-lint/v2/cmd/golangci-lint
bin/tools/mockery: package := github.com/vektra/mockery/v2
bin/tools/golangci-lint bin/tools/mockery: tools/go.mod tools/go.sum
	cd tools && CGO_ENABLED=0 go build -trimpath -ldflags "-s -w" -o ../$@ $(package)

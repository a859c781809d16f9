# `make` prints what there is. Needs Go, make and git; a C compiler and libpcsclite-dev add PC/SC.

GO           ?= go
GO_NEEDED    := 1.26
OUT          := out
BIN          := bin
TOOLS        := $(CURDIR)/$(BIN)/tools
LINT_VERSION := v2.15.0
LINTER       ?= $(TOOLS)/golangci-lint-$(LINT_VERSION)

FUZZTIME     ?= 30s
FUZZJOBS     ?= 1
SOAKTIME     ?= 10m
SOAKRUNS     ?= 20
BENCHTIME    ?= 1s
BENCHCOUNT   ?= 3
BENCHSTRICT  ?= 1
READERS      ?= 4
RACE         ?= auto

export GOTOOLCHAIN := local
export GOFLAGS     := -mod=readonly $(filter-out -mod=%,$(GOFLAGS))

# Libraries in C are left out where they, or a C compiler, are missing. `go env CGO_ENABLED` is 1
# only where there is a compiler. PKCS#11 modules are loaded at run time and need no library here.
HAVE_C    = $(eval HAVE_C := $$(shell test "$$$$($(GO) env CGO_ENABLED)" = 1 && echo yes))$(HAVE_C)
HAVE_PCSC = $(eval HAVE_PCSC := $$(shell pkg-config --exists libpcsclite 2>&- && echo yes))$(HAVE_PCSC)
comma    := ,
GOTAGS    = $(if $(HAVE_C),pkcs11$(if $(HAVE_PCSC),$(comma)pcsc))
RACEFLAG  = $(if $(filter auto,$(RACE)),$(if $(HAVE_C),-race),$(if $(filter 1 yes on,$(RACE)),-race))
GOTEST    = $(GO) test -tags '$(GOTAGS)'

.PHONY: help bdd bdd-pcsc test test-pcsc check lint fmt build bench soak fuzz cover clean need-go tags

help:
	@printf '%s\n' \
	'make bdd        the features, on a virtual card: no hardware, no root' \
	'                FEATURE=format  TAGS=@tag  CARD=sim|vpcd|pcsc:READER  SEED=n  JOBS=n  REPORT_DIR=dir' \
	'make bdd-pcsc   the features through pcscd, with virtual readers of their own  (READERS=4)' \
	'make test       all tests; with the race detector where there is a C compiler  (RACE=0|1)' \
	'make test-pcsc  the tests of PC/SC, against pcscd with virtual readers' \
	'make check      gofmt, go vet, golangci-lint $(LINT_VERSION) (LINTER= leaves it out), build without cgo' \
	'make fmt        gofmt -w' \
	'make build      the commands, to $(BIN)/' \
	'make bench      figures beside their baselines  (BENCH=regexp BENCHTIME=1s BENCHCOUNT=3 BENCHSTRICT=0 BENCH_JSON=file)' \
	'make fuzz       every fuzz target  (FUZZ=regexp FUZZTIME=30s FUZZJOBS=1)' \
	'make soak       what is too long for CI: long fuzzing, features and tests over and over' \
	'                and token databases of a million tokens  (SOAKTIME=10m a target, SOAKRUNS=20, SIZE_TOKENS=n)' \
	'make cover      test coverage, to $(OUT)/cover.html' \
	'make clean      removes $(BIN)/ and $(OUT)/'

need-go:
	@command -v $(GO) >/dev/null || { \
	  echo 'Go is missing: install Go $(GO_NEEDED) or newer (https://go.dev/dl/) and put it on PATH.' >&2; exit 1; }
	@set -- $$($(GO) version); v=$${3#go}; major=$${v%%.*}; v=$${v#*.}; minor=$${v%%[!0-9]*}; \
	case $$3 in go[0-9]*) ;; *) exit 0 ;; esac; \
	want=$(GO_NEEDED); \
	if [ $$major -lt $${want%.*} ] || { [ $$major -eq $${want%.*} ] && [ $$minor -lt $${want#*.} ]; }; then \
	  echo "Go $(GO_NEEDED) or newer is needed; this is $$3 ($$(command -v $(GO)))." >&2; exit 1; fi

tags: need-go
	@echo 'build tags: $(or $(GOTAGS),none)$(if $(HAVE_C),$(if $(HAVE_PCSC),,$(comma) no PC/SC: libpcsclite-dev or pkg-config is missing),$(comma) no PC/SC and no PKCS#11: no C compiler)'

$(BIN)/bdd: tags
	@$(GO) build -tags '$(GOTAGS)' -o $@ ./features/suite/bdd

bdd: $(BIN)/bdd
	@$(BIN)/bdd

# The program is built before, as there is no network where it runs.
bdd-pcsc: $(BIN)/bdd
	@case "$(CARD)" in pcsc:*) exec $(BIN)/bdd ;; esac; \
	case ",$(GOTAGS)," in *,pcsc,*) ;; *) \
	  echo 'bdd-pcsc: PC/SC is not in this build: apt install gcc pkg-config libpcsclite-dev' >&2; exit 1 ;; esac; \
	scripts/pcscd exec --readers $(READERS) sh -c 'CARD="pcsc:$$VPCD_READERS" exec $(BIN)/bdd'

test: tags
	@echo 'race detector: $(if $(RACEFLAG),on,off$(if $(HAVE_C),, (no C compiler)))'
	@$(GOTEST) $(RACEFLAG) ./...

test-pcsc: tags
	@mkdir -p $(OUT)
	@$(GOTEST) $(RACEFLAG) -c -o $(OUT)/pcsc.test ./tms/esc/pcsc
	@cd tms/esc/pcsc && ../../../scripts/pcscd exec --readers $(READERS) $(CURDIR)/$(OUT)/pcsc.test -test.timeout 5m

check: tags
	@unformatted=$$(gofmt -l $$(git ls-files -co --exclude-standard '*.go')) || exit 1; \
	if [ -n "$$unformatted" ]; then echo "not formatted (make fmt):"; echo "$$unformatted"; exit 1; fi
	$(GO) vet ./...
	$(if $(GOTAGS),$(GO) vet -tags '$(GOTAGS)' ./...)
	CGO_ENABLED=0 $(GO) build ./...
	@$(if $(LINTER),$(MAKE) --no-print-directory lint,echo 'golangci-lint: left out')
	@for s in scripts/pcscd .ci/run; do bash -n $$s || exit 1; \
	  if command -v shellcheck >/dev/null; then shellcheck $$s || exit 1; fi; done

lint: $(LINTER)
	$(LINTER) run --allow-parallel-runners $(if $(GOTAGS),--build-tags '$(GOTAGS)') ./...

# Kept out of go.mod: it would bring a few hundred modules along.
$(TOOLS)/golangci-lint-$(LINT_VERSION): | need-go
	@echo 'building golangci-lint $(LINT_VERSION), once'
	@mkdir -p $(TOOLS) && GOFLAGS= GOBIN=$(TOOLS) $(GO) install \
	  github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(LINT_VERSION) && \
	mv $(TOOLS)/golangci-lint $@ || { \
	  echo 'golangci-lint could not be built (no network?); make check LINTER= goes without.' >&2; exit 1; }

fmt: need-go
	@gofmt -l -w $$(git ls-files -co --exclude-standard '*.go')

build: tags
	$(GO) build -trimpath -tags '$(GOTAGS)' -o $(BIN)/ ./cmd/...

# Figures through PC/SC need pcscd; what is linked is fetched before, as there is no network inside.
bench: tags
	@mkdir -p $(BIN) && $(GO) build -o $(BIN)/bench ./scripts/bench
	@$(GO) list -deps -test -tags '$(GOTAGS)' ./... >/dev/null
	@through='scripts/pcscd exec' why=; case ",$(GOTAGS)," in \
	  *,pcsc,*) PATH=$$PATH:/usr/sbin command -v pcscd >/dev/null || why='pcscd is not installed'; \
	    [ -n "$$why" ] || $$through true >/dev/null || why='scripts/pcscd exec could not start pcscd' ;; \
	  *) why='PC/SC is not in this build (apt install gcc pkg-config libpcsclite-dev)' ;; esac; \
	[ -z "$$why" ] || through= why="Left out, the figures through pcscd: $$why."; \
	$$through $(BIN)/bench -tags '$(GOTAGS)' -bench '$(or $(BENCH),.)' -benchtime $(BENCHTIME) \
	  -count $(BENCHCOUNT) -json '$(BENCH_JSON)' -strict=$(BENCHSTRICT) -note "$$why" ./...

fuzz: tags
	@mkdir -p $(BIN) && $(GO) build -o $(BIN)/fuzz ./scripts/fuzz
	@$(BIN)/fuzz -tags '$(GOTAGS)' -fuzz '$(or $(FUZZ),.)' -fuzztime $(FUZZTIME) -jobs $(FUZZJOBS) .

soak: $(BIN)/bdd
	$(MAKE) fuzz FUZZTIME=$(SOAKTIME)
	@i=0; while [ $$i -lt $(SOAKRUNS) ]; do i=$$((i + 1)); echo "features, run $$i of $(SOAKRUNS)"; \
	  SOAK=1 $(BIN)/bdd || exit 1; done
	$(GOTEST) $(RACEFLAG) -count $(SOAKRUNS) -timeout 0 ./...
	$(GO) test -tags '$(GOTAGS)$(if $(GOTAGS),$(comma))soak' -count 1 -timeout 0 ./...

cover: tags
	@mkdir -p $(OUT)
	@$(GOTEST) -coverpkg=./... -coverprofile=$(OUT)/cover.out ./...
	@$(GO) tool cover -html=$(OUT)/cover.out -o $(OUT)/cover.html
	@$(GO) tool cover -func=$(OUT)/cover.out | tail -n 1

clean:
	@rm -rf $(BIN) $(OUT)

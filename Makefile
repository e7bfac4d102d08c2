# nave: `make demo` shows it at work, `make test` passes every test. Both install by apt what is missing (Debian 12, root).
GO ?= go
export CGO_ENABLED ?= 0

GOLANGCI := github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.6.2
GOVULNCHECK := golang.org/x/vuln/cmd/govulncheck@v1.1.4

.PHONY: build demo test table unit fuzz bench bench-diff pgo lint vuln generate install clean

build: ## static binaries in bin/
	$(GO) build -trimpath -o bin/ ./ctl/cmd/... ./perf/cmd/... ./testbed/cmd/...

demo: ## a protected DMVPN of a hub and two spokes on real packets, explained; DEMO=--keep leaves it up
	@./testbed/deps.sh demo
	@$(MAKE) --no-print-directory build
	@./bin/navelab demo $(DEMO)

test: ## everything, as root: unit and simulated tests with the race detector, namespaces, real peers
	@./testbed/deps.sh test
	@test -z "$$(gofmt -l .)" || { echo "gofmt would change:"; gofmt -l .; exit 1; }
	$(GO) vet -pgo=off ./...
	CGO_ENABLED=1 $(GO) test -race -pgo=off -timeout 20m $$($(GO) list ./... | grep -v -E '/testbed/(labs|interop)$$')
	CGO_ENABLED=1 $(GO) test -race -pgo=off -timeout 20m -p 1 ./testbed/labs ./testbed/interop # guests and daemons share the cores with nobody else

TABLE ?= interop.md
table: ## what nave agrees on with strongSwan, tried now, into TABLE; as root
	@./testbed/deps.sh test
	NAVE_REQUIRE=1 NAVE_INTEROP_TABLE=$(abspath $(TABLE)) $(GO) test -count=1 -run '^TestStrongSwan$$/^tunnels$$/^1_to_3$$/^suites$$' ./testbed/interop

unit: ## what needs neither root nor packages
	$(GO) test ./...

FUZZTIME ?= 20s
fuzz: ## every fuzz target for FUZZTIME
	@for p in $$($(GO) list ./...); do \
	  for f in $$($(GO) test -list '^Fuzz' $$p | grep '^Fuzz'); do \
	    echo "$$p $$f"; $(GO) test -run '^$$' -fuzz "^$$f\$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 10x $$p || exit 1; \
	  done; done

BENCH ?= perf/baselines
bench: build ## measures everything into BENCH, as root and on a quiet machine: 5 minutes
	@mkdir -p $(BENCH)
	./bin/naveperf path --runs 25 --passes 5 --json > $(BENCH)/path.json.new
	@mv $(BENCH)/path.json.new $(BENCH)/path.json
	./bin/naveperf path --work esp-encap,esp-decap --transform all --size 64,1400 --json > $(BENCH)/transform.json.new
	@mv $(BENCH)/transform.json.new $(BENCH)/transform.json
	./bin/naveperf stall --nice -20 --json > $(BENCH)/stall.json.new
	@mv $(BENCH)/stall.json.new $(BENCH)/stall.json
	$(GO) test -p 1 -run '^$$' -bench 'SetUp|Registration|Bind|Memory' -benchtime 0.3s -count 3 ./slowpath/nhrp ./slowpath/rib ./slowpath/ike/ikev1 ./slowpath/ike/ikev2 | ./bin/naveperf collect > $(BENCH)/control.json.new
	@mv $(BENCH)/control.json.new $(BENCH)/control.json
	NAVE_REQUIRE=1 $(GO) test -run '^$$' -bench Veth -benchtime 20x -count 3 ./perf | ./bin/naveperf collect > $(BENCH)/veth.json.new
	@mv $(BENCH)/veth.json.new $(BENCH)/veth.json

DIFF ?=
bench-diff: ## measures again and says what moved since perf/baselines by more than the noise; DIFF=--fail makes that an error
	@$(MAKE) --no-print-directory bench BENCH=bin/bench
	./bin/naveperf diff $(DIFF) perf/baselines bin/bench

pgo: ## the profile that naved and naveperf are compiled by (default.pgo beside their mains); on a quiet machine, when the path has changed much
	$(GO) build -pgo=off -o bin/unprofiled/ ./perf/cmd/naveperf
	./bin/unprofiled/naveperf path --cpuprofile bin/unprofiled/path.pgo > /dev/null
	cp bin/unprofiled/path.pgo perf/cmd/naveperf/default.pgo
	cp bin/unprofiled/path.pgo ctl/cmd/naved/default.pgo

lint: ## linters
	$(GO) run $(GOLANGCI) run ./...

vuln: ## known vulnerabilities; asks the Go vulnerability database
	$(GO) run $(GOVULNCHECK) ./...

generate: ## the XDP programs (need clang, llvm and libbpf-dev)
	$(GO) generate ./bpf ./perf/xdp

install: build ## binaries, systemd unit, user and groups
	install -D -m 755 bin/naved $(DESTDIR)/usr/local/sbin/naved
	install -D -m 755 bin/nave $(DESTDIR)/usr/local/bin/nave
	install -D -m 644 ctl/cmd/naved/naved.service $(DESTDIR)/etc/systemd/system/naved.service
	install -D -m 644 ctl/cmd/naved/vrf.conf $(DESTDIR)/usr/local/share/nave/vrf.conf
	install -D -m 644 ctl/cmd/naved/naved.sysusers $(DESTDIR)/usr/lib/sysusers.d/nave.conf
	install -d -m 700 $(DESTDIR)/etc/nave
	[ -e $(DESTDIR)/etc/nave/naved.env ] || install -m 600 ctl/cmd/naved/naved.env $(DESTDIR)/etc/nave/naved.env
	@[ -n "$(DESTDIR)" ] || { systemd-sysusers /usr/lib/sysusers.d/nave.conf && chown -R nave:nave /etc/nave; }

clean:
	rm -rf bin

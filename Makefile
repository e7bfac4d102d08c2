# nave: `make demo` shows it working, `make test` passes every test. Both install what they need (Debian 12, root).
GO ?= go
export CGO_ENABLED ?= 0
BIN := bin/naved bin/nave bin/navelab

.PHONY: all build test unit demo deps generate lint fuzz bench clean
all: build

build: ## static binaries in bin/
	$(GO) build -trimpath -o bin/ ./ctl/cmd/... ./testbed/cmd/...

unit: ## what needs no root
	CGO_ENABLED=1 $(GO) test -race ./...

test: ## everything: installs what is missing, then unit, simulated, namespaces and real peers
	./testbed/deps.sh test
	$(GO) vet ./...
	CGO_ENABLED=1 $(GO) test -race -timeout 20m ./...

clean:
	rm -rf bin

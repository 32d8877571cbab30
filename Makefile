# Needs Go, make and a POSIX shell. `make help` lists what there is.

.DEFAULT_GOAL := help
.PHONY: help run demo test lint build bench chaos images up down smoke release vuln

help: ## List these commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-7s %s\n", $$1, $$2}' Makefile

run: ## Run the whole service on this machine, with stand-ins for AWS and GOV.UK Notify
	go run ./cmd/sandbox

demo: ## Run the sandbox and play its journeys on the page, to watch or to record
	go run ./cmd/sandbox -tour

test: ## Run every test on a real Redis and MariaDB, which it brings
	@scripts/with-services scripts/test

lint: ## Check format, vet, staticcheck and go.mod
	@scripts/lint

build: ## Build static binaries into bin/
	CGO_ENABLED=0 go build -trimpath -o bin/ ./cmd/...

bench: ## Measure speed on a real Redis and MariaDB
	@scripts/with-services scripts/bench

chaos: ## Run the long fault run, SEEDS=1..10 PARALLEL=8 (docs/reliability.md)
	@scripts/with-services scripts/chaos

images: ## Build the container images
	@scripts/images

up: ## Start the local stack of containers, with stand-ins for AWS and GOV.UK Notify
	@scripts/up

smoke: ## Send the stack one webhook of each kind and print what people received
	@scripts/smoke

down: ## Stop the stack; its data stays (scripts/stack down -v removes that too)
	@scripts/stack --profile observability --profile smoke down

release: ## Build checksummed archives and an SBOM into dist/
	@scripts/release

vuln: ## Look the modules up in Go's vulnerability database (needs the network)
	go run golang.org/x/vuln/cmd/govulncheck@latest ./...

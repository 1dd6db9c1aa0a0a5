# cosight: `make demo` and `make test` are all a newcomer needs; `make check` is what CI runs.
.DEFAULT_GOAL := help
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
NATIVE := crypto/native
KERNEL := $(NATIVE)/Cargo.toml $(NATIVE)/Cargo.lock $(wildcard $(NATIVE)/src/*.rs $(NATIVE)/src/*/*.rs)
PROTOS := $(wildcard proto/exchange/v1/*.proto)

.PHONY: help demo test check build need format lint types stubs imports generated generate docs transcripts \
        test-python test-rust bench bench-full counts lock clean

help:  ## what can be made
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

demo: build  ## three members with public feeds match privately on this machine
	$(BIN)/cosight demo

test: test-rust test-python  ## everything the tests need, then cargo test and pytest

check: build format lint types stubs imports generated docs counts test  ## what CI runs

bench: build  ## about seven minutes: ours beside other systems, and what runs and files cost; into benchmarks/out
	$(BIN)/python -m benchmarks.run

bench-full: build  ## the same at all sizes over all links: hours
	$(BIN)/python -m benchmarks.run --full

counts: build  ## instructions of the kernel's hot functions are those committed (needs valgrind)
	$(BIN)/python -m benchmarks.instructions --check

need:
	@command -v $(PYTHON) >/dev/null || { echo "cosight needs Python 3.11 or newer: '$(PYTHON)' is not on the PATH (set PYTHON=...)"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "cosight needs Python 3.11 or newer; '$(PYTHON)' is $$($(PYTHON) --version)"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo "cosight needs Python's venv module (Debian: apt-get install python3-venv)"; exit 1; }
	@command -v cargo >/dev/null || { echo "cosight needs Rust 1.89 or newer: 'cargo' is not on the PATH (https://rustup.rs)"; exit 1; }
	@command -v cc >/dev/null || { echo "cosight needs a C linker: 'cc' is not on the PATH (Debian: apt-get install gcc)"; exit 1; }

build: need $(VENV)/.built

$(VENV)/.installed: requirements.lock
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	touch $@

$(VENV)/.built: $(VENV)/.installed pyproject.toml $(KERNEL)
	PATH="$(abspath $(BIN)):$$PATH" $(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	touch $@

format: build  ## formatting, Python and Rust
	$(BIN)/ruff format --check .
	cd $(NATIVE) && cargo fmt --check

lint: build  ## ruff (all rules, reasoned exceptions) and clippy
	$(BIN)/ruff check .
	cd $(NATIVE) && cargo clippy --locked --all-targets -- -D warnings
	cd $(NATIVE) && cargo clippy --locked --features python -- -D warnings

types: build  ## mypy, strict
	$(BIN)/mypy

stubs: build  ## the stub of the native module against the module itself
	$(BIN)/python -m mypy.stubtest crypto._native

imports: build  ## imports go one way
	$(BIN)/lint-imports

generated: build  ## the committed protobuf code is what the .proto files give
	@out=$$(mktemp -d); trap 'rm -rf $$out' EXIT; \
	$(BIN)/python -m grpc_tools.protoc -Iproto --python_out=$$out --pyi_out=$$out $(PROTOS); \
	for f in $$out/exchange/v1/*; do cmp $$f exchange/v1/$$(basename $$f) || { echo "run 'make generate'"; exit 1; }; done

generate: build  ## protobuf code from the .proto files
	$(BIN)/python -m grpc_tools.protoc -Iproto --python_out=. --pyi_out=. $(PROTOS)

docs: build  ## links, error codes, commands, options and JSON keys in the documents agree with the code
	$(BIN)/python -m pytest -q tests/architecture

transcripts: build  ## what commands print in the documents, written anew
	$(BIN)/python -m tests.cli.transcript README.md docs/tutorial.md

test-python: build
	$(BIN)/python -m pytest -q -n logical --maxprocesses 8 --dist worksteal

test-rust: build
	cd $(NATIVE) && cargo test --release --locked --quiet --lib

lock:  ## renew requirements.lock
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	  --no-header --upgrade --group dev pyproject.toml -o requirements.lock

clean:
	rm -rf $(VENV) $(NATIVE)/target dist crypto/_native*.so

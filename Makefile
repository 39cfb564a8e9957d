# Two commands do everything on a bare Debian with Python 3.11: `make demo` and `make test`.
# DEVICE=cuda (as in `make demo DEVICE=cuda`) takes torch's GPU build.

DEVICE ?= cpu
export DEVICE

.PHONY: demo test lint install clean

demo: install
	.venv/bin/dvp demo

test: lint
	OMP_NUM_THREADS=1 .venv/bin/python -m pytest -n 2 --dist loadgroup

lint: install
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/pyright

install:
	tools/install.sh

clean:
	rm -rf .venv out build dist *.egg-info

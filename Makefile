# Two commands do everything on a bare Debian with Python 3.11: `make demo` and `make test`.
# DEVICE=cuda (as in `make demo DEVICE=cuda`) takes torch's GPU build.

DEVICE ?= cpu
export DEVICE

.PHONY: demo test test-blender window-tour chaos lint install clean

demo: install
	.venv/bin/dvp demo

test: lint
	OMP_NUM_THREADS=1 .venv/bin/python -m pytest -n 2 --dist loadgroup

# The tests that need Blender, on each version served; fetches about 370 MB for each the first time.
test-blender: install
	.venv/bin/python tools/blender_versions.py

# Clicks through docs/animators.md in a real window and takes its pictures anew. Needs what `make demo` leaves, and
#     apt-get install --no-install-recommends blender xvfb xdotool imagemagick python3-numpy python3-requests
# with Debian 12's Blender 3.4.
window-tour: install
	.venv/bin/python -m tools.window_tour --pictures docs/pictures

# Pulls the plugs of a real farm at random and proves its frames afterwards; as root it also cuts networks and fills disks.
chaos: install
	OMP_NUM_THREADS=1 .venv/bin/python -m tools.chaos

lint: install
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/pyright

install:
	tools/install.sh

clean:
	rm -rf .venv .venv-blender out build dist *.egg-info

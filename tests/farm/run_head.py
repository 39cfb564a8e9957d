"""A head in a process of its own with the stub task, for tests to kill: run_head.py STATE SITE BACKEND [ADDRESS]."""

import os
import sys
from pathlib import Path

import stub_task

from farm.head import HeadOptions, run_head
from farm.roots import Roots

if __name__ == "__main__":
    state, site, backend, *address = sys.argv[1:]
    roots = Roots({"site": Path(site)})
    run_head(
        HeadOptions(Path(state), roots, port=0, backend=backend, workers=2, address=address[0] if address else None),
        task_function=stub_task.run_order,
        preflight=lambda job, roots: None,
        on_ready=lambda url: os.write(1, f"{url}\n".encode()),
    )

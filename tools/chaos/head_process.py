"""The head of the farm under test, in a process of its own: `python -m tools.chaos.head_process STATE SHARE [ADDRESS]`.

It is `dvp farm head` with short deadlines, the task function of `task.py`, and a wall clock that the run can turn.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

from dvp_core.data.errors import DataError
from farm.head import HeadOptions, run_head
from farm.roots import Roots
from farm.scheduler import SchedulerOptions
from tools.chaos import task
from tools.chaos.control import Control

WORKER_COUNT = 2
LEASE_S = 6.0
SCHEDULING = SchedulerOptions(
    shortest_deadline_s=10.0,
    deadline_factor=4.0,
    warm_up_deadline_s=45.0,
    file_deadline_s=60.0,
    withdraw_patience_s=1.0,
    lease_s=LEASE_S,
    hold_check_s=0.5,
    ledger_copy_s=5.0,
)


def main() -> None:
    """Run the head until it is told to stop."""
    state, share, *address = sys.argv[1:]
    control, true_time = Control.of_environment(), time.time
    time.time = lambda: true_time() + control.clock_offset_s()
    options = HeadOptions(
        Path(state),
        Roots({"site": Path(share)}),
        port=0,
        workers=WORKER_COUNT,
        address=address[0] if address else None,
        scheduling=SCHEDULING,
    )
    try:
        run_head(options, task_function=task.run_order, on_ready=lambda url: print(url, flush=True))
    except DataError as error:
        sys.exit(f"dvp: {error}")


if __name__ == "__main__":
    os.chdir("/")
    main()

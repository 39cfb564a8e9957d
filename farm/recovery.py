"""What a head does before its first order: it looks whether the frames of the ledger still stand on the disk.

The other direction needs nothing: a frame that was published but never entered is found by its key when its chunk
runs again, and is taken over without being rendered.
"""

from __future__ import annotations

from dvp_core.data.errors import DataError
from dvp_core.pipeline.render_frames import frame_path
from farm.failures import stands
from farm.ledger import Ledger
from farm.roots import Roots


def requeue_lost_frames(ledger: Ledger, roots: Roots) -> int:
    """Queue again every frame of an unfinished job whose file is gone or has changed; return their number."""
    lost_count = 0
    for row in ledger.rows("SELECT id FROM jobs WHERE state IN ('queued', 'active', 'paused')"):
        job = ledger.job(row["id"])
        try:
            template = roots.resolve(job.output)
        except DataError as error:
            ledger.log(job.id, f"its frames cannot be looked at: {error}")
            continue
        lost = [
            finished.frame
            for finished in ledger.finished_frames(job.id)
            if not stands(frame_path(template, finished.frame), finished.sha256)
        ]
        if lost:
            ledger.requeue_frames(job.id, lost, message="its file was gone or had changed")
            ledger.log(job.id, f"{len(lost)} finished frames were gone or had changed and are queued again")
            lost_count += len(lost)
    return lost_count

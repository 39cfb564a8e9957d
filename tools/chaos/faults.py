"""The library of faults: each does its harm, waits until the farm has noticed where that can be seen, and mends it.

What a fault harms is drawn from the run's random generator, so that a seed gives the same run, as far as processes keep
time. Whatever must be true at once is checked here; what must be true in the end, in `audit.py`.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random

from dvp_core.data.job import job_to_dict
from dvp_core.passes import pass_path
from dvp_core.pipeline.render_frames import frame_path
from farm.client import FarmError
from farm.ledger_copies import COPY_NAME
from tools.chaos.farm_under_test import JOB_ID, ChaosError, Farm
from tools.chaos.head_process import LEASE_S
from tools.chaos.shot import PASSES

_LONGEST_JUMP_S = 400 * 86_400.0
_SOON = 20
"""Frames among which one is chosen that must be met soon."""


@dataclass(frozen=True)
class Fault:
    """One kind of fault.

    Attributes:
        act: Does it.
        needs_disk: Only on a share that is a disk of its own.
        needs_cluster: Only with a cluster that the head joins; None means either.
    """

    act: Callable[[Farm, Random], None]
    needs_disk: bool = False
    needs_cluster: bool | None = None


# ---- workers


def kill_worker(farm: Farm, random: Random) -> None:
    """SIGKILL a worker."""
    _signal_worker(farm, random, signal.SIGKILL)


def freeze_worker(farm: Farm, random: Random) -> None:
    """SIGSTOP a worker: the head must end it at its deadline."""
    process_id = _signal_worker(farm, random, signal.SIGSTOP)
    end_s = time.monotonic() + 120
    while _lives(process_id):
        if farm.report()["state"] == "completed" or time.monotonic() > end_s:
            os.kill(process_id, signal.SIGCONT)  # it had no order
            return
        time.sleep(0.2)


def _signal_worker(farm: Farm, random: Random, number: int) -> int:
    end_s = time.monotonic() + 60
    while not (workers := farm.worker_ids()) and time.monotonic() < end_s:
        time.sleep(0.1)
    if not workers:
        raise ChaosError("the farm has no workers")
    process_id = random.choice(workers)
    farm.lost_worker_count += 1
    with suppress(ProcessLookupError):
        os.kill(process_id, number)
    return process_id


def _lives(process_id: int) -> bool:
    try:
        return Path(f"/proc/{process_id}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


# ---- heads


def kill_head(farm: Farm, random: Random) -> None:
    """SIGKILL the farm's head and start it again."""
    farm.kill_head()
    farm.restart()


def freeze_head(farm: Farm, random: Random) -> None:
    """SIGSTOP the head until its workers' leases are over; woken, it goes on with them."""
    assert farm.process is not None
    farm.lost_worker_count += len(farm.worker_ids())
    os.kill(farm.process.pid, signal.SIGSTOP)
    time.sleep(LEASE_S * 1.5)
    os.kill(farm.process.pid, signal.SIGCONT)


def start_second_head(farm: Farm, random: Random) -> None:
    """Start another head on the same ledger: it must refuse."""
    second = farm.spawn_head()
    assert second.stdout is not None
    said = second.stdout.read()
    if second.wait(timeout=60) != 1 or said:
        raise ChaosError("a second head runs on the same ledger")
    second.stdout.close()
    if "another farm head holds this ledger" not in farm.last_words():
        raise ChaosError(f"the second head does not say why it refuses:\n{farm.last_words()}")


def turn_clock(farm: Farm, random: Random) -> None:
    """Let the wall clock of head and workers jump by up to a year, either way."""
    farm.control.set_clock_offset(random.uniform(-_LONGEST_JUMP_S, _LONGEST_JUMP_S))


# ---- Ray


def kill_own_raylet(farm: Farm, random: Random) -> None:
    """SIGKILL the raylet under the head: the head ends with it and goes on when started again."""
    farm.lost_worker_count += len(farm.worker_ids())
    for process_id in farm.processes(b"raylet"):
        os.kill(process_id, signal.SIGKILL)
    farm.wait_for_heads_end()
    farm.restart()


def kill_far_raylet(farm: Farm, random: Random) -> None:
    """SIGKILL the raylet of the node that the workers are on, then start that node anew."""
    assert farm.cluster is not None
    farm.lost_worker_count += len(farm.worker_ids())
    farm.cluster.kill("far", "raylet")
    _replace_far_node(farm)


def kill_gcs(farm: Farm, random: Random) -> None:
    """SIGKILL Ray's head: the farm's head ends, and goes on when Ray and it are started again."""
    assert farm.cluster is not None
    farm.lost_worker_count += len(farm.worker_ids())
    farm.cluster.kill("near", "gcs_server")
    farm.wait_for_heads_end()
    farm.cluster.stop()
    farm.restart()


def cut_network(farm: Farm, random: Random) -> None:
    """Pull the cable to the workers' node until the head has given it up and their leases are over; they write on."""
    assert farm.cluster is not None
    farm.lost_worker_count += len(farm.worker_ids())
    farm.cluster.cut()
    time.sleep(LEASE_S + random.uniform(2, 6))
    farm.cluster.mend()
    _replace_far_node(farm)


def freeze_raylet(farm: Farm, random: Random) -> None:
    """SIGSTOP the raylet of the workers' node: split brain, the head believes them dead and they write on."""
    assert farm.cluster is not None
    farm.lost_worker_count += len(farm.worker_ids())
    farm.cluster.kill("far", "raylet", signal.SIGSTOP)
    time.sleep(random.uniform(4, LEASE_S + 4))
    farm.cluster.kill("far", "raylet", signal.SIGCONT)
    _replace_far_node(farm)


def _replace_far_node(farm: Farm) -> None:
    assert farm.cluster is not None
    farm.cluster.end_node("far")
    farm.cluster.ensure()


# ---- disks and shares


def fill_disk(farm: Farm, random: Random) -> None:
    """Leave no byte on the share: the job is held, and goes on by itself when there is room."""
    farm.disk.fill()
    try:
        farm.wait_for_hold("the disk is full")
    finally:
        farm.disk.make_room()
    farm.wait_until_resumed()


def report_full_disk(farm: Farm, random: Random) -> None:
    """Let a frame meet ENOSPC, where no disk can be filled."""
    frames = farm.frames_in("queued", "soft-failed")
    if frames:
        farm.control.poison(random.choice(frames), "full", times=1)


def lose_share(farm: Farm, random: Random) -> None:
    """Let the share vanish and come back: nothing is written where it was, and the job goes on by itself."""
    farm.disk.take_away()
    farm.wait_for_hold("a share is gone")
    time.sleep(1.0)
    strays = list(farm.disk.share.iterdir())
    farm.disk.give_back()
    if strays:
        raise ChaosError(f"written where the share was not mounted: {strays}")
    farm.wait_until_resumed()


# ---- frames and inputs


def poison_frame(farm: Farm, random: Random) -> None:
    """Let a frame raise, or take its worker along, once or twice."""
    frames = farm.frames_in("queued")
    if frames:
        trouble, times = random.choice(["raise", "crash"]), random.choice([1, 2])
        farm.lost_worker_count += times
        farm.control.poison(random.choice(frames), trouble, times=times)


def hang_frame(farm: Farm, random: Random) -> None:
    """Let a frame never end: its worker is ended at the deadline."""
    frames = farm.frames_in("queued")
    if frames:
        farm.lost_worker_count += 1
        farm.control.poison(random.choice(frames), "hang", times=1)


def delete_frame(farm: Farm, random: Random) -> None:
    """Delete a finished frame."""
    _destroy(farm, random, lambda path: path.unlink())


def cut_frame(farm: Farm, random: Random) -> None:
    """Cut a finished frame in half."""
    _destroy(farm, random, lambda path: path.write_bytes(path.read_bytes()[: path.stat().st_size // 2]))


def flip_bit(farm: Farm, random: Random) -> None:
    """Flip one bit of a finished frame."""

    def flip(path: Path) -> None:
        content = bytearray(path.read_bytes())
        content[random.randrange(len(content))] ^= 1 << random.randrange(8)
        path.write_bytes(content)

    _destroy(farm, random, flip)


def _destroy(farm: Farm, random: Random, harm: Callable[[Path], object]) -> None:
    frames = farm.frames_in("completed")
    if frames:
        farm.destroyed_count += 1
        path = frame_path(farm.output / "frame.####.png", random.choice(frames))
        with suppress(FileNotFoundError):  # destroyed before
            harm(path)


def cut_input(farm: Farm, random: Random) -> None:
    """Cut a pass file that will be needed; mend it when the farm has said that it waits for it."""
    frames = farm.frames_in("queued")
    if not frames:
        return
    path = pass_path(farm.disk.share / PASSES, random.choice(frames[:_SOON]))
    whole = path.read_bytes()
    path.write_bytes(whole[: random.randrange(len(whole))])
    try:
        farm.wait_until(
            lambda report: "an input cannot be used" in report["message"] or report["state"] == "completed",
            "the cut input is noticed",
        )
    finally:
        path.write_bytes(whole)
    farm.wait_until_resumed()


# ---- submissions and the ledger


def submit_again(farm: Farm, random: Random) -> None:
    """Submit the same job several times at once, which changes nothing, and another of its id, which is refused."""
    before = len(farm.client.jobs())
    with ThreadPoolExecutor(4) as pool:
        reports = list(pool.map(lambda _: farm.submit(), range(4)))
    if {report["id"] for report in reports} != {JOB_ID} or len(farm.client.jobs()) != before:
        raise ChaosError("a second submission made another job")
    try:
        farm.client.submit(job_to_dict(replace(farm.job, priority=1)))
    except FarmError as error:
        if error.status == 409:
            return
    raise ChaosError("another job of the same id was not refused")


def damage_ledger(farm: Farm, random: Random) -> None:
    """Cut, scribble over or delete the ledger of a killed head, sometimes its copy too: it comes back by itself."""
    farm.kill_head()
    path = farm.state / "ledger.sqlite"
    content, way = path.read_bytes(), random.choice(["cut", "scribble", "delete"])
    if way == "delete":
        path.unlink()
    elif way == "cut":
        path.write_bytes(content[: random.randrange(len(content))])
    else:
        start = random.randrange(len(content) // 2)
        path.write_bytes(content[:start] + random.randbytes(len(content) - start))
    if random.random() < 0.5:
        (farm.state / COPY_NAME).unlink(missing_ok=True)
    farm.restart()
    farm.wait_until(lambda report: True, "the job is known again")


ALL: Mapping[str, Fault] = {
    "worker killed": Fault(kill_worker),
    "worker frozen": Fault(freeze_worker),
    "head killed": Fault(kill_head),
    "head frozen": Fault(freeze_head),
    "two heads": Fault(start_second_head),
    "clock jump": Fault(turn_clock),
    "raylet killed under the head": Fault(kill_own_raylet, needs_cluster=False),
    "raylet killed": Fault(kill_far_raylet, needs_cluster=True),
    "Ray's head killed": Fault(kill_gcs, needs_cluster=True),
    "network cut": Fault(cut_network, needs_cluster=True),
    "split brain": Fault(freeze_raylet, needs_cluster=True),
    "disk full": Fault(fill_disk, needs_disk=True),
    "disk full reported": Fault(report_full_disk),
    "share gone": Fault(lose_share),
    "poison frame": Fault(poison_frame),
    "hanging frame": Fault(hang_frame),
    "frame deleted": Fault(delete_frame),
    "frame cut": Fault(cut_frame),
    "frame bit flipped": Fault(flip_bit),
    "input cut": Fault(cut_input),
    "submitted again": Fault(submit_again),
    "ledger damaged": Fault(damage_ledger),
}

"""The same scheduler on real Ray workers: processes that are killed, hang, crash, and must cost no finished frame."""

import hashlib
import os
import signal
import subprocess
import sys
import time

import pytest
import ray
import stub_task
from head_process import Head

from dvp_core.data.errors import DataError
from dvp_core.data.job import job_to_dict
from farm.backends import on_ray
from farm.client import connect
from farm.file_lock import try_lock
from farm.ledger import Ledger
from farm.reports import frame_list, job_report
from farm.scheduler import Scheduler, SchedulerOptions

pytestmark = pytest.mark.xdist_group("ray")  # one cluster for the file, and no second one beside it
QUICK = SchedulerOptions(warm_up_deadline_s=15, shortest_deadline_s=4, withdraw_patience_s=0.5)


@pytest.fixture(scope="module")
def cluster():
    before = os.environ.get("PYTHONPATH", "")
    os.environ["PYTHONPATH"] = os.pathsep.join([os.path.dirname(__file__), before])
    with on_ray.local_cluster(cpu_count=4):
        yield
    os.environ["PYTHONPATH"] = before


@pytest.fixture
def ledger(tmp_path):
    with Ledger(tmp_path / "ledger.sqlite", clock=time.time) as opened:
        yield opened


@pytest.fixture
def start(cluster, ledger, roots):
    pools = []

    def make(worker_count=2, options=QUICK):
        pools.append(on_ray.OnRay(stub_task.run_order, worker_count))
        return Scheduler(ledger, pools[-1], roots, options)

    yield make
    for pool in pools:
        pool.close()


def run(scheduler, job_id, *, limit_s=40.0, at=None, act=None):
    """Turn the scheduler until the job has ended; call `act` once, when `at` frames are finished."""
    end_s = time.monotonic() + limit_s
    while job_report(scheduler.ledger, job_id)["state"] in ("queued", "active") or not scheduler.is_idle():
        assert time.monotonic() < end_s, job_report(scheduler.ledger, job_id)
        scheduler.step(timeout_s=0.05)
        if act and scheduler.ledger.finished_count(job_id) >= at:
            act()
            act = None
    assert act is None
    return job_report(scheduler.ledger, job_id)


def hashes(roots, name):
    paths = sorted((roots.folders["site"] / name).glob("frame.*.png"))
    return [hashlib.sha256(path.read_bytes()).hexdigest() for path in paths]


def executions(roots, name):
    return [int(line) for line in (roots.folders["site"] / name / "executions.txt").read_text().split()]


@pytest.mark.parametrize(("worker_count", "chunk_size"), [(1, 1), (2, 7), (2, 50)])
def test_frames_do_not_depend_on_workers_or_chunks(start, ledger, roots, make_job, worker_count, chunk_size):
    ledger.submit(make_job("reference", frames="1-50", chunk_size=50), owner="a")
    ledger.submit(make_job("shot", frames="1-50", chunk_size=chunk_size), owner="a")
    scheduler = start(worker_count)
    assert run(scheduler, "reference")["state"] == "completed"
    assert run(scheduler, "shot")["state"] == "completed"
    assert hashes(roots, "shot") == hashes(roots, "reference")
    assert sorted(executions(roots, "shot")) == list(range(1, 51))


def test_killed_worker_is_replaced_and_costs_at_most_the_frame_in_hand(start, ledger, roots, make_job):
    ledger.submit(make_job(frames="1-50", chunk_size=10, plan={"seconds_per_frame": 0.05}), owner="a")
    scheduler = start(2)

    def kill():
        victim = next(worker for worker in scheduler._running)
        process_id = on_ray.process_ids(scheduler.backend)[victim]
        os.kill(process_id, signal.SIGSTOP)
        for _ in range(5):  # take in what it had said, so that the order below is the one in its hands
            scheduler.step(timeout_s=0.1)
        output = roots.folders["site"] / "shot"
        for frame in scheduler._running[victim].order.frames:  # as if it were hit while writing
            (output / f".frame.{frame:04d}.abcd.part.png").write_bytes(b"half")
        os.kill(process_id, signal.SIGKILL)

    report = run(scheduler, "shot", at=8, act=kill)
    assert report["state"] == "completed"
    assert report["frames"] == {"completed": 50}
    assert len(executions(roots, "shot")) <= 51
    assert sum(row["failures"] for row in frame_list(ledger, "shot")) == 1
    replaced_s = time.monotonic()
    while "worker-0003" not in scheduler.backend.idle_workers():
        assert time.monotonic() - replaced_s < 20
        scheduler.step(timeout_s=0.05)
    assert not list((roots.folders["site"] / "shot").glob(".*part*"))


@pytest.mark.parametrize("trouble", ["crash", "leave", "hang", "raise"])
def test_frame_that_ends_its_worker_is_set_aside_and_the_rest_goes_on(start, ledger, make_job, trouble):
    plan = {trouble: {"5": 99}}
    retry_count = 0 if trouble == "hang" else 1  # each costs a deadline
    ledger.submit(make_job(plan=plan, max_retries_per_frame=retry_count, max_failed_frames=1), owner="a")
    report = run(start(2), "shot")
    assert report["frames"] == {"completed": 19, "failed": 1}
    assert report["failed_frames"][0]["frame"] == 5
    assert report["state"] == "failed"


def test_cancel_ends_a_frame_that_does_not_listen(start, ledger, make_job):
    ledger.submit(make_job(plan={"hang": {"3": 99}}), owner="a")
    scheduler = start(1, SchedulerOptions(withdraw_patience_s=0.3))
    report = run(scheduler, "shot", at=2, act=lambda: ledger.act("shot", "cancel"))
    assert report["state"] == "cancelled"
    assert all(row["failures"] == 0 for row in frame_list(ledger, "shot"))


def test_full_disk_is_told_from_other_errors(start, ledger, make_job):
    ledger.submit(make_job(plan={"full": {"3": 1}}), owner="a")
    assert run(start(1), "shot")["state"] == "paused"


def test_head_joins_a_running_cluster_and_leaves_it_running(cluster, make_job, roots, tmp_path):
    address = ray.get_runtime_context().gcs_address
    script = os.path.join(os.path.dirname(__file__), "run_head.py")
    command = [sys.executable, script, str(tmp_path / "state"), str(roots.folders["site"]), "ray", address]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as head:
        assert head.stdout.readline().startswith("http://127.0.0.1:")
        client = connect(connection=tmp_path / "state" / "connection.json")
        client.submit(job_to_dict(make_job()))
        *_, report = client.watch("shot", interval_s=0.05)
        head.send_signal(signal.SIGTERM)
    assert head.returncode == 0
    assert report["frames"] == {"completed": 20}
    assert ray.cluster_resources()["CPU"] == 4


def test_cluster_without_a_graphics_card_refuses_workers_that_need_one(cluster):
    with pytest.raises(DataError, match="has no GPU"):
        on_ray.OnRay(stub_task.run_order, 1, needs=on_ray.WorkerNeeds(gpu_share=0.5))


def test_nothing_of_a_local_cluster_remains(tmp_path):
    script = (
        "from farm.backends import on_ray\nimport os, ray\n"
        "with on_ray.local_cluster(cpu_count=1):\n"
        "    print(os.environ['RAY_AUTH_TOKEN_PATH'], oct(os.stat(os.environ['RAY_AUTH_TOKEN_PATH']).st_mode))\n"
        "print('RAY_AUTH_MODE' in os.environ)\n"
    )
    home = tmp_path / "home"
    home.mkdir()
    environment = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        timeout=60,
        env=environment | {"HOME": str(home)},
        check=True,
    )
    token, mode, is_set = done.stdout.split()
    assert mode == "0o100600"
    assert is_set == "False"
    assert not os.path.exists(os.path.dirname(token))
    assert list(home.iterdir()) == []
    assert os.path.dirname(token) not in _command_lines()


def test_folder_of_a_killed_driver_is_removed_by_the_next(tmp_path):
    (tmp_path / "dvp-ray-dead").mkdir()
    (tmp_path / "dvp-ray-dead" / "driver.lock").touch()
    (tmp_path / "dvp-ray-living").mkdir()
    held = try_lock(tmp_path / "dvp-ray-living" / "driver.lock")
    (tmp_path / "dvp-ray-young").mkdir()
    on_ray._remove_leftovers(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"dvp-ray-living", "dvp-ray-young"}
    os.close(held)


def test_head_whose_ray_dies_under_it_ends_and_says_so(make_job, roots, tmp_path):
    head = Head(tmp_path / "state", roots.folders["site"], "ray").start()
    os.kill(_child_named("raylet", head.process.pid), signal.SIGKILL)
    assert head.process.wait(timeout=60) == 1
    head.process.stdout.close()


def _child_named(program, parent_id):
    with open(f"/proc/{parent_id}/task/{parent_id}/children") as stream:
        for process_id in map(int, stream.read().split()):
            with open(f"/proc/{process_id}/cmdline", "rb") as command:
                if command.read().split(b"\0")[0].endswith(f"/{program}".encode()):
                    return process_id
    raise AssertionError(program)


def _command_lines():
    lines = []
    for entry in os.listdir("/proc"):
        if entry.isdigit() and int(entry) != os.getpid():
            try:
                with open(f"/proc/{entry}/cmdline", "rb") as stream:
                    lines.append(stream.read().decode(errors="replace"))
            except OSError:
                continue
    return "\n".join(lines)

"""The farm's workers as Ray actors: the only file of the project that imports Ray.

Ray places and starts processes and tells when one dies. It holds nothing that may not be lost: actors are never
restarted nor tasks retried by Ray (the ledger counts attempts; Ray's own retries would run a poison frame for ever),
and only small records travel, one for each finished frame; pixels go to the disk.
"""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import ray
from ray.exceptions import GetTimeoutError, RayActorError, RayError, RayTaskError

from dvp_core.data.errors import DataError
from farm.backends.worker_process import WorkerProcess
from farm.cluster_token import require_private_token
from farm.errors import UnavailableError
from farm.failures import text_of
from farm.file_lock import try_lock
from farm.lease import LEASE_S
from farm.painters import Painters
from farm.pool_facts import MachineFacts, PoolFacts, WorkerFacts, machine_of_ray
from farm.tasks import (
    AttemptEnded,
    Event,
    Failure,
    PreviewFunction,
    PreviewOrder,
    PreviewResult,
    Recorded,
    TaskFunction,
    WorkerDied,
    WorkerReady,
    WorkOrder,
)
from farm.worker import paint_preview

WORKER_ENVIRONMENT: Mapping[str, str] = {
    # Large arrays come and go with every frame; without these the kernel maps and zeroes their pages each time.
    "MALLOC_MMAP_THRESHOLD_": str(1 << 30),
    "MALLOC_TRIM_THRESHOLD_": str(4 << 30),
    "MALLOC_TOP_PAD_": str(64 << 20),
    # One worker a core: threads of two workers on one core slow both down.
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "NUMBA_NUM_THREADS": "1",
}
_OBJECT_STORE_BYTES = 80 << 20
_MOST_STILLBIRTHS = 5
_LONGEST_TEMPORARY_PATH = 40
_FOLDER_PREFIX = "dvp-ray-"
_LOCK_NAME = "driver.lock"
_WAITING_PREVIEWS = 8
_RENEWALS_PER_LEASE = 6
_VITAL_PROCESSES = ("gcs_server", "raylet")
_PREVIEW_DEADLINE_S = 120.0
"""A worker's first preview loads torch and the generator, after the batch in hand."""


@dataclass(frozen=True)
class WorkerNeeds:
    """What one worker asks of a machine.

    Attributes:
        cpu_count: Cores; one torch thread runs on one core.
        gpu_share: Part of a GPU; 0 keeps the worker off every GPU.
    """

    cpu_count: float = 1.0
    gpu_share: float = 0.0


@dataclass
class _Actor:
    """The driver's side of one worker: its handle, and what is awaited from it."""

    handle: Any
    born: Any
    machine: Any
    order: WorkOrder | None = None
    records: Any = None
    is_ready: bool = False
    is_withdrawn: bool = False


@dataclass
class OnRay:
    """A pool of worker actors on the cluster this process is connected to (see `local_cluster`, `joined_cluster`).

    A worker that dies is replaced by another of a new name. Where workers die again and again before they are ready,
    nothing is wrong with a frame but with the machine, and `poll` raises `DataError`.
    """

    task_function: TaskFunction
    worker_count: int
    needs: WorkerNeeds = field(default_factory=WorkerNeeds)
    environment: Mapping[str, str] = field(default_factory=lambda: WORKER_ENVIRONMENT)
    preview_function: PreviewFunction = paint_preview
    lease_s: float = LEASE_S
    _renewed_s: float = 0.0
    _actors: dict[str, _Actor] = field(default_factory=dict)
    _news: list[Event] = field(default_factory=list)
    _named_count: int = 0
    _stillbirth_count: int = 0
    _painters: Painters = field(default_factory=Painters)
    _unwell: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        if self.needs.gpu_share > 0 and ray.cluster_resources().get("GPU", 0) == 0:
            raise DataError(
                "the Ray cluster has no GPU, so workers that need one would wait for ever",
                where=f"GPU share {self.needs.gpu_share}",
                remedy="leave --gpu-share out, or add a machine with a GPU to the cluster",
            )
        for _ in range(self.worker_count):
            self._add_worker()

    def _add_worker(self) -> None:
        self._named_count += 1
        environment = dict(self.environment)
        if self.needs.gpu_share == 0:
            environment["CUDA_VISIBLE_DEVICES"] = ""  # Ray leaves it unset, and the worker would see every GPU
        make: Any = ray.remote(  # pyright: ignore[reportCallIssue]
            num_cpus=self.needs.cpu_count,
            num_gpus=self.needs.gpu_share,
            max_restarts=0,
            max_task_retries=0,
            concurrency_groups={"control": 1, "preview": _WAITING_PREVIEWS},
            runtime_env={"env_vars": environment},
        )
        handle: Any = make(WorkerProcess).remote(self.task_function, self.preview_function, self.lease_s)
        self._actors[f"worker-{self._named_count:04d}"] = _Actor(
            handle, handle.process_id.remote(), handle.machine.remote()
        )

    def idle_workers(self) -> tuple[str, ...]:
        """Return the workers that are ready and have no order."""
        return tuple(name for name, actor in self._actors.items() if actor.is_ready and actor.order is None)

    def start(self, worker: str, order: WorkOrder) -> None:
        """Give an idle worker its order."""
        actor = self._actors[worker]
        actor.order, actor.is_withdrawn = order, False
        actor.records = actor.handle.run.options(num_returns="streaming").remote(order)

    def poll(self, *, timeout_s: float) -> list[Event]:
        """Return what has happened, waiting at most `timeout_s` for the first news."""
        while self._unwell:
            self.kill(self._unwell.pop(), reason="it did not end a preview")
        self._renew_leases()
        _require_own_processes()
        awaited = {self._awaited(actor): worker for worker, actor in self._actors.items() if self._awaited(actor)}
        if self._news:
            timeout_s = 0.0
        if awaited:
            ready, _ = ray.wait(list(awaited), num_returns=len(awaited), timeout=0)
            if not ready:
                ready, _ = ray.wait(list(awaited), num_returns=1, timeout=timeout_s)
            for item in ready:
                self._hear(awaited[item])
        else:
            time.sleep(timeout_s)
        news, self._news = self._news, []
        return news

    def _renew_leases(self) -> None:
        """Let the workers hear of this process, several times in the length of a lease."""
        if time.monotonic() - self._renewed_s < self.lease_s / _RENEWALS_PER_LEASE:
            return
        self._renewed_s = time.monotonic()
        for actor in self._actors.values():
            if actor.order is not None:
                actor.handle.renew_lease.options(concurrency_group="control").remote()

    def _awaited(self, actor: _Actor) -> Any:
        return actor.records if actor.is_ready else actor.born

    def _hear(self, worker: str) -> None:
        """Take one piece of news from a worker."""
        actor = self._actors[worker]
        try:
            if not actor.is_ready:
                self._news.append(WorkerReady(worker, ray.get(actor.born)))
                actor.is_ready, self._stillbirth_count = True, 0
                return
            self._hear_record(worker, actor)
        except RayActorError as error:
            self._bury(worker, str(error))

    def _hear_record(self, worker: str, actor: _Actor) -> None:
        assert actor.order is not None
        attempt = actor.order.attempt
        try:
            record: Any = ray.get(next(actor.records))
            if not isinstance(record, Failure):
                self._news.append(Recorded(worker, attempt, record))
                return
            ended = AttemptEnded(worker, attempt, record)
        except StopIteration:
            ended = AttemptEnded(worker, attempt, Failure("withdrawn") if actor.is_withdrawn else None)
        except RayTaskError as error:
            ended = AttemptEnded(worker, attempt, Failure("error", text_of(error)))
        actor.order = actor.records = None
        self._news.append(ended)

    def _bury(self, worker: str, reason: str) -> None:
        """Forget a dead worker and start another; give up where none lives long enough to be ready."""
        actor = self._actors.pop(worker)
        if not actor.is_ready:
            self._stillbirth_count += 1
        if self._stillbirth_count >= _MOST_STILLBIRTHS:
            raise DataError(f"no worker starts on this cluster ({reason})", remedy="see the logs of Ray's session")
        self._news.append(WorkerDied(worker, actor.order.attempt if actor.order else None, reason))
        self._add_worker()

    def facts(self) -> PoolFacts:
        """Return the workers and the cluster's machines; a worker that has not said where it runs is not waited for."""
        actors = list(self._actors.items())  # `poll` changes them in another thread
        workers = tuple(WorkerFacts(name, _known_text(actor.machine), actor.is_ready) for name, actor in actors)
        return PoolFacts(workers, _machines(), _dashboard_url())

    def withdraw(self, worker: str) -> None:
        """Ask a worker to end its order after the frame in hand."""
        actor = self._actors[worker]
        if actor.order is not None:
            actor.is_withdrawn = True
            actor.handle.withdraw.options(concurrency_group="control").remote(actor.order.attempt)

    def preview(self, order: PreviewOrder) -> PreviewResult | None:
        """Paint a preview on the worker that has painted its generator before, else on one that is free."""
        actors = dict(list(self._actors.items()))  # `poll` changes them in another thread
        if not actors:
            raise UnavailableError("the farm is stopping", where="preview")
        is_busy = {name: actor.order is not None for name, actor in actors.items()}
        with self._painters.of(order.request.generator, is_busy) as worker:
            result = self._painted(worker, actors[worker], order)
        return None if result is None else replace(result, worker=worker)

    def _painted(self, worker: str, actor: _Actor, order: PreviewOrder) -> PreviewResult | None:
        call = actor.handle.preview.options(concurrency_group="preview").remote(order)
        try:
            return ray.get(call, timeout=_PREVIEW_DEADLINE_S)
        except RayTaskError as error:
            raise _preview_error(error) from error
        except (RayActorError, GetTimeoutError) as error:
            self._unwell.append(worker)
            raise UnavailableError("the worker died or was silent for too long", where="preview") from error

    def kill(self, worker: str, *, reason: str) -> None:
        """End a worker's process now and start another."""
        actor = self._actors.get(worker)
        if actor is not None:
            ray.kill(actor.handle, no_restart=True)
            self._bury(worker, reason)

    def close(self) -> None:
        """End all worker processes."""
        for actor in self._actors.values():
            ray.kill(actor.handle, no_restart=True)
        self._actors.clear()


def _known_text(promised: Any) -> str:
    """Return a text that a worker was asked for, empty where it has not come or never will."""
    if not ray.is_initialized():  # asked now, Ray would start a cluster of its own
        return ""
    try:
        ready, _ = ray.wait([promised], timeout=0)
        return ray.get(ready[0], timeout=1) if ready else ""
    except RayError:
        return ""


def _machines() -> tuple[MachineFacts, ...]:
    try:
        return tuple(machine_of_ray(node) for node in ray.nodes())
    except RayError:  # the cluster is gone, and the head will be
        return ()


def _dashboard_url() -> str | None:
    """Return the address of Ray's page; a local cluster has none."""
    from ray._private import worker

    address = worker.get_dashboard_url()
    return f"http://{address}" if address else None


def _preview_error(error: RayTaskError) -> DataError:
    """Return what a preview's task has raised: refusals as they are, anything else as the farm's own trouble."""
    if isinstance(error.cause, DataError):
        return error.cause
    reason = text_of(error).splitlines()[-1]
    return UnavailableError(f"the worker could not paint it ({reason})", where="preview")


@contextmanager
def local_cluster(*, cpu_count: int, has_gpus: bool = False) -> Iterator[None]:
    """Run a Ray cluster of this machine alone for as long as the block lasts; nothing of it remains afterwards.

    It asks for a token like any other cluster, kept in a private folder that goes with it. The user's home is not
    touched, there is no dashboard, and a killed driver takes all of Ray's processes with it.
    """
    base = tempfile.gettempdir()
    if len(base) > _LONGEST_TEMPORARY_PATH:
        base = "/tmp"
    _remove_leftovers(Path(base))
    folder = Path(tempfile.mkdtemp(prefix=_FOLDER_PREFIX, dir=base))
    lock = try_lock(folder / _LOCK_NAME)
    token = folder / "token"
    token.touch(mode=0o600)
    token.write_text(secrets.token_hex(32))
    changes = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": str(token)}
    try:
        with _environment(changes | {"RAY_USAGE_STATS_ENABLED": "0", "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0"}):
            _reread_authentication()
            _initialise(
                address="local",
                num_cpus=cpu_count,
                num_gpus=None if has_gpus else 0,  # None: as many as Ray finds
                include_dashboard=False,
                object_store_memory=_OBJECT_STORE_BYTES,
                _temp_dir=str(folder),
            )
            processes = _started_processes()
            try:
                yield
            finally:
                ray.shutdown()
                for process in processes:
                    process.wait()
    finally:
        _reread_authentication()
        shutil.rmtree(folder, ignore_errors=True)
        if lock is not None:
            os.close(lock)


def _remove_leftovers(base: Path) -> None:
    """Remove the folders of clusters whose driver was killed; a living one holds its folder's lock."""
    for lock_file in base.glob(f"{_FOLDER_PREFIX}*/{_LOCK_NAME}"):
        if lock_file.stat().st_uid == os.getuid() and (lock := try_lock(lock_file)) is not None:
            shutil.rmtree(lock_file.parent, ignore_errors=True)
            os.close(lock)


@contextmanager
def joined_cluster(address: str) -> Iterator[None]:
    """Be connected to a running cluster for as long as the block lasts; its token must be on and private.

    Raises:
        DataError: Token authentication is off, the token's file can be read by others, or nobody answers.
    """
    require_private_token()
    try:
        _initialise(address=address)
    except (ConnectionError, RayError, ValueError) as error:
        raise DataError(
            f"no Ray cluster can be joined there ({error})",
            where=address,
            remedy="start it with `ray start --head` and give every machine the same token",
        ) from error
    try:
        yield
    finally:
        ray.shutdown()


def _initialise(**options: Any) -> None:
    ray.init(namespace="dvp-farm", log_to_driver=False, configure_logging=False, **options)


def _reread_authentication() -> None:
    """Make Ray look at the environment again: it keeps the mode and the token that it read first."""
    from ray._raylet import AuthenticationTokenLoader, Config  # pyright: ignore[reportAttributeAccessIssue]

    Config.initialize("")
    AuthenticationTokenLoader.instance().reset_cache()


def _started_processes(name: str | None = None) -> list[subprocess.Popen[bytes]]:
    """Return the processes of the local cluster, all or those of a name; Ray waits for only some at shutdown."""
    from ray._private import worker

    node: Any = worker._global_node
    by_name = {} if node is None else node.all_processes
    return [info.process for kind, infos in by_name.items() for info in infos if name in (None, kind)]


def _require_own_processes() -> None:
    """Raise `DataError` where Ray has died under this process, which would wait a minute and then not end by itself."""
    for name in _VITAL_PROCESSES:
        if any(process.poll() is not None for process in _started_processes(name)):
            raise DataError(f"Ray has ended under the farm ({name})", remedy="Start it again; it goes on where it was")


@contextmanager
def _environment(changes: Mapping[str, str]) -> Iterator[None]:
    """Set environment variables for a block: Ray reads them when it starts and hands them to its processes."""
    before = {name: os.environ.get(name) for name in changes}
    os.environ.update(changes)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def process_ids(backend: OnRay, *, timeout_s: float = 10.0) -> dict[str, int]:
    """Return the process of every idle worker, for operators and for tests that end one."""
    pids: dict[str, int] = {}
    for name, actor in backend._actors.items():
        try:
            pids[name] = ray.get(actor.born, timeout=timeout_s)
        except (GetTimeoutError, RayActorError):
            continue
    return pids

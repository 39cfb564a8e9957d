"""The Ray clusters that a farm runs on: one made for this machine alone, or a running one that is joined.

Ray's own processes and files end with the block that began them, however that ends.
"""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import ray
from ray.exceptions import RayError

from dvp_core.data.errors import DataError
from farm.cluster_token import require_private_token
from farm.file_lock import try_lock

_OBJECT_STORE_BYTES = 80 << 20
_LONGEST_TEMPORARY_PATH = 40
_FOLDER_PREFIX = "dvp-ray-"
_LOCK_NAME = "driver.lock"
_VITAL_PROCESSES = ("gcs_server", "raylet")


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


def require_own_processes() -> None:
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


def dashboard_url() -> str | None:
    """Return the address of Ray's page; a local cluster has none."""
    from ray._private import worker

    address = worker.get_dashboard_url()
    return f"http://{address}" if address else None

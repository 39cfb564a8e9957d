"""The head: one process that holds the ledger, drives the workers and answers over HTTP.

The scheduler runs in the main thread, the server beside it; they share the ledger alone. A signal lets the frames in
hand finish, gives everything else back to the ledger and leaves. Killed without a word, it loses no finished frame.
"""

from __future__ import annotations

import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import FrameType

import uvicorn

from dvp_core.data.errand import AnyJob
from dvp_core.data.errors import DataError
from farm.api import Site, make_app
from farm.api_page import PageSite
from farm.backends import Backend
from farm.client import LOOPBACK
from farm.ledger import Ledger
from farm.ledger_copies import LedgerCopier, open_ledger
from farm.ledger_view import LedgerView
from farm.local import BackendName, opened_backend
from farm.opening import opening_of
from farm.pictures import Pictures
from farm.preflight import check_job
from farm.previews import PreviewLane
from farm.recovery import requeue_lost_frames
from farm.root_marks import marked_roots
from farm.roots import Roots
from farm.scheduler import Scheduler, SchedulerOptions
from farm.sessions import Sessions
from farm.tasks import TaskFunction
from farm.tls import TlsFiles, check_tls
from farm.tokens import add_user, read_connection_token, read_users, user_of_token, write_connection
from farm.webhook import Webhook, announcing, note_ended_jobs
from farm.worker import run_order

_OWN_USER = "owner"
_TOKENS = "tokens.json"


@dataclass(frozen=True)
class HeadOptions:
    """How a head runs.

    Attributes:
        state_folder: Ledger, tokens and connection file; private to the user.
        roots: The folders that jobs may name.
        host: Address to listen on; anything but loopback needs `tls` or `is_behind_proxy`.
        port: 0 takes a free one.
        backend: Where orders run.
        workers: Worker processes.
        gpu_share: Part of a GPU for each worker; 0 renders on the processor.
        address: A running Ray cluster; None starts one of this machine's own.
        is_behind_proxy: A proxy in front speaks TLS to the outside.
        webhook: Who is told of ended jobs.
        tls: Certificate and key where the head speaks TLS itself.
        scheduling: Deadlines.
    """

    state_folder: Path
    roots: Roots
    host: str = "127.0.0.1"
    port: int = 8642
    backend: BackendName = "ray"
    workers: int = 2
    gpu_share: float = 0.0
    address: str | None = None
    is_behind_proxy: bool = False
    webhook: Webhook | None = None
    tls: TlsFiles | None = None
    scheduling: SchedulerOptions = field(default_factory=SchedulerOptions)


def run_head(
    options: HeadOptions,
    *,
    task_function: TaskFunction = run_order,
    preflight: Callable[[AnyJob, Roots], None] = check_job,
    on_ready: Callable[[str], None] = lambda url: None,
) -> None:
    """Run a head until it is told to stop by SIGTERM, SIGINT or Ctrl-C.

    Args:
        options: See `HeadOptions`.
        task_function: What runs an order.
        preflight: Refuses jobs that cannot succeed.
        on_ready: Called with the head's address once it takes jobs.

    Raises:
        DataError: Another head holds the ledger, the ledger is damaged, the port is taken or the address is not safe.
    """
    _check_address(options)
    with open_ledger(options.state_folder / "ledger.sqlite", clock=time.time) as ledger:
        options = replace(options, roots=marked_roots(options.roots, state_folder=options.state_folder))
        note_ended_jobs(ledger, is_wanted=options.webhook is not None)
        ledger.recover()
        requeue_lost_frames(ledger, options.roots)
        listener = _listen(options)
        url = _url_of(options, listener)
        token_file = options.state_folder / _TOKENS
        _write_own_connection(options, token_file, url)
        with (
            opened_backend(
                options.backend,
                workers=options.workers,
                task_function=task_function,
                address=options.address,
                gpu_share=options.gpu_share,
                lease_s=options.scheduling.lease_s,
            ) as backend,
            LedgerView(ledger.path) as view,
            _serving(_site(options, ledger, view, backend, preflight), listener, options.tls),
            announcing(ledger, options.webhook),
            _stop_asked() as is_asked,
        ):
            scheduler = Scheduler(ledger, backend, options.roots, options.scheduling)
            on_ready(url)
            _run_scheduler(scheduler, is_asked)


def _site(
    options: HeadOptions,
    ledger: Ledger,
    view: LedgerView,
    backend: Backend,
    preflight: Callable[[AnyJob, Roots], None],
) -> Site:
    token_file = options.state_folder / _TOKENS
    lane = PreviewLane(backend, options.roots)
    sessions = Sessions(options.state_folder / "sessions.json")
    page = PageSite(view, Pictures(view, options.roots), sessions, token_file, backend.facts)
    return Site(
        ledger,
        token_file,
        preflight=lambda job: preflight(job, options.roots),
        preview=lane.paint,
        roots=options.roots,
        page=page,
        opening=lambda job: opening_of(job, options.roots),
    )


def _run_scheduler(scheduler: Scheduler, is_asked: threading.Event) -> None:
    """Turn the scheduler until a stop is asked for, then let the frames in hand finish."""
    copier = LedgerCopier(scheduler.ledger, every_s=scheduler.options.ledger_copy_s)
    try:
        while not is_asked.is_set():
            scheduler.step()
            copier.step()
        scheduler.withdraw_all()
        patience_end_s = time.monotonic() + scheduler.options.withdraw_patience_s
        while not scheduler.is_idle() and time.monotonic() < patience_end_s:
            scheduler.step()
    finally:
        scheduler.stop(message="the head was stopped")


@contextmanager
def _stop_asked() -> Iterator[threading.Event]:
    """Turn SIGTERM and SIGINT into an event for the length of the block."""
    asked = threading.Event()

    def ask(number: int, frame: FrameType | None) -> None:
        asked.set()

    before = {number: signal.signal(number, ask) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _serving(site: Site, listener: socket.socket, tls: TlsFiles | None) -> Iterator[None]:
    """Serve the API from a thread for the length of the block."""
    configuration = uvicorn.Config(
        make_app(site),
        log_config=None,
        access_log=False,
        limit_concurrency=64,
        timeout_keep_alive=5,
        timeout_graceful_shutdown=3,
        server_header=False,
        lifespan="off",
        ssl_certfile=None if tls is None else tls.certificate,
        ssl_keyfile=None if tls is None else tls.key,
    )
    server = uvicorn.Server(configuration)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, name="farm-api", daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.should_exit = True
        thread.join(timeout=10)
        listener.close()


def _check_address(options: HeadOptions) -> None:
    if options.tls is not None:
        check_tls(options.tls)
    elif options.host not in LOOPBACK and not options.is_behind_proxy:
        raise DataError(
            "would carry tokens unencrypted over the network",
            where=f"host {options.host}",
            remedy="give --tls-cert and --tls-key, or listen on 127.0.0.1 and reach it through ssh or a TLS proxy "
            "(then add --behind-proxy)",
        )


def _url_of(options: HeadOptions, listener: socket.socket) -> str:
    """Return the address under which this machine reaches the head."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(options.host, options.host)
    scheme = "http" if options.tls is None else "https"
    return f"{scheme}://{f'[{host}]' if ':' in host else host}:{listener.getsockname()[1]}"


def _listen(options: HeadOptions) -> socket.socket:
    family = socket.AF_INET6 if ":" in options.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((options.host, options.port))
        listener.listen(128)
    except OSError as error:
        listener.close()
        raise DataError(
            f"cannot listen there ({error.strerror})",
            where=f"{options.host}:{options.port}",
            remedy="choose another --port",
        ) from error
    return listener


def _write_own_connection(options: HeadOptions, token_file: Path, url: str) -> None:
    """Give the head's own user a token if they have none that works, and write how to reach the head."""
    connection = options.state_folder / "connection.json"
    token = read_connection_token(connection)
    if token is None or user_of_token(read_users(token_file), token) is None:
        token = add_user(token_file, name=_OWN_USER, role="operate")
    authority = None if options.tls is None else options.tls.authority
    write_connection(connection, url=url, token=token, authority=authority)

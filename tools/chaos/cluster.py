"""A Ray cluster of two machines on one: the second node lives in a network namespace of its own, behind a cable.

Needs root in namespaces that the run made for itself (see `__main__`). The head node offers no processor, so that the
farm's workers are on the other side of the cable; the second node dies and is started anew many times.
"""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

_PORT = 6399
_HERE, _THERE = "10.77.0.1", "10.77.0.2"
_FAST_DETECTION = {
    "RAY_health_check_period_ms": "500",
    "RAY_health_check_timeout_ms": "1500",
    "RAY_health_check_failure_threshold": "4",
    "RAY_health_check_initial_delay_ms": "0",
    "RAY_gcs_rpc_server_reconnect_timeout_s": "6",
    "RAY_USAGE_STATS_ENABLED": "0",
    # A busy machine takes longer over its processes than Ray is used to.
    "RAY_agent_register_timeout_ms": "300000",
    "RAY_worker_register_timeout_seconds": "300",
}
_LISTEN_PORT = 21003
# A raylet dies where its agents have not told their ports within seconds; ports that are given need not be told.
_AGENT_PORTS = (
    "--dashboard-agent-grpc-port=21001",
    "--runtime-env-agent-port=21002",
    f"--dashboard-agent-listen-port={_LISTEN_PORT}",
    "--metrics-export-port=21004",
)
_STARTS = 5
_START_PATIENCE_S = 240.0
_STARTED = "Ray runtime started."
_OBJECT_STORE_BYTES = 80 << 20


@dataclass
class Cluster:
    """Ray's head node here, one more node over there, both started and ended by the run.

    Attributes:
        folder: Token, logs and Ray's own files.
        farm_environment: What the farm's processes find in their environment.
    """

    folder: Path
    farm_environment: dict[str, str]
    _nodes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    _far_side: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        """Where the head joins."""
        return f"{_HERE}:{_PORT}"

    @property
    def environment(self) -> dict[str, str]:
        """What tells a process how to speak to this cluster."""
        return _FAST_DETECTION | {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": str(self.folder / "token")}

    def set_up(self) -> None:
        """Lay the cable between the two sides."""
        self.folder.mkdir()
        token = self.folder / "token"
        token.touch(mode=0o600)
        token.write_text(secrets.token_hex(32))
        self._far_side = subprocess.Popen(["unshare", "--net", "sleep", "infinity"])
        time.sleep(0.3)
        far = str(self._far_side.pid)
        for command in (
            "ip link set lo up",
            "ip link add near type veth peer name far",
            f"ip link set far netns {far}",
            f"ip addr add {_HERE}/24 dev near",
            "ip link set near up",
            f"nsenter -t {far} -n ip link set lo up",
            f"nsenter -t {far} -n ip addr add {_THERE}/24 dev far",
            f"nsenter -t {far} -n ip link set far up",
        ):
            subprocess.run(command.split(), check=True)

    def ensure(self) -> None:
        """Start the nodes that do not run."""
        for side in ("near", "far"):
            for _ in range(_STARTS):
                if self._is_up(side):
                    break
                self._start(side)
            else:
                raise RuntimeError(f"Ray's {side} node does not start:\n{self._said(side)[-3000:]}")

    def _is_up(self, side: str) -> bool:
        return side in self._nodes and self._nodes[side].poll() is None

    def _start(self, side: str) -> None:
        before = len(self._said(side))
        ray = [sys.executable, "-m", "ray.scripts.scripts", "start", "--block", "--disable-usage-stats"]
        ray += [
            f"--object-store-memory={_OBJECT_STORE_BYTES}",
            "--include-log-monitor=false",
            "--no-monitor",
            *_AGENT_PORTS,
        ]
        if side == "near":
            command = [*ray, "--head", f"--node-ip-address={_HERE}", f"--port={_PORT}", "--num-cpus=0"]
            command += ["--include-dashboard=false", f"--temp-dir={self.folder / 'ray'}"]
        else:
            assert self._far_side is not None
            command = [*ray, f"--address={self.address}", f"--node-ip-address={_THERE}", "--num-cpus=3"]
            command = ["nsenter", "-t", str(self._far_side.pid), "-n", *command]
        with open(self.folder / f"{side}.log", "ab") as log:
            self._nodes[side] = subprocess.Popen(
                command,
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                env=self.farm_environment | self.environment,
                start_new_session=True,
            )
        end_s = time.monotonic() + _START_PATIENCE_S
        while _STARTED not in self._said(side)[before:]:
            self._tell_listen_port(side)
            if self._nodes[side].poll() is not None or time.monotonic() > end_s:
                self.end_node(side)
                return
            time.sleep(0.2)

    def _tell_listen_port(self, side: str) -> None:
        """Write down the one port that Ray does not pass on, as its agent does when it is up."""
        for process_id in self.processes(side, "raylet"):
            with suppress(OSError, StopIteration):
                words = Path(f"/proc/{process_id}/cmdline").read_text().split("\0")
                node = next(word for word in words if word.startswith("--node_id=")).partition("=")[2]
                session = next(word for word in words if word.startswith("--session_dir=")).partition("=")[2]
                (Path(session) / f"dashboard_agent_listen_port_{node}").write_text(str(_LISTEN_PORT))

    def _said(self, side: str) -> str:
        log = self.folder / f"{side}.log"
        return log.read_text(errors="replace") if log.exists() else ""

    def processes(self, side: str, program: str) -> list[int]:
        """Return a node's processes that run a program."""
        node, found = self._nodes.get(side), []
        for entry in Path("/proc").iterdir():
            if node is None or not entry.name.isdigit():
                continue
            with suppress(OSError):
                name = (entry / "cmdline").read_bytes().split(b"\0")[0].rpartition(b"/")[2].decode()
                if name == program and os.getsid(int(entry.name)) == node.pid:
                    found.append(int(entry.name))
        return found

    def kill(self, side: str, program: str, number: int = signal.SIGKILL) -> None:
        """Send a signal to a node's processes that run a program."""
        for process_id in self.processes(side, program):
            with suppress(ProcessLookupError):
                os.kill(process_id, number)

    def cut(self) -> None:
        """Pull the cable."""
        subprocess.run(["ip", "link", "set", "near", "down"], check=True)

    def mend(self) -> None:
        """Plug the cable in."""
        subprocess.run(["ip", "link", "set", "near", "up"], check=True)

    def end_node(self, side: str) -> None:
        """End all processes of a node that are left."""
        node = self._nodes.pop(side, None)
        if node is None:
            return
        for entry in Path("/proc").iterdir():
            with suppress(OSError, ValueError):
                if os.getsid(int(entry.name)) == node.pid:
                    os.kill(int(entry.name), signal.SIGKILL)
        node.wait()

    def stop(self) -> None:
        """End both nodes."""
        for side in ("far", "near"):
            self.end_node(side)

    def close(self) -> None:
        """End the far side itself."""
        self.stop()
        if self._far_side is not None:
            self._far_side.kill()
            self._far_side.wait()

"""A real head in a process of its own, for tests that speak to it over HTTP and pull its plug."""

import subprocess
import sys
from pathlib import Path

from farm.client import connect

SCRIPT = Path(__file__).parent / "run_head.py"


class Head:
    """A head process over a state folder; it can be killed and started again."""

    def __init__(self, state, site, backend):
        self.state, self.site, self.backend = state, site, backend
        self.process = None

    def start(self):
        self.process = subprocess.Popen(
            [sys.executable, str(SCRIPT), str(self.state), str(self.site), self.backend],
            stdout=subprocess.PIPE,
            text=True,
        )
        self.url = self.process.stdout.readline().strip()
        assert self.url.startswith("http://127.0.0.1:")
        return self

    def end(self, number):
        self.process.send_signal(number)
        code = self.process.wait(timeout=30)
        self.process.stdout.close()
        return code

    @property
    def client(self):
        return connect(connection=self.state / "connection.json")

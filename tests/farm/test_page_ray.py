"""What real Ray workers tell the page about themselves."""

import os
import platform
import time

import pytest
import stub_task

from farm.backends import on_ray

pytestmark = pytest.mark.xdist_group("ray")  # no second cluster beside it


def test_workers_tell_where_they_run(monkeypatch):
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([os.path.dirname(__file__), os.environ.get("PYTHONPATH", "")]))
    with on_ray.local_cluster(cpu_count=2):
        pool = on_ray.OnRay(stub_task.run_order, 2)
        assert [worker.is_ready for worker in pool.facts().workers] == [False, False]  # nobody is waited for
        end_s = time.monotonic() + 60
        while not all(worker.is_ready and worker.machine for worker in pool.facts().workers):
            assert time.monotonic() < end_s
            pool.poll(timeout_s=0.1)
        facts = pool.facts()
        pool.close()
    assert [worker.machine for worker in facts.workers] == [platform.node()] * 2
    assert [(machine.is_alive, machine.cpu_count) for machine in facts.machines] == [(True, 2.0)]
    assert facts.dashboard_url is None  # only a cluster that was joined has one

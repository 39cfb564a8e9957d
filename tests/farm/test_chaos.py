"""The short form of the chaos run: what needs no root, over a shot that costs little. `make chaos` is the long one."""

import sys

import pytest

from tools.chaos.run import ChaosOptions, run_chaos

PLAN = {
    "worker killed": 3,
    "worker frozen": 1,
    "head killed": 1,
    "raylet killed under the head": 1,
    "two heads": 1,
    "clock jump": 1,
    "disk full reported": 1,
    "share gone": 1,
    "poison frame": 1,
    "frame deleted": 1,
    "frame cut": 1,
    "frame bit flipped": 1,
    "input cut": 1,
    "submitted again": 1,
    "ledger damaged": 1,
}


@pytest.mark.xdist_group("ray")
def test_random_faults_cost_no_frame_and_change_none(tmp_path, monkeypatch):
    monkeypatch.setenv("DVP_KEYS", str(tmp_path / "keys"))
    options = ChaosOptions(tmp_path / "run", PLAN, {}, seed=7, frame_count=120, chunk_size=5, is_quick=True)
    result = run_chaos(options, say=lambda text: sys.stderr.write(f"{text}\n"))
    assert result["problems"] == ()
    assert (result["faults"], result["identical"], result["half_written"]) == (sum(PLAN.values()), 120, 0)

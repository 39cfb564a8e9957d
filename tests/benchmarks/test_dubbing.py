"""The dubbing benchmark on the built-in actor: it runs, counts, and prints what it found."""

import json
from dataclasses import replace

import dubbing

from dvp_core.data.take import write_take


def test_the_benchmark_counts_contacts_and_what_shows_of_the_mouth(actor_take, tmp_path, capsys):
    gaping = actor_take.expression.copy()
    gaping[60:, actor_take.expression_names.index("jawOpen")] = 0.4
    write_take(tmp_path / "actor.take", actor_take)
    write_take(tmp_path / "dubber.take", replace(actor_take, expression=gaping))
    takes = [str(tmp_path / name) for name in ("actor.take", "dubber.take")]
    assert dubbing.main([*takes, "--output", str(tmp_path)]) == 0
    content = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert content["contacts"]["closed"]["met_before"] < content["contacts"]["closed"]["sounds"]
    assert all(count["rate"] >= 0.98 for count in content["contacts"].values())
    assert content["silent_frames"] > 0
    assert content["silent_differences"] == 0
    assert content["inside_px"]["mean_before"] > 15
    assert content["inside_px"]["mean_after"] < 1
    assert (tmp_path / "dubbing.png").stat().st_size > 10_000

"""Passes drawn when asked for are those that `render_passes` draws."""

from dataclasses import replace

import numpy as np
import pytest

from dvp_core.data.errors import DataError
from dvp_core.passes import RenderedPasses, render_passes, rendered


def test_a_frame_is_the_one_that_is_rendered(tiny_take):
    source = RenderedPasses(tiny_take)
    assert source.frames == tiny_take.frames
    wanted = list(render_passes(tiny_take))
    for number in (103, 101, 106, 103):
        found = source.read(number)
        assert found.content_sha256 == wanted[number - 101].content_sha256
        assert (found.frame, found.take_sha256) == (number, tiny_take.sha256)
    with pytest.raises(DataError, match="outside the take"):
        source.read(107)


def test_a_face_given_beside_the_take_leaves_it_the_same_take(tiny_take, tiny_face):
    bare = replace(tiny_take, face=None)
    found = RenderedPasses(bare, face=tiny_face).read(102)
    assert found.take_sha256 == bare.sha256
    np.testing.assert_array_equal(found.mask, RenderedPasses(tiny_take).read(102).mask)
    with pytest.raises(DataError, match="carries no face"):
        RenderedPasses(bare)


def test_few_frames_are_kept(tiny_take, monkeypatch):
    monkeypatch.setattr(rendered, "_KEPT", 2)
    drawn = []
    monkeypatch.setattr(
        rendered, "render_passes", lambda take, frames: drawn.extend(frames) or render_passes(take, frames=frames)
    )
    source = RenderedPasses(tiny_take)
    for number in (101, 102, 102, 103, 101):
        source.read(number)
    assert drawn == [101, 102, 103, 101]

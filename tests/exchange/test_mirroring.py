import numpy as np

from dvp_core.exchange import mirrored, onto_take, performance_of
from dvp_core.face.posing import pose_vertices


def test_a_mirrored_head_stands_where_the_mirror_shows_it(make_take):
    take = make_take(("jawOpen",), frame_count=6)
    take.expression[:] = 0
    result, _ = onto_take(mirrored(performance_of(take)), take)
    flip = np.array([-1.0, 1.0, 1.0])
    rest = take.face.vertices[:81] - take.face.vertices[:81].mean(axis=0)
    for index in range(6):
        # The face itself is not symmetric, so the turn is compared that carries it from rest to its pose.
        posed = [pose_vertices(one, index)[:81] for one in (take, result)]
        frames = [np.linalg.lstsq(rest, points - points.mean(axis=0), rcond=None)[0] for points in posed]
        np.testing.assert_allclose(frames[1], np.diag(flip) @ frames[0] @ np.diag(flip), atol=1e-5)
    place = take.head_translation_m[:, 0] - np.median(take.head_translation_m[:, 0])
    moved = result.head_translation_m[:, 0] - np.median(result.head_translation_m[:, 0])
    np.testing.assert_allclose(moved, -place, atol=1e-6)


def test_sides_change_and_a_second_mirror_brings_them_back(make_take):
    performance = performance_of(make_take(("mouthSmileLeft", "mouthSmileRight", "jawLeft", "jawOpen")))
    once = mirrored(performance)
    assert once.expression_names == ("mouthSmileRight", "mouthSmileLeft", "jawRight", "jawOpen")
    np.testing.assert_allclose(once.gaze_rad[:, 0], performance.gaze_rad[:, 1] * [-1, 1])
    twice = mirrored(once)
    assert twice.expression_names == performance.expression_names
    for name, values in performance.channels().items():
        np.testing.assert_array_equal(twice.channels()[name], values)

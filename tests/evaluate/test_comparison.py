"""One page over several generators: its numbers, its marks, its pictures pixel for pixel."""

from dataclasses import replace

import numpy as np
import pytest

from dvp_core.data.errors import DataError
from dvp_core.data.files import read_json
from dvp_core.data.frame_range import FrameRange
from dvp_core.evaluate import PICTURES_FILE, REPORT_FILE, evaluate_take, read_report, write_comparison
from dvp_core.evaluate.gallery import GENERATOR, PLATE, gallery_maker, joined, read_gallery, write_gallery
from dvp_core.evaluate.regions import MOUTH, crop_points, detail_boxes, mouth_row
from dvp_core.evaluate.score_table import table_texts
from dvp_core.evaluate.sheets import drawn, sheets_of


@pytest.fixture(scope="module")
def evaluations(scene, generators, tmp_path_factory):
    """The folder of each generator's evaluation."""
    folders = {}
    for name, generator in generators.items():
        folders[name] = tmp_path_factory.mktemp(name)
        evaluate_take(scene.take, scene.passes, scene.plate_crops, generator, folders[name])
    return folders


def test_the_page_has_every_generator_and_the_nearest_frame(evaluations, tmp_path):
    content = write_comparison(evaluations, tmp_path, title="Both", facts={"clip": "tiny.mp4"})
    assert list(content["presets"]) == ["one", "other", "nearest"]
    for name in evaluations:
        report = read_report(evaluations[name] / REPORT_FILE)
        assert content["presets"][name]["psnr_mouth"] == report.generator.psnr_mouth
        assert content["presets"][name]["parameters"] == report.parameters
    assert content["presets"]["nearest"]["ssim"] == report.nearest.ssim
    assert read_json(tmp_path / "comparison.json") == content
    text = (tmp_path / "comparison.html").read_text()
    assert "other" in text
    assert 'class="number best"' in text
    assert (tmp_path / "comparison.png").stat().st_size > 10_000


def test_evaluations_of_other_frames_are_refused(scene, generators, evaluations, tmp_path):
    frames = FrameRange.parse("106")
    evaluate_take(scene.take, scene.passes, scene.plate_crops, generators["other"], tmp_path, frames=frames)
    with pytest.raises(DataError, match="other frames"):
        write_comparison({"one": evaluations["one"], "other": tmp_path}, tmp_path / "both", title="", facts={})
    assert not (tmp_path / "both").exists()


def test_a_damaged_report_is_refused(evaluations, tmp_path):
    (tmp_path / REPORT_FILE).write_text('{"frames": "1-3"}')
    with pytest.raises(DataError, match="is no report"):
        read_report(tmp_path / REPORT_FILE)


def test_a_gallery_comes_back_from_its_file(evaluations, tmp_path):
    gallery = read_gallery(evaluations["one"] / PICTURES_FILE)
    write_gallery(tmp_path / "again.npz", gallery)
    again = read_gallery(tmp_path / "again.npz")
    assert gallery.frames.tolist() == again.frames.tolist() == [105, 106]
    for way, pictures in gallery.pictures.items():
        np.testing.assert_array_equal(pictures, again.pictures[way])


def test_pictures_stand_in_the_sheet_pixel_for_pixel(evaluations):
    gallery = joined({name: read_gallery(folder / PICTURES_FILE) for name, folder in evaluations.items()})
    sheet = sheets_of(gallery)[0]
    assert sheet.columns == ("plate", "nearest", "one", "other")
    times = len(sheet.cells[0][0]) // 32
    page, wanted = drawn(sheet), gallery.pictures["other"][1].repeat(times, axis=0).repeat(times, axis=1)
    bottom, right = page.shape[0] - 4, page.shape[1] - 4
    np.testing.assert_array_equal(page[bottom - len(wanted) : bottom, right - len(wanted) : right], wanted)


def test_memory_holds_a_few_frames_of_many(scene):
    take = replace(scene.take, clip=replace(scene.take.clip, start_frame=1))
    maker = gallery_maker(take, FrameRange.span(1, 6))
    assert len(maker.frames) < 6
    for frame in range(1, 7):
        maker.add(frame, {PLATE: np.full((32, 32, 3), frame, np.uint8), GENERATOR: np.zeros((32, 32, 3), np.uint8)})
    gallery = maker.gallery()
    assert gallery.pictures[PLATE][:, 0, 0, 0].tolist() == gallery.frames.tolist()
    assert gallery.slices[PLATE][:, 0, 0].tolist() == [1, 2, 3, 4, 5, 6]
    assert gallery.slices[PLATE].shape == (6, 32, 3)


def test_enlarged_boxes_hold_the_mouth_and_have_one_size(scene):
    take, indices = scene.take, np.arange(6)
    boxes = detail_boxes(take, indices, MOUTH)
    assert len({(right - left, bottom - top) for left, top, right, bottom in boxes.tolist()}) == 1
    assert boxes.min() >= 0
    assert boxes.max() <= 32
    middle = crop_points(take, 2)[MOUTH].mean(axis=0)
    assert (boxes[2, :2] <= middle).all()
    assert (middle <= boxes[2, 2:]).all()
    assert boxes[:, 1].min() <= mouth_row(take, indices) <= boxes[:, 3].max()


def test_the_best_is_marked_and_what_was_not_measured_is_not():
    rows = {
        "fast": {"rgb_distance": 3.0, "psnr": 30.0, "inference_ms": 9.0},
        "slow": {"rgb_distance": 2.0, "psnr": 29.0, "inference_ms": 20.0},
        "nearest": {"rgb_distance": 2.001, "psnr": 12.0, "inference_ms": 0.0},
    }
    likeness, cost = table_texts(rows)
    assert likeness.best == {(0, 2), (1, 1), (2, 1)}  # equal as shown is equally good
    assert cost.best == {(0, 1)}
    assert cost.lines[2] == ("nearest", "-")
    lost = {"fast": {"lost_frames": 0, "pose_error_deg": None}, "nearest": {"lost_frames": 0, "pose_error_deg": 2.0}}
    assert table_texts(lost)[0].lines[0] == ("fast", "-", "0")
    assert not table_texts(lost)[0].best

"""Every check before a submission, each with a scene that is broken in that way and no other."""

from dataclasses import replace
from types import SimpleNamespace

import bpy
import numpy as np
import pytest
from farm_shot import ready_shot, write_generator, write_passes
from recording_layout import RecordingLayout

from blender_addon.rig.keys import key_expression, key_head_rotation
from blender_addon.submit_checks import Submission, problems_of, unseen_poses
from blender_addon.submit_facts import check_submission, performance_of_frames, refuse_problems, submission_of
from blender_addon.ui.submit_panel import draw_submission
from dvp_core.data.coverage import coverage_from_dict, parameter_names, parameter_values
from dvp_core.data.errors import DataError
from dvp_core.data.frame_range import FrameRange
from dvp_core.data.take import write_take


@pytest.fixture
def ready(context, take_file, tmp_path):
    """A shot with nothing wrong: its folder, take and rig."""
    stored = context.preferences.addons["blender_addon"].preferences
    stored.root_folder, stored.root_name = str(tmp_path), "shots"
    take = replace(take_file[1], expression=0.5 * take_file[1].expression)
    write_take(take_file[0], take)
    imported = ready_shot(context, take_file[0], take, tmp_path)
    yield SimpleNamespace(folder=tmp_path, take=take, rig=imported.rig, scene=context.scene)
    stored.root_folder = ""


def only_problem():
    (problem,) = check_submission(bpy.context)
    assert problem.what
    assert problem.where
    assert problem.remedy
    return problem


def test_a_shot_with_nothing_wrong_has_no_problems(ready):
    assert check_submission(bpy.context) == ()
    assert bpy.ops.dvp.check_submission() == {"FINISHED"}
    assert ready.scene.dvp_submit.is_checked
    assert not ready.scene.dvp_submit.problems


def test_an_unsaved_file_is_named(ready):
    submission = replace(submission_of(bpy.context), blend_path="")
    (problem,) = problems_of(submission)
    assert "never saved" in problem.what
    assert "Save it" in problem.remedy


def test_an_empty_file_that_was_never_saved_has_no_rig_either(context):
    sentences = [problem.sentence for problem in check_submission(context)]
    assert any("never saved" in sentence for sentence in sentences)
    assert any("no portrait rig" in sentence for sentence in sentences)
    assert any("Generator: is empty" in sentence for sentence in sentences)


def missing_generator(ready):
    (ready.folder / "ada.safetensors").unlink()


def cut_generator(ready):
    path = ready.folder / "ada.safetensors"
    path.write_bytes(path.read_bytes()[:50])


def pickled_generator(ready):
    ready.scene.dvp.generator = str(ready.folder / "ada.pt")


def generator_of_another_model(ready):
    write_generator(ready.folder / "ada.safetensors", ready.take, face_model_sha256="0" * 64)


def generator_of_another_crop(ready):
    crop = {"x_px": 0, "y_px": 0, "size_px": 140, "resolution_px": 96}
    write_generator(ready.folder / "ada.safetensors", ready.take, crop=crop)


def generator_outside_the_shared_folder(ready):
    ready.scene.dvp.generator = "/elsewhere/ada.safetensors"


def no_generator(ready):
    ready.scene.dvp.generator = ""


def frames_outside(ready):
    ready.scene.dvp.frames = "1001,1004-1009"


def garbled_frames(ready):
    ready.scene.dvp.frames = "all of them"


def scene_range_elsewhere(ready):
    ready.scene.frame_start, ready.scene.frame_end = 1, 20


def no_passes(ready):
    ready.scene.dvp.passes_folder = str(ready.folder / "nowhere")


def missing_pass(ready):
    (ready.folder / "passes" / "passes.1003.exr").unlink()


def missing_pass_in_the_window(ready):
    missing_pass(ready)
    ready.scene.dvp.frames = "1005"


def damaged_pass(ready):
    (ready.folder / "passes" / "passes.1002.exr").write_bytes(b"no EXR")


def missing_plate(ready):
    ready.scene.dvp.plate = str(ready.folder / "plate.mp4")


def missing_consent(ready):
    ready.scene.dvp.consent = str(ready.folder / "consent.json")


def output_without_number(ready):
    ready.scene.dvp.output = str(ready.folder / "frames" / "frame.png")


@pytest.mark.parametrize(
    ("breakage", "where", "what"),
    [
        (missing_generator, "Generator", "there is no file"),
        (cut_generator, "ada.safetensors", "cut off"),
        (pickled_generator, "Generator", r"is no \*.safetensors"),
        (generator_of_another_model, "Generator", "another face model"),
        (generator_of_another_crop, "Generator", "0,0 140 px at 96 px of the plate"),
        (generator_outside_the_shared_folder, "Generator", "outside the folder shared"),
        (no_generator, "Generator", "is empty"),
        (frames_outside, "Frames", "not on the plate: frames 1007-1009"),
        (garbled_frames, "all of them", "is no frame, span"),
        (scene_range_elsewhere, "Frames", "no frame of the plate"),
        (no_passes, "Passes", "is no folder"),
        (missing_pass, "Passes", "passes: frame 1003"),
        (missing_pass_in_the_window, "Passes", "each frame needs the 10 before it"),
        (damaged_pass, "passes.1002.exr", "EXR"),
        (missing_plate, "Plate", "there is no"),
        (missing_consent, "Consent", "there is no"),
        (output_without_number, "output", "needs one run of #"),
    ],
)
def test_each_breakage_is_the_only_problem_and_is_refused(ready, breakage, where, what):
    breakage(ready)
    problem = next(iter(check_submission(bpy.context)))
    assert where in problem.where
    with pytest.raises(DataError, match=what):
        refuse_problems(bpy.context)
    assert not problem.is_warning
    assert problem.remedy
    ready.scene.dvp_submit.is_warning_accepted = True
    with pytest.raises(DataError, match=what):
        refuse_problems(bpy.context)


def test_a_generator_outside_gives_one_problem_of_the_folder_and_one_of_the_file(ready):
    generator_outside_the_shared_folder(ready)
    assert [problem.where for problem in check_submission(bpy.context)] == ["Generator", "Generator"]


def test_paths_of_other_roots_are_left_to_the_farm(ready):
    ready.scene.dvp.generator = "models:ada.safetensors"
    assert check_submission(bpy.context) == ()
    ready.scene.dvp.generator = "shots:ada.safetensors"
    assert check_submission(bpy.context) == ()
    ready.scene.dvp.generator = "shots:none.safetensors"
    assert "there is no file" in only_problem().what


def test_passes_of_another_take_are_a_warning(ready):
    write_passes(ready.folder / "passes", replace(ready.take, subject="Bea"), [1002, 1003])
    problem = only_problem()
    assert problem.is_warning
    assert "frames 1002-1003 show another take" in problem.what
    refused_until_accepted(ready.scene)


def refused_until_accepted(scene):
    with pytest.raises(DataError, match="accept the warnings"):
        refuse_problems(bpy.context)
    scene.dvp_submit.is_warning_accepted = True
    refuse_problems(bpy.context)


def test_a_mouth_opened_wider_than_seen_is_a_warning_that_has_to_be_ticked(ready):
    seen = ready.take.expression[:, ready.take.expression_names.index("jawOpen")]
    key_expression(ready.rig, "jawOpen", 1004, 1.0, mode="replace")
    problem = only_problem()
    assert problem.is_warning
    assert "jawOpen is 1.00 at frame" in problem.what
    assert f"seen {seen.min():.2f} to {seen.max():.2f}" in problem.what
    refused_until_accepted(ready.scene)
    assert [item.is_warning for item in ready.scene.dvp_submit.problems] == [True]


def test_a_head_turned_further_than_seen_is_told_in_degrees(ready):
    key_head_rotation(ready.rig, 1003)
    key_head_rotation(ready.rig, 1004, yaw_deg=60)
    problems = check_submission(bpy.context)
    assert all(problem.is_warning for problem in problems)
    assert any("head yaw is" in problem.what and " deg at frame 100" in problem.what for problem in problems)


def test_a_combination_that_was_never_seen_is_told_though_each_control_was(ready):
    """Seen are heads turned left and high, and right and low; asked is left and low."""
    names = parameter_names(ready.take.expression_names)
    side = np.where(np.arange(40) % 2, 1.0, -1.0)
    values = 0.01 * np.random.default_rng(1).normal(size=(40, len(names)))
    values[:, 0] += 0.4 * side
    values[:, 4] += 0.1 * side
    content = {
        "parameters": names,
        "frame_count": 40,
        "value": {"min": values.min(0).tolist(), "max": values.max(0).tolist(), "std": values.std(0).tolist()},
        "poses": values.tolist(),
    }
    coverage = coverage_from_dict(content, where="g")
    assert unseen_poses(coverage, ready.take, FrameRange.span(7, 7), values[:1]) == ()
    asked = values[:1].copy()
    asked[0, 0] *= -1
    (problem,) = unseen_poses(coverage, ready.take, FrameRange.span(7, 7), asked)
    assert problem.is_warning
    assert "combination of the head's controls as at frame 7" in problem.what


def test_frames_that_are_not_rendered_may_do_what_they_like(ready):
    key_expression(ready.rig, "jawOpen", 1001, 0.0, mode="add")
    key_expression(ready.rig, "jawOpen", 1005, 0.0, mode="add")
    key_expression(ready.rig, "jawOpen", 1006, 0.9, mode="add")
    assert "jawOpen" in only_problem().what
    ready.scene.dvp.frames = "1001-1005"
    assert check_submission(bpy.context) == ()


def test_the_performance_read_is_the_takes_own(ready):
    ready.scene.frame_set(1003)
    values = performance_of_frames(bpy.context, ready.take.frames)
    take = ready.take
    expected = parameter_values(take.head_rotation_wxyz, take.head_translation_m, take.gaze_rad, take.expression)
    np.testing.assert_allclose(values, expected, atol=1e-6)
    assert ready.scene.frame_current == 1003


def test_submission_stops_before_the_network(ready):
    bpy.context.preferences.system.use_online_access = True
    missing_generator(ready)
    try:
        with pytest.raises(RuntimeError, match="there is no file"):
            bpy.ops.dvp.submit()
    finally:
        bpy.context.preferences.system.use_online_access = False
    assert ready.scene.dvp.job_id == ""
    assert "Generator" in ready.scene.dvp_submit.problems[0].sentence


def test_the_panel_shows_problem_and_remedy_and_the_tick_for_warnings(ready):
    key_expression(ready.rig, "jawOpen", 1004, 1.0, mode="replace")
    bpy.ops.dvp.check_submission()
    drawn = []
    draw_submission(RecordingLayout(drawn), bpy.context)
    text = " ".join(value for kind, value in drawn if kind == "label")
    assert "jawOpen is 1.00" in text
    assert "train with footage that shows it" in text
    assert ("prop", "is_warning_accepted") in drawn


def test_checks_need_no_scene():
    nothing = Submission("shot.blend", (), None, None, None, None, None, None)
    assert problems_of(nothing) == ()

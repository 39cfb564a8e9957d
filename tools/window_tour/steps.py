"""The tour's steps in their order: those of docs/animators.md, each with what must be true after it, and a picture."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from dvp_core.edit import REGIONS
from dvp_core.trust import verify
from tools.window_tour.window import PATIENCE_S, TourError, Window, waited_for

FIRST, KEYED, LAST = 95, 105, 115  # plate frames: where the change begins, is whole, and has ended
SENT = f"{FIRST}-{LAST}"
_RENDER_SECONDS = 400.0
_BACK = 25.0  # of Blender's numbers for the zoom through a camera, so that two heads fit into the window
_VIEW = "area_of('VIEW_3D')[1].spaces.active"
_PREVIEW = "bpy.context.window_manager.dvp_preview"
_FACTS = "bpy.context.scene.dvp"


@dataclass(frozen=True)
class Tour:
    """What every step needs.

    Attributes:
        window: Blender's.
        folder: What the animator was given (see `shot`).
        pictures: Folder of the screenshots.
    """

    window: Window
    folder: Path
    pictures: Path

    def picture(self, name: str, *, box: tuple[int, int, int, int] | None = None) -> None:
        """Save the screen under a name."""
        self.window.picture(self.pictures / f"tour_{name}.png", box=box)

    def must(self, question: str, *, seconds: float = PATIENCE_S) -> None:
        """Wait for something to be true, or fail."""
        self.window.wait_for(question, seconds=seconds)


def steps() -> Iterator[Callable[[Tour], None]]:
    """Return the steps."""
    yield from (install, import_take, look, pose_a_control, set_a_slider, add_performer, compare, save, preview, export)
    yield from (fill_in_the_job, check, submit, land, see_the_result_alone, movie)


def install(tour: Tour) -> None:
    """An empty scene, and the add-on's tab in the sidebar; the start-up cube goes as anybody deletes it."""
    window = tour.window
    window.move(*window.middle_of("VIEW_3D"))
    window.press("a", "Delete")
    tour.must("not bpy.data.objects")
    window.move(*window.middle_of("VIEW_3D"))
    window.press("n")
    window.open_tab("DVP_PT_take")


def import_take(tour: Tour) -> None:
    """The take, chosen in the file browser."""
    tour.window.use("dvp.import_take(")
    choose_file(tour, "actor.take", row=0, picture="import")
    tour.must("any(item.type == 'ARMATURE' for item in bpy.context.scene.objects)")
    tour.must("bpy.context.scene.camera.data.background_images[0].image is not None")


def look(tour: Tour) -> None:
    """The plate's camera, and a frame of the shot."""
    window = tour.window
    is_through_camera = f"{_VIEW}.region_3d.view_perspective == 'CAMERA'"
    for _ in range(5):
        if window.ask(is_through_camera):
            break
        window.move(*window.middle_of("VIEW_3D"))
        window.press("KP_Insert")
        window.redrawn()
    tour.must(is_through_camera)
    window.press("Home")
    go_to(tour, KEYED)
    tour.picture("look")


def pose_a_control(tour: Tour) -> None:
    """A mouth corner raised by hand, between two keys where it is at rest."""
    window = tour.window
    window.move(*window.middle_of("VIEW_3D"))
    window.press("ctrl+Tab")
    tour.must("bpy.context.mode == 'POSE'")
    go_to(tour, FIRST)
    window.click(*window.ask("bone_on_screen('mouth.corner.L')"))
    tour.must("bpy.context.active_pose_bone.name == 'mouth.corner.L'")
    key_location(tour, FIRST)
    go_to(tour, KEYED)
    x, y = window.ask("bone_on_screen('mouth.corner.L')")
    window.move(x, y)
    window.press("g")
    for share in range(1, 6):
        window.move(x + share, y - 2 * share)
        time.sleep(0.1)
    window.click(x + 5, y - 10)
    tour.must("bpy.context.active_pose_bone.location.y > 0.002")
    key_location(tour, KEYED)
    tour.picture("pose")
    go_to(tour, LAST)
    window.move(*window.middle_of("VIEW_3D"))
    window.press("alt+g")
    key_location(tour, LAST)
    tour.must(f"frames_keyed('mouth.corner.L') == {[FIRST, KEYED, LAST]}")


def set_a_slider(tour: Tour) -> None:
    """A shape's own slider, in the panel that is opened for it and closed again."""
    window = tour.window
    open_shapes(tour, is_open=True)
    place = window.find('["browInnerUp"]')
    for frame, value in ((FIRST, "0"), (KEYED, "0.5"), (LAST, "0")):
        go_to(tour, frame)
        enter_number(tour, place, value)
        window.press("i")
        if frame == KEYED:
            tour.picture("slider")
    tour.must(f"frames_keyed('browInnerUp') == {[FIRST, KEYED, LAST]}")
    open_shapes(tour, is_open=False)
    go_to(tour, KEYED)


def add_performer(tour: Tour) -> None:
    """A second performance over mouth and jaw."""
    window = tour.window
    window.use("dvp.add_performer(")
    choose_file(tour, "second.take", row=1, picture="performer", regions=("mouth", "jaw"))
    tour.must("[layer.region for layer in bpy.context.object.dvp_layers.layers] == ['mouth', 'jaw']")
    tour.picture("layers")


def compare(tour: Tour) -> None:
    """The tracked head beside the edited one, and away again."""
    window = tour.window
    window.use("dvp.compare_with_tracked(")
    tour.must("bpy.context.object.dvp_layers.tracked_head is not None")
    zoom = f"{_VIEW}.region_3d.view_camera_zoom"
    near = window.ask(zoom)
    while window.ask(zoom) > near - _BACK:
        window.scroll("VIEW_3D", "WINDOW", clicks=1)
        window.redrawn()
    tour.picture("compare")
    window.move(*window.middle_of("VIEW_3D"))
    window.press("Home")
    window.use("dvp.compare_with_tracked(")
    tour.must("bpy.context.object.dvp_layers.tracked_head is None")


def save(tour: Tour) -> None:
    """The file beside the take, so that the passes have a place."""
    window = tour.window
    window.move(*window.middle_of("VIEW_3D"))
    window.press("ctrl+s")
    enter_folder(tour)
    left, top, width, height = window.ask("box('FILE_BROWSER', 'EXECUTE')")
    window.paste((left + width // 3, top + height // 2), "shot.blend")
    window.click(left + width - 70, top + height // 2)
    tour.must("bpy.data.filepath.endswith('shot.blend')")


def preview(tour: Tour) -> None:
    """The farm's picture of the pose that is shown."""
    window = tour.window
    fill(tour, "dvp.generator", "//actor.safetensors")
    fill(tour, "dvp.consent", "//consent.json")
    for count in (1, 2):  # for the first one the farm loads the network
        window.use("dvp.preview(")
        tour.must(f"preview_count() >= {count} or {_PREVIEW}.message", seconds=_RENDER_SECONDS)
        if message := window.ask(f"{_PREVIEW}.message"):
            raise TourError(f"The preview: {message}")
    tour.picture("preview")
    window.use("dvp_preview.is_shown")
    tour.must(f"not {_PREVIEW}.is_shown")


def export(tour: Tour) -> None:
    """The passes of the frames that changed, and of the ten before them that the network looks back at."""
    window = tour.window
    fill(tour, "dvp.frames", f"{FIRST - 10}-{LAST}")
    window.use("dvp.export_passes(")
    names = [f"passes.{frame:04d}.exr" for frame in range(FIRST - 10, LAST + 1)]
    passes = tour.folder / "passes"
    waited_for(lambda: all((passes / name).is_file() for name in names), "the passes", seconds=_RENDER_SECONDS)
    tour.must("not bpy.types.DVP_OT_export_passes.is_running")


def fill_in_the_job(tour: Tour) -> None:
    """The fields of the job."""
    plate = next(path for path in tour.folder.iterdir() if path.suffix == ".mp4")
    fill(tour, "dvp.frames", SENT)
    fill(tour, "dvp.job_name", "Half a smile")
    fill(tour, "dvp.plate", f"//{plate.name}")


def check(tour: Tour) -> None:
    """What the check finds."""
    tour.window.use("dvp.check_submission(")
    tour.must("bpy.context.scene.dvp_submit.is_checked")
    tour.window.find("dvp.submit(")
    tour.picture("check")


def submit(tour: Tour) -> None:
    """To the farm, and the panel that follows the job."""
    window = tour.window
    if window.ask("any(item.is_warning for item in bpy.context.scene.dvp_submit.problems)"):
        window.use("is_warning_accepted")
    window.use("dvp.submit(")
    tour.must(f"{_FACTS}.job_progress > 0 or {_FACTS}.job_state.startswith('failed')", seconds=_RENDER_SECONDS)
    if (state := window.ask(f"{_FACTS}.job_state")).startswith("failed"):
        raise TourError(f"The job {state}")
    window.find("dvp.show_log(")
    tour.picture("farm")


def land(tour: Tour) -> None:
    """The frames behind the rig, by themselves."""
    tour.must(f"{_FACTS}.job_state.startswith('completed')", seconds=_RENDER_SECONDS)
    tour.must("len(bpy.context.scene.camera.data.background_images) > 1")
    go_to(tour, KEYED)


def see_the_result_alone(tour: Tour) -> None:
    """The face hidden by a click and H, and shown again."""
    window = tour.window
    window.move(*window.middle_of("VIEW_3D"))
    window.press("ctrl+Tab")
    tour.must("bpy.context.mode == 'OBJECT'")
    x, y = window.ask("bone_on_screen('brow.inner')")
    window.click(x, y - 70)  # the forehead
    window.press("h")
    tour.must("any(item.type == 'MESH' and item.hide_get() for item in bpy.context.scene.objects)")
    tour.picture("landed")
    window.move(*window.middle_of("VIEW_3D"))
    window.press("alt+h")
    tour.must("not any(item.hide_get() for item in bpy.context.scene.objects)")


def movie(tour: Tour) -> None:
    """The movie that the farm made of the frames, with its label."""
    made = waited_for(
        lambda: next(iter(tour.folder.rglob("frames/*.mp4")), None), "the farm's movie", seconds=_RENDER_SECONDS
    )
    if (verdict := verify(made)).code:
        raise TourError(f"The label of {made}: {verdict.reason}")


def choose_file(tour: Tour, name: str, *, row: int, picture: str, regions: Sequence[str] = ()) -> None:
    """Go to the shot's folder in the file browser, click a file, its regions, and the button below."""
    window = tour.window
    enter_folder(tour)
    left, top, _, _ = window.ask("box('FILE_BROWSER', 'WINDOW')")

    def is_chosen() -> bool:  # the list comes a while after its folder
        window.click(left + 100, top + 34 + 20 * row)
        return window.ask(f"area_of('FILE_BROWSER')[1].spaces.active.params.filename == {name!r}")

    waited_for(is_chosen, f"{name} to be chosen")
    choose_regions(tour, regions)
    sidebar = window.ask("box('FILE_BROWSER', 'TOOLS')")[2]
    left, top, width, height = window.ask("box('FILE_BROWSER', 'TOOL_PROPS')")
    tour.picture(picture, box=(sidebar, 24, left + width, top + height + 44))
    left, top, width, height = window.ask("box('FILE_BROWSER', 'EXECUTE')")
    window.click(left + width - 70, top + height // 2)
    tour.must("not is_browsing()")


def choose_regions(tour: Tour, regions: Sequence[str]) -> None:
    """Click a performer's regions among the file browser's options, all but the first with Shift."""
    left, top, width, _ = tour.window.ask("box('FILE_BROWSER', 'TOOL_PROPS')")
    for count, region in enumerate(regions):
        held = "shift" if count else ""
        tour.window.click(left + round(0.7 * width), top + 18 + 21 * REGIONS.index(region), held=held)


def fill(tour: Tour, path: str, text: str) -> None:
    """Fill a field of the scene, and see that it holds the text."""
    tour.window.fill(path, text)
    tour.must(f"bpy.context.scene.{path} == {text!r}")


def enter_number(tour: Tour, place: tuple[int, int], value: str) -> None:
    """Type a number into the slider at a place."""
    window = tour.window
    window.click(*place, times=2)
    window.press("ctrl+a")
    window.write(value)
    window.press("Return")
    window.move(place[0] + 3, place[1])
    tour.must(f"abs(bpy.context.object.pose.bones['shapes']['browInnerUp'] - {value}) < 1e-4")


def enter_folder(tour: Tour) -> None:
    """Write the shot's folder into the file browser's path."""
    window = tour.window
    tour.must("is_browsing()")
    window.redrawn()  # before that, its regions have no size
    left, top, width, height = window.ask("box('FILE_BROWSER', 'UI')")
    window.paste((left + width // 3, top + height // 2), str(tour.folder))
    shown = "area_of('FILE_BROWSER')[1].spaces.active.params.directory.decode().rstrip('/')"
    tour.must(f"{shown} == {str(tour.folder)!r}")
    window.redrawn()


def go_to(tour: Tour, frame: int) -> None:
    """Click a frame on the timeline's ruler."""
    tour.window.click(*tour.window.ask(f"frame_on_screen({frame})"))
    tour.must(f"bpy.context.scene.frame_current == {frame}")
    tour.window.redrawn()  # the view comes after the number


def key_location(tour: Tour, frame: int) -> None:
    """Key the location of the mouth's corner; the menu that asks what to key is that of Blender before 4.1."""
    tour.window.press("i")
    tour.window.redrawn()
    tour.window.press("l")
    tour.must(f"{frame} in frames_keyed('mouth.corner.L')")


def open_shapes(tour: Tour, *, is_open: bool) -> None:
    """Open or close the panel below the button that rests the controls, by its header."""
    window = tour.window
    x, y = window.find("dvp.rest_controls(")
    window.click(x - 60, y + 32)
    waited_for(lambda: window.shows("DVP_PT_shapes") == is_open, "the shapes' panel")

"""Previews on the farm: the pixels of a rendered shot, before the next frame of a job, the newest one only."""

import dataclasses
import os
import pickle
import signal
import socket
import threading
import time
from contextlib import ExitStack
from types import SimpleNamespace

import numpy as np
import pytest
import stub_task
import uvicorn
from head_process import Head
from render_site import FIRST, make_site

from dvp_core.data.errors import DataError
from dvp_core.data.job import job_to_dict
from dvp_core.data.preview import PreviewRequest, pack_pass_frame, request_to_bytes, unpack_pass_frame
from dvp_core.passes import pass_path, read_pass_frame
from dvp_core.pipeline.preview import open_preview, paint_window
from dvp_core.trust import verify
from dvp_core.video import read_image
from farm.api import Site, make_app
from farm.backends import on_ray, ray_cluster
from farm.backends.on_this_machine import OnThisMachine
from farm.client import FarmClient, FarmError
from farm.errors import ConflictError, UnavailableError
from farm.ledger import Ledger
from farm.painters import Painters
from farm.previews import PreviewLane
from farm.scheduler import Scheduler
from farm.tasks import PreviewOrder, PreviewResult
from farm.tokens import add_user
from farm.turns import Turns

FRAME = FIRST + 14


@pytest.fixture(scope="module")
def painted(tmp_path_factory):
    """A site, a request for one of its frames, and the pixels that are due."""
    folder = tmp_path_factory.mktemp("painted")
    roots = make_site(folder / "site")
    passes = [read_pass_frame(pass_path(folder / "site" / "passes", number)) for number in range(FRAME - 10, FRAME + 1)]
    request = PreviewRequest("site:actor.safetensors", tuple(map(pack_pass_frame, passes)))
    pixels = paint_window(open_preview(folder / "site" / "actor.safetensors"), passes)
    return SimpleNamespace(roots=roots, request=request, pixels=pixels, folder=folder / "site")


@pytest.fixture
def serve(painted, tmp_path):
    """Return a maker of heads in this process, with a lane or without."""
    token = add_user(tmp_path / "tokens.json", name="ada", role="submit")
    with ExitStack() as stack, Ledger(tmp_path / "ledger.sqlite", clock=time.time) as ledger:

        def serve(*lanes):
            listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
            app = make_app(Site(ledger, tmp_path / "tokens.json", lambda job: None, *(lane.paint for lane in lanes)))
            server = uvicorn.Server(uvicorn.Config(app, log_level="error", ws="none", lifespan="off"))
            thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
            thread.start()
            stack.callback(thread.join)
            stack.callback(setattr, server, "should_exit", True)
            url = f"http://127.0.0.1:{listener.getsockname()[1]}"
            return SimpleNamespace(client=FarmClient(url, token), ledger=ledger, url=url)

        yield serve
        stack.close()


@pytest.fixture
def head(painted, serve):
    """A head whose one worker shares this process."""
    backend = OnThisMachine(stub_task.run_order)
    served = serve(PreviewLane(backend, painted.roots))
    served.backend = backend
    return served


def test_answer_is_the_labelled_frame_of_the_shot_with_its_times(painted, head, tmp_path):
    answer = head.client.preview(request_to_bytes(painted.request))
    (tmp_path / "preview.png").write_bytes(answer.png)
    np.testing.assert_array_equal(read_image(tmp_path / "preview.png"), painted.pixels)
    assert verify(tmp_path / "preview.png").source_type == "trainedAlgorithmicMedia"
    assert set(answer.seconds) == {"wait", "unpack", "paint", "label"}
    assert 0 < answer.seconds["paint"] < 30
    assert head.client.jobs() == []


def test_token_is_needed_before_the_body_is_read(painted, head):
    stranger = FarmClient(head.url, "wrong")
    for content in (b"x", request_to_bytes(painted.request), bytes(48 << 20)):
        with pytest.raises(FarmError, match="token") as refused:
            stranger.preview(content)
        assert refused.value.status == 401


def reframed(request, **changes):
    return request_to_bytes(dataclasses.replace(request, **changes))


def test_what_cannot_be_painted_is_refused_with_its_reason(painted, head):
    request, frames = painted.request, painted.request.frames
    (painted.folder / "junk.safetensors").write_bytes(b"junk")
    (painted.folder / "no_consent.json").write_text("{}")
    other = dataclasses.replace(unpack_pass_frame(frames[-1]), face_model_sha256="f" * 64)
    wrong = [
        (pickle.dumps({"generator": "x"}), "archive of arrays"),
        (b"", "archive of arrays"),
        (reframed(request, generator="site:../x.safetensors"), "holds '..'"),
        (reframed(request, generator="other:x.safetensors"), "root 'other' is not known"),
        (reframed(request, generator="site:none.safetensors"), "names no file"),
        (reframed(request, generator="site:passes"), "is not a \\*.safetensors file"),
        (reframed(request, generator="site:junk.safetensors"), "junk.safetensors"),
        (reframed(request, consent="site:none.json"), "'consent': names no file"),
        (reframed(request, consent="site:no_consent.json"), "is no consent record"),
        (reframed(request, frames=(pickle.dumps([1]),)), "archive of arrays"),
        (reframed(request, frames=(*frames[:-2], frames[-1])), "does not follow"),
        (reframed(request, frames=(pack_pass_frame(other),)), "another face model"),
    ]
    for content, reason in wrong:
        with pytest.raises(FarmError, match=reason) as refused:
            head.client.preview(content)
        assert refused.value.status == 400, reason
    with pytest.raises(FarmError, match="larger than") as refused:
        head.client.preview(bytes((64 << 20) + 1))
    assert refused.value.status == 413


def test_head_without_workers_says_so(painted, serve):
    with pytest.raises(FarmError, match="no workers") as refused:
        serve().client.preview(request_to_bytes(painted.request))
    assert refused.value.status == 503


def order(number, user="ada", generator="site:a.safetensors"):
    return PreviewOrder(user, number, PreviewRequest(generator, (b"",)), None)


def in_thread(turns, item, results, function):
    def paint():
        results[item.user, item.number] = turns.paint(item, function)

    thread = threading.Thread(target=paint)
    thread.start()
    wait_until(lambda: turns._newest.get(item.key, -1) >= item.number)
    return thread


def wait_until(is_so, *, limit_s=10.0):
    end_s = time.monotonic() + limit_s
    while not is_so():
        assert time.monotonic() < end_s
        time.sleep(0.002)


def test_only_the_newest_of_a_user_and_generator_is_painted_and_before_the_next_frame():
    turns, results, log = Turns(), {}, []

    def paint(item):
        log.append(item.number)
        return PreviewResult(b"png", 0, 0, 0)

    with turns.frame():
        threads = [in_thread(turns, order(number), results, paint) for number in (1, 2, 3)]
        threads.append(in_thread(turns, order(4, user="bea"), results, paint))
        wait_until(lambda: len(results) == 2)  # the two old ones give up at once
        assert log == []
    with turns.frame():
        log.append("frame")
    for thread in threads:
        thread.join()
    assert results["ada", 1] is results["ada", 2] is None
    assert results["ada", 3].png == b"png"
    assert sorted(log[:2]) == [3, 4]
    assert log[2] == "frame"


def test_a_failed_preview_gives_its_turn_back():
    turns = Turns()

    def fail(item):
        raise DataError("no")

    with pytest.raises(DataError):
        turns.paint(order(1), fail)
    with turns.frame():
        pass


def test_a_generator_stays_with_its_worker_and_others_go_where_it_is_quiet():
    painters = Painters()
    with painters.of("a", {"one": True, "two": False}) as first:
        assert first == "two"
        with painters.of("b", {"two": False, "three": False}) as second:
            assert second == "three"
    with painters.of("a", {"one": False, "two": True}) as again:
        assert again == "two"
    with painters.of("a", {"one": True}) as left:
        assert left == "one"


def test_a_superseded_request_is_told_so(painted):
    lane = PreviewLane(SimpleNamespace(preview=lambda item: None), painted.roots)
    with pytest.raises(ConflictError, match="superseded"):
        lane.paint(request_to_bytes(painted.request), user="ada")


@pytest.mark.parametrize("backend", ["this-machine", "ray"])
@pytest.mark.xdist_group("ray")
def test_busy_worker_paints_between_two_frames_of_a_chunk(painted, make_job, roots, tmp_path, backend):
    """One worker, one chunk of sixty frames: the preview is there long before the chunk ends."""
    site = roots.folders["site"]
    (site / "actor.safetensors").write_bytes((painted.folder / "actor.safetensors").read_bytes())
    job = make_job(frames="1-60", chunk_size=60, plan={"seconds_per_frame": 0.05})
    head = Head(tmp_path / "state", site, backend).start()
    try:
        content = request_to_bytes(painted.request)
        head.client.preview(content)  # loads torch and the generator
        head.client.submit(job_to_dict(job))
        wait_until(lambda: head.client.job("shot")["frames"].get("completed", 0) >= 2)
        answer = head.client.preview(content)
        done = head.client.job("shot")["frames"].get("completed", 0)
        assert done < 60
        (tmp_path / "preview.png").write_bytes(answer.png)
        np.testing.assert_array_equal(read_image(tmp_path / "preview.png"), painted.pixels)
        wait_until(lambda: head.client.job("shot")["state"] == "completed", limit_s=30)
        assert all(row["failures"] == 0 for row in head.client.frames("shot"))
    finally:
        head.end(signal.SIGTERM)


def dying(item):
    os._exit(7)


def failing(item):
    raise ZeroDivisionError(f"preview {item.number}")


@pytest.mark.xdist_group("ray")
def test_worker_that_dies_over_a_preview_is_replaced(painted, tmp_path):
    item = dataclasses.replace(order(1), roots=painted.roots)
    with ray_cluster.local_cluster(cpu_count=1):
        pool = on_ray.OnRay(stub_task.run_order, 1, preview_function=dying)
        wait_until(lambda: pool.poll(timeout_s=0.1) or pool.idle_workers(), limit_s=60)
        with pytest.raises(UnavailableError, match="died"):
            pool.preview(item)
        pool.preview_function = failing
        wait_until(lambda: pool.poll(timeout_s=0.1) is not None and pool.idle_workers() == ("worker-0002",), limit_s=60)
        with pytest.raises(UnavailableError, match="ZeroDivisionError: preview 1"):
            pool.preview(item)
        pool.close()


def test_frames_of_jobs_are_rendered_while_previews_are_asked_for(painted, head, make_job, roots):
    head.ledger.submit(make_job(), owner="a")
    scheduler = Scheduler(head.ledger, head.backend, roots)
    scheduler.step(timeout_s=0)
    answers = []
    asking = threading.Thread(
        target=lambda: answers.extend(head.client.preview(request_to_bytes(painted.request)) for _ in range(3))
    )
    asking.start()
    while not scheduler.is_idle():
        scheduler.step(timeout_s=0)
    asking.join()
    assert len(answers) == 3
    assert head.client.job("shot")["frames"] == {"completed": 20}

from hypothesis import given
from hypothesis import strategies as st

from dvp_core.data.job import Job
from farm.compile import compile_job


def job_of(frames, chunk_size, **changes):
    return Job(
        id="j",
        name="j",
        frames=frames,
        passes="a:p",
        generator="a:g.safetensors",
        output="a:o/f.####.png",
        chunk_size=chunk_size,
        **changes,
    )


@given(st.sets(st.integers(0, 300), min_size=1), st.integers(1, 60))
def test_chunks_hold_every_frame_once_in_order_and_know_their_window(numbers, chunk_size):
    job = job_of(",".join(map(str, sorted(numbers))), chunk_size)
    tasks = compile_job(job)
    renders = [task for task in tasks if task.kind == "render"]
    assert [frame for task in renders for frame in task.frames] == sorted(numbers)
    assert all(len(task.frames) <= chunk_size for task in renders)
    for task in renders:
        assert set(task.reads) == {frame - back for frame in task.frames for back in range(11)}
    assert compile_job(job) == tasks


def test_files_wait_for_what_they_are_made_of():
    tasks = {task.name: task for task in compile_job(job_of("1-20", 7))}
    assert tasks["manifest"].after == ("render.000000", "render.000001", "render.000002")
    assert tasks["contact_sheet"].after == tasks["movie"].after == ("manifest",)
    assert "movie" not in {task.name for task in compile_job(job_of("1-20", 7, is_movie_wanted=False))}

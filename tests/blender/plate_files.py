"""Movies and numbered pictures made in code, whose every picture tells its number by its grey."""

from fractions import Fraction

import bpy
import numpy as np

RATE = Fraction(30000, 1001)
SOUND_HZ = 48000


def write_movie(path, *, picture_count, has_sound=False):
    """Write a movie of 64 x 36 at 29.97 frames/s, with a tone as long as the pictures where asked."""
    import av

    with av.open(str(path), "w") as movie:
        video = movie.add_stream("libx264", rate=RATE)
        video.width, video.height, video.pix_fmt = 64, 36, "yuv420p"
        audio = movie.add_stream("aac", rate=SOUND_HZ) if has_sound else None
        for number in range(1, picture_count + 1):
            picture = np.full((36, 64, 3), 5 * number, np.uint8)
            movie.mux(video.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        movie.mux(video.encode())
        if audio is not None:
            movie.mux(audio.encode(_tone(float(picture_count / RATE))))
            movie.mux(audio.encode())


def _tone(seconds):
    import av

    moments = np.arange(int(seconds * SOUND_HZ)) / SOUND_HZ
    samples = (0.3 * np.sin(2 * np.pi * 440 * moments)).astype(np.float32)
    frame = av.AudioFrame.from_ndarray(samples[None], format="fltp", layout="mono")
    frame.sample_rate = SOUND_HZ
    return frame


def write_pictures(folder, numbers):
    """Write `plate.####.png` with the numbers given."""
    folder.mkdir()
    picture = bpy.data.images.new("plate", 32, 18)
    picture.file_format = "PNG"
    for number in numbers:
        picture.save(filepath=str(folder / f"plate.{number:04d}.png"))
    bpy.data.images.remove(picture)


def picture_at(background, scene_frame):
    """Return the number of the picture that Blender shows behind a camera at a frame of the scene."""
    user = background.image_user
    return scene_frame - user.frame_start + 1 + user.frame_offset

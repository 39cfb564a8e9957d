"""Reading movies and image sequences, and encoding movies and pictures to temporary files.

Everything that touches FFmpeg (through PyAV) lives here. Nothing here publishes: what is encoded here gets its final
name and its label from `dvp_core.trust`.
"""

from dvp_core.video.opening import DEFAULT_IMAGE_FPS, clip_sha256, open_clip

__all__ = ["DEFAULT_IMAGE_FPS", "clip_sha256", "open_clip"]

"""How good a generator is: measures, the baseline it has to beat, and a report with pictures."""

from dvp_core.evaluate.metrics import psnr, rgb_distance, ssim
from dvp_core.evaluate.nearest import nearest_training_frames
from dvp_core.evaluate.scores import Scores
from dvp_core.evaluate.self_reenactment import Report, evaluate_take, hold_out_frames

__all__ = [
    "Report",
    "Scores",
    "evaluate_take",
    "hold_out_frames",
    "nearest_training_frames",
    "psnr",
    "rgb_distance",
    "ssim",
]

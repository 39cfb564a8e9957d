"""How good a generator is: measures, the baseline it has to beat, and a report with pictures."""

from dvp_core.evaluate.comparison import write_comparison
from dvp_core.evaluate.metrics import psnr, rgb_distance, ssim
from dvp_core.evaluate.nearest import nearest_training_frames
from dvp_core.evaluate.reports import PICTURES_FILE, REPORT_FILE, Report, read_report
from dvp_core.evaluate.retracking import TrackingErrors, retracked_frames
from dvp_core.evaluate.scores import Scores
from dvp_core.evaluate.self_reenactment import evaluate_take, hold_out_frames

__all__ = [
    "PICTURES_FILE",
    "REPORT_FILE",
    "Report",
    "Scores",
    "TrackingErrors",
    "evaluate_take",
    "hold_out_frames",
    "nearest_training_frames",
    "psnr",
    "read_report",
    "retracked_frames",
    "rgb_distance",
    "ssim",
    "write_comparison",
]

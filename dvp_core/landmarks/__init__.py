"""Detectors of facial points behind one protocol."""

from dvp_core.landmarks.choice import DetectorName, detector_named, weights_status
from dvp_core.landmarks.detector import Detector, WeightsStatus
from dvp_core.landmarks.from_file import FromFile

__all__ = ["Detector", "DetectorName", "FromFile", "WeightsStatus", "detector_named", "weights_status"]

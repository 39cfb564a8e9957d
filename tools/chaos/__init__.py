"""Pulls the plugs of a real farm at random, and looks whether every frame is the one that an undisturbed run gives.

`make chaos` runs the long form; tests/farm/test_chaos.py runs a short one with every test run. `faults.py` is the
library of faults, `audit.py` what must hold afterwards, docs/farm_faults.md which promise each of them proves.
"""

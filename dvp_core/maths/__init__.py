"""Rotations, the one pinhole projection, the one place where axes flip, spherical harmonics, colour encoding."""

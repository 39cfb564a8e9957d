"""The render farm: a thin head over Ray that loses no finished frame.

`farm.client` needs the standard library only (Blender imports it); only `farm.backends.on_ray` and `ray_cluster` import
Ray. Nothing is imported here, so that either end stays as light as it is.
"""

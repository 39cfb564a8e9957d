"""A tour of the add-on in a real Blender window, with real mouse clicks: `make window-tour`.

Debian's Blender 3.4 runs under Xvfb; xdotool moves the mouse and presses the keys. The tour imports the built-in
actor's take, poses it, lays a second performance over it, submits to a farm head on this machine, waits for the frames,
and takes the pictures of docs/animators.md. It fails where a step does not lead where the tutorial says.
"""

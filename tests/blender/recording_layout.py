"""A stand-in for the layout on which panels draw."""

import bpy


class RecordingLayout:
    """Stands where Blender's layout stands, which exists only inside a window; keeps what is drawn."""

    def __init__(self, drawn):
        object.__setattr__(self, "drawn", drawn)

    def __setattr__(self, name, value):
        self.drawn.append((name, value))

    def column(self, **_):
        return self

    row = column

    def label(self, *, text, **_):
        self.drawn.append(("label", text))

    def prop(self, owner, name, **_):
        assert name in owner.bl_rna.properties or name.strip('[]"') in owner.keys(), name
        self.drawn.append(("prop", name))

    def operator(self, name, **_):
        module, function = name.split(".")
        assert getattr(getattr(bpy.ops, module), function).get_rna_type()
        self.drawn.append(("operator", name))

    def progress(self, *, factor, text):
        self.drawn.append(("progress", text))

    def separator(self):
        self.drawn.append(("separator", None))


def draw(panel, layout, context):
    """Let a panel draw on another layout than Blender's, with all its own methods."""
    methods = {name: getattr(panel, name) for name in ("draw", "draw_rig") if hasattr(panel, name)}
    type(panel.__name__, (), {**methods, "layout": layout})().draw(context)

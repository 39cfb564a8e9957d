"""Reads a .glb back by the specification alone: strict about chunks, alignment, bounds and numbers."""

import json
import struct

import numpy as np

COMPONENTS = {5123: np.dtype("<u2"), 5125: np.dtype("<u4"), 5126: np.dtype("<f4")}
WIDTHS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4}


class Glb:
    """A document and its arrays."""

    def __init__(self, path):
        content = path.read_bytes()
        magic, version, length = struct.unpack_from("<4sII", content)
        assert (magic, version, length) == (b"glTF", 2, len(content))
        text_length, text_kind = struct.unpack_from("<I4s", content, 12)
        binary_length, binary_kind = struct.unpack_from("<I4s", content, 20 + text_length)
        assert (text_kind, binary_kind) == (b"JSON", b"BIN\0")
        assert text_length % 4 == binary_length % 4 == 0
        assert 28 + text_length + binary_length == len(content)
        self.document = json.loads(content[20 : 20 + text_length])
        self.binary = content[28 + text_length :]
        assert self.document["buffers"] == [{"byteLength": len(self.binary)}]

    def node(self, name):
        return next(node for node in self.document["nodes"] if node["name"] == name)

    def mesh(self, name):
        return self.document["meshes"][self.node(name)["mesh"]]

    def array(self, number):
        accessor = self.document["accessors"][number]
        dtype, width = COMPONENTS[accessor["componentType"]], WIDTHS[accessor["type"]]
        values = np.zeros((accessor["count"], width), dtype)
        if "bufferView" in accessor:
            values = self._view(accessor["bufferView"], dtype, accessor["count"] * width).reshape(-1, width).copy()
        if "sparse" in accessor:
            sparse = accessor["sparse"]
            assert 0 < sparse["count"] <= accessor["count"]
            rows = self._view(
                sparse["indices"]["bufferView"], COMPONENTS[sparse["indices"]["componentType"]], sparse["count"]
            )
            assert (np.diff(rows.astype(np.int64)) > 0).all()
            values[rows] = self._view(sparse["values"]["bufferView"], dtype, sparse["count"] * width).reshape(-1, width)
        if "min" in accessor:
            np.testing.assert_array_equal(np.float32(accessor["min"]), values.min(axis=0))
            np.testing.assert_array_equal(np.float32(accessor["max"]), values.max(axis=0))
        return values

    def _view(self, number, dtype, count):
        view = self.document["bufferViews"][number]
        assert view["byteOffset"] % 4 == 0
        assert view["byteOffset"] + view["byteLength"] <= len(self.binary)
        assert view["byteLength"] == count * dtype.itemsize
        return np.frombuffer(self.binary, dtype, count, view["byteOffset"])

    def curve(self, node_name, path):
        """The times and values that move a node's property."""
        number = self.document["nodes"].index(self.node(node_name))
        animation = self.document["animations"][0]
        channel = next(
            channel for channel in animation["channels"] if channel["target"] == {"node": number, "path": path}
        )
        sampler = animation["samplers"][channel["sampler"]]
        return self.array(sampler["input"])[:, 0], self.array(sampler["output"])

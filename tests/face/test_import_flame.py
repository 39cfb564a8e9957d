"""The FLAME importer on the built-in face in FLAME's clothes: archive, pickle, landmarks, the jaw's joint."""

import os
import pickle
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from dvp_core.cli.main import run
from dvp_core.data.errors import DataError
from dvp_core.data.face_model import read_face_model
from dvp_core.face import evaluate, import_flame, landmarks_68
from dvp_core.face.import_flame import JAW_JOINT, JAW_OPEN_RAD, posed, read_flame_arrays
from dvp_core.pipeline.model import import_flame_model
from dvp_core.pipeline.pickled_arrays import plain_archive, read_pickled_arrays

sys.path.insert(0, str(Path(__file__).parent))

from disguised import as_flame_pickle, flame_arrays, flame_cut, pickled_under_foreign_names


@pytest.fixture(scope="module")
def arrays():
    return flame_arrays()


@pytest.fixture(scope="module")
def files(tmp_path_factory, arrays) -> Path:
    """A folder with the archive, the pickle and the landmarks."""
    folder = tmp_path_factory.mktemp("flame")
    np.savez(folder / "flame.npz", **arrays)
    (folder / "generic_model.pkl").write_bytes(as_flame_pickle(arrays))
    numbers = flame_cut().landmark_numbers()
    (folder / "points.txt").write_text("# iBUG's 68\n" + "\n".join(map(str, numbers)))
    return folder


@pytest.fixture(scope="module")
def model(files):
    return import_flame(files / "flame.npz", landmarks=files / "points.txt")


def test_it_is_the_source_s_own_formula(model, arrays):
    random = np.random.default_rng(3)
    identity, expression = random.normal(size=300), random.normal(size=100)
    own = arrays["v_template"] + arrays["shapedirs"] @ np.concatenate([identity, expression])
    jaw_at_rest = np.zeros(model.expression_count - 100)
    mine = evaluate(model, identity=identity, expression=[*expression, *jaw_at_rest])
    np.testing.assert_allclose(mine, own, atol=1e-5)
    assert model.id == "flame"
    assert model.expression_names[:2] == ("expression_000", "expression_001")
    assert model.expression_names[100:] == ("jawOpen", "jawLeft", "jawRight")


def test_the_jaw_is_the_joint_turned_by_the_stated_angle(model, files):
    flame = read_flame_arrays(files / "flame.npz")
    turns = np.zeros((5, 3))
    turns[JAW_JOINT, 0] = JAW_OPEN_RAD
    weights = np.zeros(model.expression_count)
    weights[model.expression_names.index("jawOpen")] = 1
    opened = evaluate(model, expression=weights)
    np.testing.assert_allclose(opened, posed(flame, flame.v_template, turns), atol=1e-6)
    lips = landmarks_68(model, opened) - landmarks_68(model, model.vertices)
    assert lips[57, 1] < -0.02  # the lower lip falls
    assert abs(lips[51, 1]) < 0.004  # the upper one stays
    left = model.expression_basis[model.expression_names.index("jawLeft")]
    assert landmarks_68(model, left.astype(float))[8, 0] > 0.003  # towards the subject's left


def test_posing_turns_a_whole_branch_about_its_joint(files):
    flame = read_flame_arrays(files / "flame.npz")
    plain = replace(flame, posedirs=np.zeros_like(flame.posedirs))
    turns = np.zeros((5, 3))
    turns[0] = (0.0, np.pi / 2, 0.0)
    root = plain.J_regressor[0] @ plain.v_template
    offset = plain.v_template - root
    expected = root + np.column_stack([offset[:, 2], offset[:, 1], -offset[:, 0]])
    np.testing.assert_allclose(posed(plain, plain.v_template, turns), expected, atol=1e-12)


def test_eyes_are_found_left_first(model):
    np.testing.assert_allclose(model.eye_centers, [(0.031, 0.035, 0.0795), (-0.031, 0.035, 0.0795)], atol=1e-6)
    np.testing.assert_allclose(model.eye_radii, 0.012, atol=1e-6)
    assert model.eye_ranges.tolist() == [[3931, 4477], [4477, 5023]]
    assert model.region("eyeball_left")[3931:4477].all()


def test_a_face_without_a_turning_jaw_gets_no_jaw_shapes(arrays, files, tmp_path):
    still = dict(arrays) | {"weights": np.eye(5)[[1] * 5023], "posedirs": np.zeros((5023, 3, 36))}
    np.savez(tmp_path / "still.npz", **still)
    assert import_flame(tmp_path / "still.npz", landmarks=files / "points.txt").expression_count == 100


def test_the_pickle_gives_the_same_model_through_the_command(model, files, tmp_path, capsys):
    output = tmp_path / "flame.face.npz"
    words = ["model", "import-flame", str(files / "generic_model.pkl"), "-o", str(output)]
    assert run(words) == 1
    refused = capsys.readouterr().err
    assert "--landmarks" in refused
    assert f"{files / 'generic_model.pkl'}: " in refused  # the user's file, not what was made of it
    assert run([*words, "--landmarks", str(files / "points.txt")]) == 0
    read = read_face_model(output)
    np.testing.assert_allclose(read.vertices, model.vertices)
    np.testing.assert_allclose(read.expression_basis, model.expression_basis, atol=1e-7)
    np.testing.assert_array_equal(read.landmark_vertices, model.landmark_vertices)


class Evil:
    """Runs a command when a trusting reader meets it."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return (os.system, (f"touch {self.path}",))


@pytest.mark.parametrize("as_npy", [False, True])
def test_a_pickle_that_would_run_something_is_refused(tmp_path, as_npy):
    trap = {"v_template": np.zeros((2, 3)), "x": Evil(tmp_path / "was_run")}
    path = tmp_path / "generic_model.pkl"
    if as_npy:
        with open(path, "wb") as stream:
            np.save(stream, np.array(trap, dtype=object), allow_pickle=True)
    else:
        path.write_bytes(pickle.dumps(trap, protocol=2))
    with pytest.raises(DataError, match=r"asks for (posix|nt)\.system, which is not allowed"):
        plain_archive(path, tmp_path)
    assert not (tmp_path / "was_run").exists()
    np.load(path, allow_pickle=True)
    assert (tmp_path / "was_run").exists()  # the trap does work on a trusting reader


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"cbuiltins\neval\n(S'1'\ntR.", r"builtins\.eval"),
        (b"cnumpy\nload\n(S'x'\ntR.", r"numpy\.load"),
        (b"ccopy_reg\n_reconstructor\n(c__builtin__\nset\ncbuiltins\nobject\nNtR.", "unusual way"),
        (b"c_codecs\nencode\n(Vx\nVrot13\ntR.", "rot13"),
        (b"not a pickle", "no pickle"),
        (pickle.dumps([1, 2]), "no dictionary"),
        (b"", "no pickle"),
    ],
)
def test_other_pickles_are_refused(tmp_path, content, said):
    path = tmp_path / "model.pkl"
    path.write_bytes(content)
    with pytest.raises(DataError, match=said):
        read_pickled_arrays(path)


def test_a_pickle_that_asks_for_too_much_memory_ends_with_its_child(tmp_path):
    path = tmp_path / "model.pkl"
    count = 1 << 36
    path.write_bytes(pickle.dumps({"a": 1}, protocol=4)[:-1] + b"0\x8e" + count.to_bytes(8, "little") + b"x.")
    with pytest.raises(DataError, match="of memory"):
        plain_archive(path, tmp_path)


@pytest.mark.parametrize(
    "change",
    [
        {"indices": np.array([0, 99], np.int32)},
        {"indptr": np.array([0, 2, 1, 2], np.int32)},
        {"_shape": (10**6, 10**6)},
        {"data": None},
    ],
)
def test_a_sparse_matrix_that_points_outside_itself_is_refused(tmp_path, change):
    sound = {
        "_shape": (5, 3),
        "data": np.array([0.25, 0.5]),
        "indices": np.array([0, 4], np.int32),
        "indptr": np.array([0, 1, 1, 2], np.int32),
    }
    path = tmp_path / "model.pkl"
    path.write_bytes(pickled_under_foreign_names({}, {}, sound))
    expected = np.zeros((5, 3))
    expected[0, 0], expected[4, 2] = 0.25, 0.5
    np.testing.assert_array_equal(read_pickled_arrays(path)["J_regressor"], expected)
    path.write_bytes(pickled_under_foreign_names({}, {}, sound | change))
    with pytest.raises(DataError, match="sparse matrix"):
        read_pickled_arrays(path)


def test_a_chumpy_array_without_numbers_is_refused(tmp_path):
    path = tmp_path / "model.pkl"
    sparse = {"_shape": (1, 1), "data": np.ones(1), "indices": np.zeros(1, int), "indptr": np.array([0, 1])}
    path.write_bytes(pickled_under_foreign_names({}, {"shapedirs": {"a": 1}}, sparse))
    with pytest.raises(DataError, match="'shapedirs' is a chumpy array without numbers"):
        read_pickled_arrays(path)


def test_the_makers_embedding_is_understood_whole_and_in_two_parts(files, arrays, tmp_path):
    triangles = arrays["f"].astype(int)
    numbers = flame_cut().landmark_numbers()
    faces = np.array([np.flatnonzero((triangles == number).any(axis=1))[0] for number in numbers])
    weights = (triangles[faces] == numbers[:, None]).astype(float)
    whole = {"full_lmk_faces_idx": faces[None], "full_lmk_bary_coords": weights[None]}
    parts = {
        "static_lmk_faces_idx": faces[17:],
        "static_lmk_bary_coords": weights[17:],
        "dynamic_lmk_faces_idx": np.stack([faces[:17], faces[::-1][:17]]),
        "dynamic_lmk_bary_coords": np.stack([weights[:17], weights[:17]]),
    }
    expected = arrays["v_template"][numbers]
    for name, content in (("whole", whole), ("parts", parts)):
        np.save(tmp_path / f"{name}.npy", np.array(content, dtype=object), allow_pickle=True)
        output = tmp_path / f"{name}.face.npz"
        made = import_flame_model(files / "flame.npz", output, landmarks=tmp_path / f"{name}.npy", identity_modes=2)
        assert made.identity_count == 2
        np.testing.assert_allclose(landmarks_68(made, made.vertices), expected, atol=1e-9)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("1 2 3", "3 vertex numbers"),
        ("a b", "no text of vertex numbers"),
        (" ".join(["5023"] * 68), "names vertex 5023"),
        (" ".join(["7"] * 68), "do not make a face"),
    ],
)
def test_wrong_landmarks_are_refused(files, tmp_path, text, said):
    (tmp_path / "points.txt").write_text(text)
    with pytest.raises(DataError, match=said):
        import_flame(files / "flame.npz", landmarks=tmp_path / "points.txt")


def test_the_inner_landmarks_alone_are_not_enough(files, arrays, tmp_path):
    random = np.random.default_rng(1)
    np.savez(
        tmp_path / "static.npz",
        lmk_face_idx=random.integers(0, len(arrays["f"]), 51),
        lmk_b_coords=random.dirichlet((1, 1, 1), 51),
    )
    with pytest.raises(DataError, match="51 inner landmarks alone"):
        import_flame(files / "flame.npz", landmarks=tmp_path / "static.npz")


@pytest.mark.parametrize("count", [0, 301, -1])
def test_a_count_of_modes_that_there_is_not_is_refused(files, count):
    with pytest.raises(DataError, match="of 300 identity modes"):
        import_flame(files / "flame.npz", landmarks=files / "points.txt", identity_modes=count)


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("shapedirs", np.zeros((5023, 3, 150)), "expected"),
        ("f", np.full((3, 3), 5023), "points outside"),
        ("kintree_table", np.array([[-1, 0, 3, 1, 1], [0, 1, 2, 3, 4]]), "parents"),
        ("weights", None, "missing"),
    ],
)
def test_broken_arrays_are_named(files, arrays, tmp_path, name, value, said):
    broken = {key: array for key, array in (dict(arrays) | {name: value}).items() if array is not None}
    np.savez(tmp_path / "broken.npz", **broken)
    with pytest.raises(DataError, match=f"'{name}'.*{said}"):
        import_flame(tmp_path / "broken.npz", landmarks=files / "points.txt")

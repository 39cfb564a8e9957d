"""The importer of Basel Face Models on the built-in face in both editions' clothes."""

import builtins
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
import scipy.io

from dvp_core.cli.main import run
from dvp_core.data.errors import DataError
from dvp_core.data.face_model import read_face_model
from dvp_core.face import evaluate, landmarks_68
from dvp_core.face.import_bfm import bfm_face_model, depth_in_outline
from dvp_core.maths.colour import srgb_decode
from dvp_core.pipeline.bfm_files import read_bfm, read_expressions

sys.path.insert(0, str(Path(__file__).parent))

from disguised import bfm_source


def columns(modes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Modes (K, V, 3) as columns of length one (3 V, K), and their lengths (K,)."""
    flat = modes.reshape(len(modes), -1).T
    lengths = np.linalg.norm(flat, axis=0)
    return (flat / lengths).astype(np.float32), lengths


@pytest.fixture(scope="module")
def source():
    return bfm_source()


def write_2009(path: Path, source, **changes) -> None:
    shape, shape_deviation = columns(source.identity * 1e6)
    colour, colour_deviation = columns(source.colour_modes * 255)
    content = {
        "shapeMU": (source.vertices * 1e6).reshape(-1, 1).astype(np.float32),
        "shapePC": shape,
        "shapeEV": shape_deviation[:, None].astype(np.float32),
        "texMU": (source.colour * 255).reshape(-1, 1).astype(np.float32),
        "texPC": colour,
        "texEV": colour_deviation[:, None].astype(np.float32),
        "tl": (source.triangles[:, ::-1] + 1).astype(np.float64),
        "segbin": np.zeros((3, 4)),
    }
    scipy.io.savemat(path, {name: array for name, array in (content | changes).items() if array is not None})


def write_2017(path: Path, source, *, is_scaled: bool = False, without: str = "") -> None:
    means = {"shape": source.vertices * 1e3, "expression": np.full_like(source.vertices, 0.25), "color": source.colour}
    modes = {"shape": source.identity * 1e3, "expression": source.expression * 1e3, "color": source.colour_modes}
    with h5py.File(path, "w") as file:
        for group, mean in means.items():
            basis, deviation = columns(modes[group])
            file[f"{group}/model/mean"] = mean.ravel().astype(np.float32)
            file[f"{group}/model/pcaBasis"] = basis * deviation if is_scaled else basis
            file[f"{group}/model/pcaVariance"] = deviation**2
        file["shape/representer/cells"] = source.triangles.T.astype(np.int32)
        if without:
            del file[without]


@pytest.fixture(scope="module")
def files(tmp_path_factory, source) -> Path:
    folder = tmp_path_factory.mktemp("bfm")
    write_2009(folder / "01_MorphableModel.mat", source)
    write_2017(folder / "model2017.h5", source)
    (folder / "points.txt").write_text(" ".join(map(str, source.landmarks)))
    basis, deviation = columns(source.expression * 1e6)
    kept = np.arange(len(source.vertices) - 7)
    scipy.io.savemat(folder / "BFM_exp_idx.mat", {"trimIndex": (kept + 1)[:, None]})
    np.savetxt(folder / "std_exp.txt", deviation[None])
    mean = np.full((len(kept), 3), 250.0)
    modes = basis.reshape(-1, 3, len(deviation))[kept].reshape(-1, len(deviation))
    numbers = np.concatenate([mean.ravel(), modes.T.ravel()]).astype("<f4")
    (folder / "Exp_Pca.bin").write_bytes(len(deviation).to_bytes(4, "little") + numbers.tobytes())
    return folder


def check_formula(model, source, *, offset_m: float, covered: int) -> None:
    """The model's skin is mean + identity + expression as the source defines it, but for the pressed-in eyes."""
    random = np.random.default_rng(1)
    identity, expression = random.normal(size=model.identity_count), random.normal(size=model.expression_count)
    own = source.vertices + np.tensordot(identity, source.identity, 1) + np.tensordot(expression, source.expression, 1)
    mine = evaluate(model, identity=identity, expression=expression)
    is_skin = np.flatnonzero(model.region("face", "head", "neck")[:covered])
    np.testing.assert_allclose(mine[is_skin], own[is_skin] + offset_m, atol=2e-6)
    count = len(source.vertices)
    np.testing.assert_allclose(model.reflectance_mean[:count], srgb_decode(source.colour), atol=1e-5)
    assert model.vertex_count > count
    assert {"eyeball_left", "eyeball_right", "face"} <= set(model.region_names)


def test_2017_is_the_source_s_own_formula(files, source):
    model = bfm_face_model(read_bfm(files / "model2017.h5"), landmarks=files / "points.txt", where="model")
    assert model.id == "bfm-2017"
    assert model.expression_names[0] == "expression_000"
    check_formula(model, source, offset_m=0.25e-3, covered=len(source.vertices))


def test_2009_with_the_expressions_of_the_bin(files, source):
    arrays = read_bfm(files / "01_MorphableModel.mat", expressions=files / "Exp_Pca.bin")
    model = bfm_face_model(arrays, landmarks=files / "points.txt", where="model")
    assert model.id == "bfm-2009"
    check_formula(model, source, offset_m=0.25e-3, covered=len(source.vertices) - 7)


def test_2009_with_the_expressions_of_a_mat(files, source, tmp_path):
    basis, deviation = columns(source.expression * 1e6)
    scipy.io.savemat(tmp_path / "expressions.mat", {"expPC": basis, "expEV": deviation})
    arrays = read_bfm(files / "01_MorphableModel.mat", expressions=tmp_path / "expressions.mat")
    np.testing.assert_allclose(arrays.expression, source.expression, atol=1e-6)
    np.testing.assert_allclose(arrays.vertices, source.vertices, atol=1e-7)


def test_triangles_face_outward_whatever_their_order(files, source):
    for name in ("01_MorphableModel.mat", "model2017.h5"):
        model = bfm_face_model(read_bfm(files / name), landmarks=files / "points.txt", where="model")
        assert {tuple(row) for row in source.triangles[:50]} <= {tuple(row) for row in model.triangles[:50]}


def test_eyes_are_behind_the_lids_and_before_the_skin(files, source):
    model = bfm_face_model(read_bfm(files / "model2017.h5"), landmarks=files / "points.txt", where="model")
    marks = landmarks_68(model, model.vertices)
    assert model.eye_centers[0, 0] > 0.025 > -0.025 > model.eye_centers[1, 0]
    for (start, stop), center, outline in zip(
        model.eye_ranges, model.eye_centers, (marks[42:48], marks[36:42]), strict=True
    ):
        ball = model.vertices[start:stop]
        np.testing.assert_allclose(np.linalg.norm(ball - center, axis=1), 0.012, atol=1e-9)
        lids = outline[[1, 2, 4, 5]]
        assert 0 < (np.linalg.norm(lids - center, axis=1) - 0.012).mean() < 0.003
        before = depth_in_outline(source.vertices, outline) > 0.0025
        assert before.any()
        assert (np.linalg.norm(model.vertices[: len(before)][before] - center, axis=1) < 0.012).all()


def test_eyeballs_move_with_the_identity_as_a_whole(files):
    model = bfm_face_model(read_bfm(files / "model2017.h5"), landmarks=files / "points.txt", where="model")
    start, stop = model.eye_ranges[0]
    lids = landmarks_68(model, model.identity_basis[0].astype(float))[42:48].mean(axis=0)
    np.testing.assert_allclose(model.identity_basis[0, start:stop], np.tile(lids, (stop - start, 1)), atol=1e-7)
    assert not model.expression_basis[:, start:stop].any()


def test_a_basis_that_is_scaled_already_is_not_scaled_again(files, source, tmp_path):
    write_2017(tmp_path / "scaled.h5", source, is_scaled=True)
    plain, scaled = read_bfm(files / "model2017.h5"), read_bfm(tmp_path / "scaled.h5")
    np.testing.assert_allclose(plain.identity, scaled.identity, atol=1e-7)


def test_a_basis_cut_from_a_larger_mesh_has_shorter_columns(files, source, tmp_path):
    path = tmp_path / "cut.h5"
    write_2017(path, source)
    with h5py.File(path, "r+") as file:
        file["shape/model/pcaBasis"][...] *= 0.7
    plain, cut = read_bfm(files / "model2017.h5"), read_bfm(path)
    np.testing.assert_allclose(0.7 * plain.identity, cut.identity, atol=1e-7)


def test_a_basis_of_neither_kind_is_refused(source, tmp_path):
    path = tmp_path / "odd.h5"
    write_2017(path, source)
    with h5py.File(path, "r+") as file:
        file["expression/model/pcaBasis"][...] *= 1000
    with pytest.raises(DataError, match=r"expression/model/pcaBasis has columns of lengths 1e\+03"):
        read_bfm(path)


def test_the_command_writes_a_model_and_asks_for_landmarks(files, tmp_path, capsys):
    words = ["model", "import-bfm", str(files / "01_MorphableModel.mat"), "-o", str(tmp_path / "bfm.face.npz")]
    assert run(words) == 1
    assert "--landmarks" in capsys.readouterr().err
    assert run([*words, "--landmarks", str(files / "points.txt"), "--identity-modes", "3"]) == 0
    model = read_face_model(tmp_path / "bfm.face.npz")
    assert (model.identity_count, model.expression_count) == (3, 0)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"shapePC": None}, "'shapePC' is missing"),
        ({"shapeMU": np.zeros((4, 1))}, "4 numbers, not three"),
        ({"shapeEV": np.ones((2, 1))}, "2 deviations"),
        ({"tl": np.array([[1, 2, 10**7]])}, "points outside"),
        ({"texMU": np.full((3, 1), np.nan)}, "NaN"),
    ],
)
def test_broken_files_of_2009_are_named(source, tmp_path, changes, said):
    write_2009(tmp_path / "broken.mat", source, **changes)
    with pytest.raises(DataError, match=said):
        read_bfm(tmp_path / "broken.mat")


def test_what_is_no_such_file_is_refused(files, source, tmp_path):
    (tmp_path / "text.mat").write_text("no matrix")
    with pytest.raises(DataError, match="MATLAB"):
        read_bfm(tmp_path / "text.mat")
    whole = (files / "model2017.h5").read_bytes()
    (tmp_path / "cut.h5").write_bytes(whole[:3000])
    with pytest.raises(DataError, match="HDF5"):
        read_bfm(tmp_path / "cut.h5")
    write_2017(tmp_path / "no.h5", source, without="expression/model/mean")
    with pytest.raises(DataError, match="no dataset 'expression/model/mean'"):
        read_bfm(tmp_path / "no.h5")
    with pytest.raises(DataError, match="its own expressions"):
        read_bfm(files / "model2017.h5", expressions=files / "Exp_Pca.bin")


def test_numbers_of_another_file_are_not_followed(files, tmp_path):
    with h5py.File(tmp_path / "linked.h5", "w") as file:
        for name in ("shape", "expression", "color"):
            file[name] = h5py.ExternalLink(str(files / "model2017.h5"), f"/{name}")
    with pytest.raises(DataError, match="of this file"):
        read_bfm(tmp_path / "linked.h5")


def test_expressions_of_other_vertices_are_refused(files, tmp_path):
    with pytest.raises(DataError, match="not those of a model with 100"):
        read_expressions(files / "Exp_Pca.bin", 100)
    (tmp_path / "Exp_Pca.bin").write_bytes((files / "Exp_Pca.bin").read_bytes())
    with pytest.raises(DataError, match=r"std_exp\.txt.*missing"):
        read_expressions(tmp_path / "Exp_Pca.bin", 100)


@pytest.mark.parametrize(("library", "name"), [("h5py", "model2017.h5"), ("scipy.io", "01_MorphableModel.mat")])
def test_without_the_library_the_extra_is_named(files, monkeypatch, library, name):
    real = builtins.__import__

    def refusing(wanted, *arguments, **options):
        if wanted == library:
            raise ImportError(wanted)
        return real(wanted, *arguments, **options)

    monkeypatch.setattr(builtins, "__import__", refusing)
    with pytest.raises(DataError, match=r"pip install"):
        read_bfm(files / name)

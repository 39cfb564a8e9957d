from dvp_core.pipeline import recipe


def make(tmp_path, content=b"result"):
    (tmp_path / "input").write_bytes(b"plate")
    (tmp_path / "x.take").write_bytes(content)
    steps = recipe.recipe_of("track", {"clip": tmp_path / "input", "model": None}, {"focal_px": 900.0, "size": (1, 2)})
    recipe.record(tmp_path / "x.take", steps)
    return steps


def test_an_untouched_output_is_fresh(tmp_path):
    assert recipe.is_fresh(tmp_path / "x.take", make(tmp_path))


def test_a_damaged_output_is_not_fresh(tmp_path):
    steps = make(tmp_path)
    (tmp_path / "x.take").write_bytes(b"resul")
    assert not recipe.is_fresh(tmp_path / "x.take", steps)


def test_a_missing_output_or_recipe_is_not_fresh(tmp_path):
    steps = make(tmp_path)
    (tmp_path / "x.take").unlink()
    assert not recipe.is_fresh(tmp_path / "x.take", steps)
    steps = make(tmp_path)
    recipe.recipe_path(tmp_path / "x.take").write_text("{")
    assert not recipe.is_fresh(tmp_path / "x.take", steps)


def test_other_inputs_or_settings_are_not_fresh(tmp_path):
    make(tmp_path)
    other = recipe.recipe_of("track", {"clip": tmp_path / "input", "model": None}, {"focal_px": 901.0, "size": (1, 2)})
    assert not recipe.is_fresh(tmp_path / "x.take", other)
    (tmp_path / "input").write_bytes(b"another plate")
    other = recipe.recipe_of("track", {"clip": tmp_path / "input", "model": None}, {"focal_px": 900.0, "size": (1, 2)})
    assert not recipe.is_fresh(tmp_path / "x.take", other)


def test_a_recipe_may_be_asked_to_look_past_a_setting(tmp_path):
    make(tmp_path)
    other = recipe.recipe_of("track", {"clip": tmp_path / "input", "model": None}, {"focal_px": 901.0, "size": (1, 2)})
    assert recipe.is_fresh(tmp_path / "x.take", other, but_for=["focal_px"])
    assert not recipe.is_fresh(tmp_path / "x.take", other, but_for=["size"])
    (tmp_path / "x.take").write_bytes(b"resul")
    assert not recipe.is_fresh(tmp_path / "x.take", other, but_for=["focal_px"])

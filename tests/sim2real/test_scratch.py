"""`sim2real finetune --strategy scratch`: nothing of the pretrained weights is left, and the card says so."""

import json
from pathlib import Path

import pytest
import torch

from calibration.rig_file import load_rig
from calibration.view import CameraView
from envs.standin import write_standin
from policies.checkpoint import ModelCard, load_checkpoint, save_checkpoint
from policies.perception import ModelSpec, PerceptionModel
from sim2real import scratch
from sim2real.cli import main
from sim2real.realdata import load_real

RIG = load_rig("cube_on_table")


@pytest.fixture(scope="module")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("photographs") / "data"
    write_standin(RIG, folder, 12, 3)
    return folder


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = scratch.train_from_scratch
    monkeypatch.setattr(scratch, "train_from_scratch", lambda *a, **k: whole(*a, **k, steps=2))


def pretrained(folder: Path, seed: int) -> Path:
    torch.manual_seed(seed)
    spec = ModelSpec("test_resnet", "keypoints", len(RIG.keypoints), RIG.input_size_px)
    card = ModelCard(spec, RIG, CameraView.of(RIG), "as in the rig file", "none", "7 simulated frames")
    save_checkpoint(folder / "model", PerceptionModel(spec), card, {})
    return folder


def tune(model: Path, photographs: Path, out: Path, *more: object) -> int:
    words = ["--model", model, "--real", photographs, "--frames", 4, "--out", out, "--threads", 1]
    return main(["finetune", "--strategy", "scratch", *[str(w) for w in (*words, *more)]])


@pytest.mark.usefixtures("quick")
def test_weights_depend_on_the_seed_and_not_on_the_pretrained_ones(photographs: Path, tmp_path: Path) -> None:
    first, second = pretrained(tmp_path / "first", 1), pretrained(tmp_path / "second", 2)
    for name, model, seed in (("a", first, 0), ("b", second, 0), ("c", first, 5)):
        assert tune(model, photographs, tmp_path / name, "--seed", seed) == 0
    a, b, c = (load_checkpoint(tmp_path / n, torch.device("cpu")) for n in "abc")
    # Two steps move the first layer little, so that it tells where it began.
    weights = [next(iter(m.state_dict().values())) for m, _ in (a, b, c)]
    before = next(iter(load_checkpoint(first, torch.device("cpu"))[0].state_dict().values()))
    assert torch.allclose(weights[0], weights[1], atol=0.02)
    assert not torch.allclose(weights[0], weights[2], atol=0.02)
    assert not torch.allclose(weights[0], before, atol=0.02)
    assert a[1].selection == "4 labelled frames"
    assert a[1].trained_on == f"4 photographs of data {scratch.ALONE}"
    split = json.loads((tmp_path / "a" / "split.json").read_text())
    assert len(split["used"]) == 4
    assert not set(split["used"]) & set(split["test"])
    # A finished run is not run again.
    stamp = (tmp_path / "a" / "model" / "model_card.json").stat().st_mtime_ns
    assert tune(first, photographs, tmp_path / "a", "--resume") == 0
    assert (tmp_path / "a" / "model" / "model_card.json").stat().st_mtime_ns == stamp


@pytest.mark.usefixtures("quick")
def test_named_groups_are_held_out_as_by_the_page(photographs: Path, tmp_path: Path) -> None:
    frames = load_real(photographs, RIG).frames
    groups = sorted({f.group for f in frames})
    held = [groups[0], groups[-1]]
    model = pretrained(tmp_path / "model", 0)
    assert tune(model, photographs, tmp_path / "out", "--frames", 2, "--test-groups", *held) == 0
    split = json.loads((tmp_path / "out" / "split.json").read_text())
    assert set(split["test"]) == {f.file for f in frames if f.group in held}
    # No frame of theirs makes up for those that are missing.
    many = len(frames) - 1
    assert tune(model, photographs, tmp_path / "no", "--frames", many, "--test-groups", *held) == 2


@pytest.mark.parametrize(("more", "said"), [(["--wise", 0.5], "takes neither heads, wise"), (["--frames", 99], "99")])
def test_what_it_has_not_is_refused(
    more: list[object], said: str, photographs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert tune(pretrained(tmp_path / "model", 0), photographs, tmp_path / "out", *more) == 2
    assert said in capsys.readouterr().err
    assert not (tmp_path / "out").exists()

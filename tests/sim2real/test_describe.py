"""What `sim2real describe` says about a model, checked by hand."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from calibration.rig_file import load_rig
from calibration.view import CameraView
from policies.checkpoint import ModelCard, save_checkpoint
from policies.perception import ModelSpec, PerceptionModel
from sim2real.adaptation.fine_tuning.phases import Group, Phase
from sim2real.adaptation.fine_tuning.strategies import STRATEGIES
from sim2real.cli import main
from sim2real.describe import phase_rows, table_lines

RIG = load_rig("cube_on_table")
# resnet10t by hand, channels 64, 128, 256, 512. Stem: three 3 x 3 layers, 3 -> 24 -> 32 -> 64, without bias, each with
# a scale and a shift for every output.
STEM = 9 * (3 * 24 + 24 * 32 + 32 * 64) + 2 * (24 + 32 + 64)


def block(inputs: int, outputs: int, shortcut: bool) -> int:
    """Two 3 x 3 layers and perhaps a 1 x 1 shortcut, each with normalization and without bias."""
    return 9 * outputs * (inputs + outputs) + 4 * outputs + shortcut * (inputs * outputs + 2 * outputs)


STAGES = [block(64, 64, False), block(64, 128, True), block(128, 256, True), block(256, 512, True)]
# The rig has one keypoint: one heatmap and two offsets.
HEAD = [48 * (64 + 128 + 256 + 512) + 4 * 48, 2 * (9 * 48 * 48 + 2 * 48), 3 * 48 + 3]
PARTS = ["stem", "stage1", "stage2", "stage3", "stage4", "head.lateral", "head.mix", "head.out", "total"]


def spec(head: str = "keypoints") -> ModelSpec:
    return ModelSpec("resnet10t", head, len(RIG.keypoints), RIG.input_size_px)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("described")
    card = ModelCard(spec(), RIG, CameraView.of(RIG), "as in the rig file", "none", "64 simulated frames")
    save_checkpoint(folder / "model", PerceptionModel(spec()), card, {})
    return folder


@pytest.fixture
def say(run: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    def text(*words: str) -> str:
        assert main(["describe", "--model", str(run), *words]) == 0
        return capsys.readouterr().out

    return text


def table(text: str, phase: int) -> dict[str, list[str]]:
    """Return the rows of a phase's table by part."""
    lines = text.split(f"\nphase {phase} of ")[1].split("\n\n")[0].splitlines()[2:]
    return {line.split()[0]: line.split()[1:] for line in lines}


def test_parameters_are_those_counted_by_hand(say: Callable[..., str]) -> None:
    text = say()
    rows = table(text, 2)
    assert list(rows) == PARTS
    counts = [STEM, *STAGES, *HEAD]
    assert [int(rows[name][0].replace(",", "")) for name in PARTS] == [*counts, sum(counts)]
    assert f"parameters   {sum(counts):,}\n" in text


def test_the_default_is_shown_phase_by_phase(say: Callable[..., str]) -> None:
    text = say()
    assert text == say("--strategy", "lp-ft")
    assert "phase 1 of 2, head: 40 steps, rate 0.001\n" in text
    assert "phase 2 of 2, all: 45 steps, rate 0.0005\n" in text
    probe, rest = table(text, 1), table(text, 2)
    assert probe["stage1"][1:] == ["frozen", "frozen"]
    assert probe["head.mix"][1:] == [f"{HEAD[1]:,}", "1", "frozen"]
    assert probe["total"][1] == f"{sum(HEAD):,}"
    assert rest["stem"][1:] == [f"{STEM:,}", "0.5", "frozen"]
    assert rest["head.out"][1:] == [str(HEAD[2]), "1", "none"]


def test_what_the_model_is_and_where_it_comes_from(say: Callable[..., str]) -> None:
    text = say()
    for line in (
        "backbone     resnet10t, maps of stride 4, 8, 16, 32",
        "head         heatmaps of 1 keypoint",
        "input        160 x 120 pixels",
        "rig          cube_on_table",
        "selection    none",
        "camera       as in the rig file",
        "trained on   64 simulated frames",
    ):
        assert f"{line}\n" in text
    assert f"labels       {RIG.label.name} ({', '.join(RIG.label.components)}), lifted from keypoints" in text


@pytest.mark.parametrize("name", STRATEGIES)
def test_every_strategy_can_be_described(name: str, say: Callable[..., str]) -> None:
    text = say("--strategy", name)
    assert f"strategy {name}: " in text
    assert ("penalty" in text) == (name in ("l2-sp", "ewc"))
    assert ("low-rank corrections of rank 4" in text) == (name == "lora")


def test_layer_decay_and_low_rank_in_numbers(say: Callable[..., str]) -> None:
    decay = table(say("--strategy", "layer-decay"), 2)
    assert [decay[name][2] for name in PARTS[:5]] == ["0.168", "0.24", "0.343", "0.49", "0.7"]
    low = table(say("--strategy", "lora"), 2)
    # Rank 4 of two 3 x 3 layers of 64 channels: 4 (9 * 64) down and 64 * 4 up, each.
    assert low["stage1"][1] == f"{2 * (4 * 9 * 64 + 4 * 64):,}"
    norms = table(say("--strategy", "batch-norm"), 1)
    assert norms["stage1"][1:] == ["256", "1", "frozen"]
    assert norms["head.out"][1] == "frozen"


def test_statistics_that_learn_are_shown() -> None:
    model = PerceptionModel(ModelSpec("test_resnet", "regression", 1, (64, 48)))
    rows = phase_rows(model, Phase("x", 1, 1.0, (Group(("stage2",), 0.5, "learning"),)))
    assert {r.part: r.normalization for r in rows} == {
        "stem": "frozen", "stage1": "frozen", "stage2": "learning", "stage3": "frozen", "stage4": "frozen",
        "head.layers": "none", "total": "",
    }  # fmt: skip
    lines = table_lines(rows)
    assert len({len(line.split("  ")[0]) for line in lines[1:]}) > 1
    assert all(len(line) <= 80 for line in lines)


def test_an_unknown_strategy_is_answered_with_the_list(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["describe", "--model", str(run), "--strategy", "magic"]) == 2
    error = capsys.readouterr().err
    assert error.startswith("sim2real: strategy must be one of head, lp-ft, full, gradual, surgical, last-block")
    assert error.endswith("lora, got 'magic'\n")
    assert error.count("\n") == 1


def test_no_model_is_one_clear_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["describe", "--model", str(tmp_path)]) == 2
    assert "model must be a folder made by pretrain or finetune" in capsys.readouterr().err

"""`finetune --rig` pretrains first, once, and not before it is known that fine-tuning can begin."""

from pathlib import Path

import pytest

from calibration.errors import InputError
from sim2real import starting_model as module
from sim2real.adaptation_configs import FinetuneConfig
from sim2real.configs import PretrainConfig


@pytest.fixture
def pretrained(monkeypatch: pytest.MonkeyPatch) -> list[PretrainConfig]:
    """Settings of pretrainings that were asked for."""
    asked: list[PretrainConfig] = []

    def pretrain(config: PretrainConfig) -> Path:
        asked.append(config)
        config.out.mkdir(exist_ok=True)
        return config.out

    monkeypatch.setattr(module, "pretrain", pretrain)
    return asked


def test_a_given_model_is_taken(pretrained: list[PretrainConfig], tmp_path: Path) -> None:
    config = FinetuneConfig(tmp_path, 3, tmp_path / "out", tmp_path / "model")
    assert module.starting_model(config) == tmp_path / "model"
    assert pretrained == []


def test_without_one_it_is_pretrained_beside_the_run_and_goes_on(
    pretrained: list[PretrainConfig], frames_folder: Path, tmp_path: Path
) -> None:
    config = FinetuneConfig(frames_folder, 3, tmp_path / "tuned", rig="cube_on_table", seed=4, device="cpu")
    assert module.starting_model(config) == tmp_path / "tuned-sim"
    assert module.starting_model(config) == tmp_path / "tuned-sim"
    assert [(c.rig, c.seed, c.device, c.resume) for c in pretrained] == [
        ("cube_on_table", 4, "cpu", False),
        ("cube_on_table", 4, "cpu", True),
    ]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({}, "needs either --model, .*or --rig, .*got neither"),
        ({"model": Path("m"), "rig": "cube_on_table"}, "got both"),
        ({"rig": "cube_on_table", "frames": 1000}, "frames must be at most the .* usable photographs of"),
        ({"rig": "no_such_rig"}, "no_such_rig"),
        ({"rig": "cube_on_table", "out": Path(__file__)}, "output folder must be new"),
    ],
)
def test_what_cannot_be_fine_tuned_is_said_before_anything_is_pretrained(
    changes: dict[str, object],
    message: str,
    pretrained: list[PretrainConfig],
    frames_folder: Path,
    tmp_path: Path,
) -> None:
    given = {"real": frames_folder, "frames": 3, "out": tmp_path / "tuned", **changes}
    with pytest.raises(InputError, match=message):
        module.starting_model(FinetuneConfig(**given))  # type: ignore[arg-type]
    assert pretrained == []

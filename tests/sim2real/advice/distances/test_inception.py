"""Features of Inception v3: the file's network, the user's pictures."""

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from calibration.errors import InputError
from policies.timm_import import import_timm
from sim2real.advice.distances.inception import Inception

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def network() -> torch.nn.Module:
    torch.manual_seed(0)
    made: torch.nn.Module = import_timm().create_model("inception_v3", pretrained=False)
    return made.eval()


def test_features_are_the_networks_last_pooling(network: torch.nn.Module, tmp_path: Path) -> None:
    # With a classifier in it, as files have, and without the counters that some lack.
    state = {k: v for k, v in network.state_dict().items() if "num_batches" not in k}
    assert "fc.weight" in state
    save_file(state, tmp_path / "inception.safetensors")
    rng = np.random.default_rng(0)
    pictures = rng.integers(0, 255, (3, 299, 299, 3), np.uint8)
    found = Inception(tmp_path / "inception.safetensors", CPU).features(pictures)
    assert found.shape == (3, 2048)
    with torch.no_grad():
        scores = network(torch.from_numpy(pictures).permute(0, 3, 1, 2).float() / 127.5 - 1.0)
        expected = torch.from_numpy(found).float() @ state["fc.weight"].T + state["fc.bias"]
    torch.testing.assert_close(expected, scores, rtol=1e-3, atol=1e-3)
    # Pictures of another size are brought to that of the network.
    assert Inception(tmp_path / "inception.safetensors", CPU).features(pictures[:1, :64, :80]).shape == (1, 2048)


def test_a_file_of_something_else_is_one_line(tmp_path: Path) -> None:
    save_file({"weight": torch.zeros(2)}, tmp_path / "other.safetensors")
    with pytest.raises(InputError, match=r"Inception v3.*other\.safetensors: it lacks .* more"):
        Inception(tmp_path / "other.safetensors", CPU)
    with pytest.raises(InputError, match="Inception v3"):
        Inception(tmp_path / "nothing.safetensors", CPU)

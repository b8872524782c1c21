import pytest
import torch

from policies.perception import ModelSpec, PerceptionModel, put_front
from policies.translator import Translator


@pytest.mark.parametrize("size", [(64, 96), (75, 101), (120, 160)])
def test_at_the_start_a_picture_comes_back(size: tuple[int, int]) -> None:
    pictures = torch.rand(2, 3, *size)
    assert torch.equal(Translator()(pictures), pictures)


def test_a_picture_alone_and_in_a_batch_become_the_same() -> None:
    torch.manual_seed(0)
    net = Translator().train()
    torch.nn.init.normal_(net.out.weight, std=0.1)
    pictures = torch.rand(3, 3, 40, 56)
    together = net(pictures)
    assert not torch.allclose(together, pictures, atol=1e-3)
    assert torch.allclose(together[1:2], net(pictures[1:2]), atol=1e-5)


def test_it_learns_to_invert_colours() -> None:
    torch.manual_seed(0)
    net, pictures = Translator(), torch.rand(4, 3, 24, 32)
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-2)
    for _ in range(60):
        loss = (net(pictures) - (1 - pictures)).abs().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss < 0.1  # 0.33 at the start


def test_a_model_sees_through_its_front() -> None:
    torch.manual_seed(0)
    model = PerceptionModel(ModelSpec("test_resnet", "keypoints", 1, (96, 64))).eval()
    pictures = torch.randint(0, 255, (2, 3, 64, 96), dtype=torch.uint8)
    before = model(pictures).logits
    front = Translator()
    put_front(model, front)
    assert model.spec.front == "canonical"
    assert torch.allclose(model(pictures).logits, before, atol=1e-4)
    torch.nn.init.normal_(front.out.weight, std=0.5)
    assert not torch.allclose(model(pictures).logits, before, atol=1e-2)
    again = PerceptionModel(model.spec)
    again.load_state_dict(model.state_dict())
    assert torch.equal(again.eval()(pictures).logits, model(pictures).logits)

"""The eye of a camera student: a small network that finds landmarks in pictures."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from policies.heads import KeypointMaps, decode_keypoints, keypoint_loss
from policies.imitation.demonstrations import Demonstrations

# Pixels of a picture for one cell of the heatmap.
_STRIDE = 4
# Numbers for each landmark: x and y, -1 to 1 over the picture, and the confidence, 0 to 1.
NUMBERS = 3


class Eye(nn.Module):
    """Pictures to a heatmap and offsets for each landmark, as the perception models have them."""

    def __init__(self, landmarks: int) -> None:
        """Build the network."""
        super().__init__()
        self.landmarks = landmarks
        self.net = nn.Sequential(
            nn.Conv2d(3, 24, 5, stride=2, padding=2),
            *_normalised(24),
            nn.Conv2d(24, 32, 3, stride=2, padding=1),
            *_normalised(32),
            nn.Conv2d(32, 48, 3, padding=1),
            *_normalised(48),
            nn.Conv2d(48, 48, 3, padding=2, dilation=2),
            *_normalised(48),
            nn.Conv2d(48, 3 * landmarks, 1),
        )

    def forward(self, images: Tensor) -> KeypointMaps:
        """Return the maps of pictures uint8 (N, 3, H, W)."""
        out = self.net(images.float() / 127.5 - 1.0)
        n, _, h, w = out.shape
        out = out.reshape(n, self.landmarks, 3, h, w)
        return KeypointMaps(out[:, :, 0], out[:, :, 1:], _STRIDE)

    def points(self, images: Tensor) -> Tensor:
        """Return where the landmarks are, (N, 3 L)."""
        height, width = images.shape[2:]
        pixels, confidence = decode_keypoints(self.forward(images))
        size = torch.tensor([width, height], device=pixels.device)
        return torch.cat([2.0 * (pixels + 0.5) / size - 1.0, confidence[..., None]], dim=2).flatten(1)


def _normalised(channels: int) -> tuple[nn.Module, nn.Module]:
    return nn.BatchNorm2d(channels), nn.ReLU(inplace=True)


def train_eye(
    eye: Eye,
    data: Demonstrations,
    updates: int,
    batch_size: int,
    seed: int,
    device: torch.device,
    step: Callable[[int, float], None] | None = None,
) -> None:
    """Fit the eye to pictures with known pixels: AdamW, one cycle of the learning rate (Smith & Topin 2019).

    Args:
        eye: is changed.
        data: has `images` and `pixels` (N, L, 2).
        updates: steps of the optimizer.
        batch_size: pictures in each.
        seed: of the batches.
        device: where the eye is.
        step: is told the number of updates made and the loss.
    """
    pixels = data.every("pixels").float()
    generator = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.AdamW(eye.parameters(), lr=2e-3, weight_decay=1e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 2e-3, total_steps=updates)
    eye.train()
    for k in range(updates):
        chosen = torch.randint(len(pixels), (batch_size,), generator=generator)
        images = data.images(chosen).to(device).contiguous(memory_format=torch.channels_last)
        wanted = pixels[chosen].to(device)
        loss = keypoint_loss(eye(images), wanted, torch.ones(wanted.shape[:2], device=device))
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        schedule.step()
        if step is not None:
            step(k + 1, float(loss.detach()))
    eye.eval()


@torch.no_grad()
def pixel_errors(eye: Eye, data: Demonstrations, device: torch.device) -> Tensor:
    """Return how far the eye is off, pixels, (N, L), for pictures that it was not trained on."""
    pixels, found = data.every("pixels").float(), []
    for start in range(0, len(pixels), 256):
        chosen = torch.arange(start, min(start + 256, len(pixels)))
        found.append(decode_keypoints(eye(data.images(chosen).to(device)))[0].cpu())
    errors: Tensor = torch.linalg.norm(torch.cat(found) - pixels, dim=2)
    return errors

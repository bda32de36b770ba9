"""The slice classifier's head: nothing of its first draw reaches the maps."""

import pytest
import torch
from torch.nn import functional

from clisc_engine.models.classifier import build_classifier


def trained(head: str, seed: int) -> torch.nn.Module:
    """A classifier after three steps on a fixed batch; its trunk is the same for every seed."""
    torch.manual_seed(5)
    trunk = build_classifier(
        "resnet18", pretrained=None, clip=None, head=head, dropout=0.0, image_size=32
    ).state_dict()
    torch.manual_seed(seed)
    module = build_classifier("resnet18", pretrained=None, clip=None, head=head, dropout=0.0, image_size=32)
    module.load_state_dict({k: v for k, v in trunk.items() if not k.startswith("head")}, strict=False)
    optimiser = torch.optim.Adam(module.parameters(), lr=1e-3)
    module.train()
    for _ in range(3):
        loss = functional.cross_entropy(module(module.prepare(slices())), torch.tensor([0, 1, 0, 1]))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return module.eval()


def slices() -> torch.Tensor:
    return torch.randint(0, 256, (4, 32, 32), generator=torch.Generator().manual_seed(1)).to(torch.uint8)


@pytest.mark.parametrize("head", ["linear", "mlp"])
def test_the_mapped_output_is_half_the_log_odds_and_nothing_else(head):
    module = trained(head, seed=0)
    logits = module(module.prepare(slices()))
    assert logits.abs().max() > 1e-2
    torch.testing.assert_close(logits[:, 1], (logits[:, 1] - logits[:, 0]) / 2, atol=1e-5, rtol=1e-4)


def test_a_linear_head_forgets_the_seed():
    one, other = trained("linear", seed=1), trained("linear", seed=2)
    inputs = one.prepare(slices())
    torch.testing.assert_close(one(inputs), other(inputs))

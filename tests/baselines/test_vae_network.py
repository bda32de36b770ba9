"""The autoencoder of AMCons and GradCAMCons against torchvision's ResNet-18, and at its full size."""

import pytest
import torch
from torch import nn
from torchvision.models import resnet18

from clisc_engine.baselines.amcons import method as amcons
from clisc_engine.baselines.amcons.entropy import mean_activation
from clisc_engine.baselines.gradcamcons import method as gradcamcons
from clisc_engine.baselines.gradcamcons.attention import gradient_map
from clisc_engine.baselines.vae.network import Vae
from clisc_engine.settings.baselines.amcons import AmconsSettings
from clisc_engine.settings.baselines.gradcamcons import GradcamconsSettings

CPU = torch.device("cpu")


def small(pooled=False, attention=mean_activation, seed=0):
    torch.manual_seed(seed)
    return Vae(64, 8, 4, pooled=pooled, attention=attention)


@pytest.mark.parametrize("pooled", [False, True])
def test_stages_are_those_of_torchvisions_resnet18(pooled):
    torch.manual_seed(0)
    encoder = Vae(64, 64, 4, pooled=pooled, attention=mean_activation).encoder.eval()
    oracle = resnet18().eval()
    oracle.conv1 = nn.Conv2d(1, 64, 7, stride=2, padding=3, bias=False)
    ours = {k: v for k, v in encoder.state_dict().items() if k.startswith(("layer", "conv1"))}
    lacking = oracle.load_state_dict(ours, strict=False)
    assert not lacking.unexpected_keys
    assert all(key.startswith(("bn1", "fc")) for key in lacking.missing_keys)
    slices = torch.rand(2, 1, 64, 64)
    with torch.no_grad():
        entered = oracle.conv1(slices)
        stage1 = oracle.layer1(oracle.maxpool(entered) if pooled else entered)
        stage4 = oracle.layer4(oracle.layer3(oracle.layer2(stage1)))
        assert torch.equal(encoder.first(slices), stage1)
        assert torch.equal(encoder.rest(stage1)[0], encoder.mu(stage4.flatten(1)))


def parameters(module):
    return sum(p.numel() for p in module.parameters())


def test_full_size_network_of_amcons_takes_a_step_on_a_batch_of_one():
    settings = AmconsSettings()
    module = amcons.build(settings, 0, CPU)
    resnet = parameters(resnet18()) - (512 * 1000 + 1000) - 64 * 3 * 49 - 128 + 64 * 49
    heads = 2 * (512 * 14**2 * 32 + 32)
    assert parameters(module.encoder) == resnet + heads
    assert parameters(module) == pytest.approx(20.3e6, rel=0.01)
    packed, stepped = one_step(module, amcons.plan(settings, 1))
    outputs = module.unpacked(packed)
    assert outputs.logits.shape == (1, 1, 224, 224) and outputs.attention.shape == (1, 112, 112)
    assert stepped


@pytest.mark.parametrize(("weighting", "side"), [("activation", 112), ("gradient", 56)])
def test_full_size_network_of_gradcamcons_takes_a_step(weighting, side):
    """By gradient through its second derivatives."""
    settings = GradcamconsSettings(weighting=weighting)
    module = gradcamcons.build(settings, 0, CPU)
    packed, stepped = one_step(module, gradcamcons.plan(settings, 1))
    outputs = module.unpacked(packed)
    assert outputs.logits.shape == (1, 1, 224, 224) and outputs.attention.shape == (1, side, side)
    assert outputs.mu.shape == outputs.log_variance.shape == (1, 32)
    assert stepped


def one_step(module, plan):
    """A step under the constraint: the outputs before it, and whether all weights moved and are finite."""
    before = [p.detach().clone() for p in module.parameters()]
    optimiser = torch.optim.Adam(module.parameters(), lr=plan.learning_rate)
    slices = torch.rand(1, 1, 224, 224)
    packed = module.train()(slices)
    plan.loss(module.unpacked(packed), slices, True).backward()
    optimiser.step()
    after = list(module.parameters())
    moved = all(not torch.equal(a, b) for a, b in zip(after, before, strict=True) if b.dim() > 1)
    return packed.detach(), moved and all(torch.isfinite(p).all() for p in after)


@pytest.mark.parametrize(("pooled", "attention"), [(False, mean_activation), (True, gradient_map)])
def test_maps_go_with_their_slices(pooled, attention):
    module = small(pooled, attention).eval()
    slices = torch.rand(5, 1, 64, 64)
    order = torch.tensor([3, 0, 4, 1, 2])
    assert torch.allclose(module.attention(slices)[order], module.attention(slices[order]), atol=1e-6)
    alone = torch.cat([module.attention(one[None]) for one in slices])
    assert torch.allclose(module.attention(slices), alone, atol=1e-6)


def test_the_parts_of_a_packed_batch_come_back():
    module = small().eval()
    slices = torch.rand(3, 1, 64, 64)
    outputs = module.unpacked(module(slices))
    mu, log_variance = module.encoder.rest(module.encoder.first(slices))
    assert torch.equal(outputs.mu, mu) and torch.equal(outputs.log_variance, log_variance)
    assert torch.equal(outputs.logits, module.decoder(mu))
    assert torch.equal(outputs.attention, module.attention(slices))


def test_the_code_is_drawn_in_training_alone():
    module = small()
    slices = torch.rand(2, 1, 64, 64)
    logits = [module.train().unpacked(module(slices)).logits.detach() for _ in range(2)]
    assert not torch.allclose(*logits)
    module.eval()
    assert torch.equal(*(module.unpacked(module(slices)).logits.detach() for _ in range(2)))

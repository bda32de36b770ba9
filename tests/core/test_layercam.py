import numpy as np
import pytest
import torch
from torchvision.models import resnet18

from clisc_engine.core import layercam


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    return resnet18(num_classes=2).eval()


def features_and_gradients(network, images, layer):
    kept = {}
    handle = getattr(network, layer).register_forward_hook(lambda *a: kept.update(out=a[2]))
    logits = network(images)
    handle.remove()
    return kept["out"], torch.autograd.grad(logits[:, 1].sum(), kept["out"])[0]


@pytest.mark.parametrize("method", ["LayerCAM", "GradCAM"])
@pytest.mark.parametrize("layer", ["layer2", "layer3"])
def test_agrees_with_the_grad_cam_package(network, method, layer):
    gradcam = pytest.importorskip("pytorch_grad_cam")
    from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget

    torch.manual_seed(1)
    images = torch.randn(3, 3, 64, 64)
    ours = {"LayerCAM": layercam.layer_cam, "GradCAM": layercam.grad_cam}[method]
    maps = layercam.fuse([ours(*features_and_gradients(network, images, layer))], (64, 64))
    with getattr(gradcam, method)(network, [getattr(network, layer)]) as oracle:
        for image, found in zip(images, maps, strict=True):
            expected = oracle(image[None], [ClassifierOutputTarget(1)])[0]
            assert np.abs(found.detach().numpy() - expected).max() < 2e-3


def test_layer_cam_by_hand():
    features = torch.tensor([[[[1.0, 2.0]], [[3.0, -4.0]]]])
    gradients = torch.tensor([[[[2.0, -1.0]], [[0.5, 1.0]]]])
    # Positive gradients only: 1*2 + 3*0.5 = 3.5; 2*0 + (-4)*1 = -4, cut to 0.
    assert layercam.layer_cam(features, gradients).tolist() == [[[3.5, 0.0]]]


def test_grad_cam_by_hand():
    features = torch.tensor([[[[1.0, 2.0]], [[3.0, -4.0]]]])
    gradients = torch.tensor([[[[2.0, -1.0]], [[0.5, 1.0]]]])
    # Channel means 0.5 and 0.75: 0.5 + 2.25 = 2.75; 1 - 3 = -2, cut to 0.
    assert layercam.grad_cam(features, gradients).tolist() == [[[2.75, 0.0]]]


def test_cam_weights_channels():
    features = torch.tensor([[[[1.0, 2.0]], [[3.0, 4.0]]]])
    assert layercam.cam(features, torch.tensor([1.0, -0.5])).tolist() == [[[0.0, 0.0]]]
    assert layercam.cam(features, torch.tensor([1.0, 1.0])).tolist() == [[[4.0, 6.0]]]


def test_maps_are_scaled_each_by_itself_and_constant_ones_vanish():
    maps = torch.stack([torch.tensor([[0.0, 2.0]]), torch.tensor([[5.0, 5.0]]), torch.tensor([[1.0, 3.0]])])
    assert layercam.normalise(maps).tolist() == [[[0, 1]], [[0, 0]], [[0, 1]]]


def test_fusing_takes_the_maximum_of_the_layers():
    left, right = torch.zeros(1, 4, 4), torch.zeros(1, 4, 4)
    left[0, :, 0], right[0, :, 3] = 7.0, 0.1
    fused = layercam.fuse([left, right], (4, 4))
    assert fused[0, :, 0].tolist() == [1] * 4 and fused[0, :, 3].tolist() == [1] * 4
    assert fused[0, :, 1].max() == 0

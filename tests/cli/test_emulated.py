"""An arithmetic that the device has to emulate is told of, once, with the way out."""

import pytest
import torch

from tests.support.command import caller

pytestmark = pytest.mark.skipif(
    torch.ops.mkldnn._is_mkldnn_fp16_supported(), reason="this processor has float16 itself"
)


@pytest.fixture
def clisc(monkeypatch, capsys):
    return caller(monkeypatch, capsys)


@pytest.mark.parametrize("device", ["auto", "cpu"])
def test_float16_on_a_cpu(clisc, copied, device):
    if device == "auto" and torch.cuda.is_available():
        pytest.skip("auto is a GPU here")
    said = clisc("label", copied.root, "--precision", "16", "--device", device)
    assert said.code == 0
    assert said.message.count("this processor emulates it") == 1
    assert "use --precision bf16." in said.message or "use --precision 32." in said.message


@pytest.mark.parametrize("options", [("--precision", "bf16"), ("--precision", "16", "--dry-run"), ()])
def test_nothing_is_said_of_others(clisc, copied, options):
    assert "emulates" not in clisc("label", copied.root, *options).message

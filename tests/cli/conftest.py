"""The command line as a user calls it, in this process where that is enough."""

import pytest

from tests.support.command import caller


@pytest.fixture
def clisc(monkeypatch, capsys):
    """Call `clisc ARGUMENTS`; exit code, stdout and stderr come back."""
    return caller(monkeypatch, capsys)

"""The command line as a user calls it, in this process where that is enough."""

import pytest
from command import caller
from small import small_data


@pytest.fixture
def clisc(monkeypatch, capsys):
    """Call `clisc ARGUMENTS`; exit code, stdout and stderr come back."""
    return caller(monkeypatch, capsys)


@pytest.fixture(scope="session")
def data(tmp_path_factory):
    return small_data(tmp_path_factory.mktemp("cli-data"))

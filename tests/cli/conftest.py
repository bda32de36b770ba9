"""The command line as a user calls it, in this process where that is enough."""

import sys
from dataclasses import dataclass

import pytest

from clisc_cli.app import main


@dataclass
class Outcome:
    code: int
    out: str
    err: str


@pytest.fixture
def clisc(monkeypatch, capsys):
    """Call `clisc ARGUMENTS`; exit code, stdout and stderr come back."""

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["clisc", *map(str, arguments)])
        capsys.readouterr()
        try:
            main()
            code = 0
        except SystemExit as stop:
            code = stop.code or 0
        captured = capsys.readouterr()
        assert "Traceback" not in captured.err
        return Outcome(code, captured.out, captured.err)

    return call

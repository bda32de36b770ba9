"""The command line as a user calls it, in this process."""

import sys
from dataclasses import dataclass

from clisc_cli.app import main


@dataclass
class Outcome:
    code: int
    out: str
    err: str

    @property
    def message(self):
        """stderr on one line, as wide as it comes."""
        return " ".join(self.err.split())


def caller(monkeypatch, capsys):
    """A function that runs `clisc ARGUMENTS`; exit code, stdout and stderr come back."""

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

"""`clisc show` draws in terminals that can, and in nothing else."""

import base64
import os
import pty
import re
import sys
import threading

import pytest

from clisc_cli.app import main
from clisc_cli.inline import KITTY_CHUNK, protocol, sequence

PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 40


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, ""),
        ({"TERM": "xterm-256color"}, ""),
        ({"TERM": "xterm-kitty"}, "kitty"),
        ({"TERM": "xterm-256color", "KITTY_WINDOW_ID": "1"}, "kitty"),
        ({"TERM": "xterm-ghostty", "TERM_PROGRAM": "ghostty"}, "kitty"),
        ({"TERM_PROGRAM": "iTerm.app"}, "iterm2"),
        ({"TERM_PROGRAM": "WezTerm"}, "iterm2"),
        ({"TERM": "xterm-256color", "LC_TERMINAL": "iTerm2"}, "iterm2"),
        ({"TERM": "xterm-256color", "KONSOLE_VERSION": "221203"}, "iterm2"),
        ({"TERM": "xterm-256color", "KONSOLE_VERSION": "210802"}, ""),
        ({"TERM": "xterm-256color", "KONSOLE_VERSION": "git"}, ""),
        ({"TERM": "xterm-kitty", "TMUX": "/tmp/tmux"}, ""),
        ({"TERM": "screen-256color", "LC_TERMINAL": "iTerm2"}, ""),
        ({"TERM_PROGRAM": "Apple_Terminal"}, ""),
    ],
)
def test_the_terminal_is_known_by_its_variables(environment, expected):
    assert protocol(environment) == expected


def picture_of(text):
    """The PNG that a kitty terminal gets."""
    chunks = re.findall(r"\x1b_G([^;]*);([^\x1b]*)\x1b\\", text)
    assert [keys.split(",")[-1] for keys, _ in chunks] == ["m=1"] * (len(chunks) - 1) + ["m=0"]
    assert all(len(data) <= KITTY_CHUNK and len(data) % 4 == 0 for _, data in chunks)
    return base64.b64decode("".join(data for _, data in chunks))


def test_kitty_gets_the_picture_in_chunks():
    text = sequence(PNG, "kitty", 80)
    assert picture_of(text) == PNG and text.startswith("\x1b_Ga=T,f=100,q=2,c=80,m=1;")
    assert text.endswith("\n") and text.count("\n") == 1
    assert picture_of(sequence(PNG[:50], "kitty", 80)) == PNG[:50]


def test_iterm2_gets_the_picture_at_once():
    text = sequence(PNG, "iterm2", 80)
    head, _, data = text.removesuffix("\x07\n").partition(":")
    assert head == f"\x1b]1337;File=inline=1;size={len(PNG)};width=80;preserveAspectRatio=1"
    assert base64.b64decode(data) == PNG


def test_other_terminals_get_nothing():
    assert sequence(PNG, "", 80) == ""


def shown(monkeypatch, *arguments):
    """What `clisc show` writes to a terminal that says it is kitty."""
    master, slave = pty.openpty()
    heard = []

    def listen():
        while True:
            try:
                heard.append(os.read(master, 65536))
            except OSError:  # the other end is closed
                return

    listener = threading.Thread(target=listen)
    listener.start()
    with os.fdopen(slave, "w", encoding="utf-8") as terminal, monkeypatch.context() as patch:
        patch.setenv("TERM", "xterm-kitty")
        patch.delenv("TMUX", raising=False)
        patch.setattr(sys, "argv", ["clisc", "show", *map(str, arguments)])
        patch.setattr(sys, "stdout", terminal)
        try:
            main()
        except SystemExit as stop:
            assert not stop.code
    listener.join(30)
    os.close(master)
    return b"".join(heard).decode()


def test_a_terminal_gets_the_file_s_very_picture(copied, monkeypatch):
    text = shown(monkeypatch, copied.root, "p0", "--rows", 1)
    assert "p0.png" in text and picture_of(text) == (copied.results / "p0.png").read_bytes()


@pytest.mark.parametrize("option", ["--json", "--quiet"])
def test_a_terminal_gets_no_picture_unasked(copied, monkeypatch, option):
    assert "\x1b_G" not in shown(monkeypatch, copied.root, "p0", "--rows", 1, option)


def test_a_pipe_gets_no_picture(clisc, copied, monkeypatch):
    monkeypatch.setenv("TERM", "xterm-kitty")
    monkeypatch.delenv("TMUX", raising=False)
    assert "\x1b_G" not in clisc("show", copied.root, "p0", "--rows", 1).out

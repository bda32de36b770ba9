"""``python -m clisc_cli``, and the program ``clisc``: signals are heard while all else is loaded."""

from __future__ import annotations

import sys

from clisc_cli.locales import read_names_as_utf8
from clisc_cli.signals import INTERRUPTED, hear_no_more, hear_signals


def main() -> None:
    """Listen to signals, then load what a command needs and run it."""
    read_names_as_utf8()
    heard = hear_signals()
    try:
        from clisc_cli.app import main as run

        run(heard)
    except KeyboardInterrupt:  # a second Ctrl-C before the command has begun
        print(f"error: {INTERRUPTED}", file=sys.stderr)
        sys.exit(75)
    finally:
        hear_no_more()


if __name__ == "__main__":
    main()

"""``python -m clisc_engine.tiny bank|clip|sam``: make the slice bank, train the tiny models."""

import sys


def main(words: list[str]) -> None:
    """Run the step named by the first word with the remaining ones as its arguments."""
    step, arguments = (words[0], words[1:]) if words else ("", [])
    if step == "bank":
        from clisc_engine.tiny.bank import main as run
    elif step == "clip":
        from clisc_engine.tiny.train_clip import main as run
    elif step == "sam":
        from clisc_engine.tiny.train_sam import main as run
    else:
        sys.exit("usage: python -m clisc_engine.tiny bank|clip|sam --help")
    run(arguments)


if __name__ == "__main__":
    main(sys.argv[1:])

"""``python -m clisc_engine.tiny bank|clip|sam``: make the slice bank, train the tiny models."""

import sys


def main() -> None:
    """Run the step named first on the command line with the remaining arguments."""
    step, arguments = (sys.argv[1], sys.argv[2:]) if len(sys.argv) > 1 else ("", [])
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
    main()

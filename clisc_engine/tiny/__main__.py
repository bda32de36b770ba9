"""``python -m clisc_engine.tiny bank|clip|sam|unet|measure``: phantoms, trainings, and their worth."""

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
    elif step == "unet":
        from clisc_engine.tiny.train_unet import main as run
    elif step == "measure":
        from clisc_engine.tiny.measure import main as run
    else:
        sys.exit("usage: python -m clisc_engine.tiny bank|clip|sam|unet|measure --help")
    run(arguments)


if __name__ == "__main__":
    main(sys.argv[1:])

"""A call of `clisc`: it runs the command named, and turns errors into one message and an exit code."""

from __future__ import annotations

import re
import sys
from contextlib import suppress
from pathlib import Path

from clisc_cli.answer import answering
from clisc_cli.console import Terminal
from clisc_cli.registry import app_for
from clisc_cli.session import Session, fall_silent
from clisc_cli.signals import Heard, hear_signals, no_more_interrupts, stop_on_signals
from clisc_cli.streams import be_patient, fault_of_stdout, forget_no_width, open_what_is_closed
from clisc_engine.errors import BadInput, CliscError
from clisc_engine.files.limits import Reserve, too_little_memory
from clisc_engine.files.limits import explain as limit_in_words
from clisc_engine.running.cores import fit_threads
from clisc_engine.running.launch import rank_info
from clisc_engine.running.ranks import Ending


def main(heard: Heard | None = None) -> None:
    """Run the command; turn errors into one message and the documented exit code.

    ``heard`` is what signals have asked for since the process began, where somebody has listened.
    """
    heard = heard or hear_signals()
    open_what_is_closed()
    be_patient()
    forget_no_width()
    terminal = Terminal(quiet=False)
    verbose = bool({"--verbose", "-v"} & set(sys.argv))
    _configure_logging(verbose)
    session = Session(stop=stop_on_signals(heard))
    ending = Ending()
    with answering(sys.argv[1:]) as answer:
        try:
            with session.resources:
                ending = session.leave(_with_fault_of_stdout(_run(session, terminal, verbose)))
        except Exception as error:  # what was held cannot be given back
            if not ending.code:
                ending = _what_it_means(error, "")
        with suppress(MemoryError):
            answer.write(ending)
    ending = _with_fault_of_stdout(ending)
    if ending.message:
        _tell(terminal, ending.message)
    session.close(ending.code)


def _tell(terminal: Terminal, message: str) -> None:
    """The error; without colours where there is neither memory nor a file left to load them."""
    try:
        terminal.error(message)
    except (OSError, MemoryError, ImportError):
        with suppress(OSError):  # a stderr that takes nothing hides no exit code
            sys.stderr.write(f"error: {message}\n")


def _run(session: Session, terminal: Terminal, verbose: bool) -> Ending:
    reserve = Reserve()
    try:
        session.info = rank_info()
        if session.info.rank:
            fall_silent()
        if wrong := _empty_argument():
            return Ending(2, wrong)
        if wrong := too_little_memory():
            return Ending(BadInput.exit_code, wrong)
        fit_threads()
        app_for(sys.argv[1:])(prog_name="clisc", obj=session)
    except SystemExit as leave:
        return Ending(leave.code if isinstance(leave.code, int) else int(leave.code is not None))
    except Exception as error:
        used_up = reserve.release()
        if verbose:
            terminal.console.print_exception()
        return _what_it_means(error, used_up)
    finally:
        no_more_interrupts(session.stop)
        reserve.release()
    return Ending()


def _what_it_means(error: Exception, used_up: str) -> Ending:
    """``used_up`` is what to say when there was no memory left, which leads to errors of any kind."""
    if isinstance(error, CliscError):
        return Ending(error.exit_code, str(error), error.run)
    if limit := limit_in_words(error) or used_up:
        return Ending(BadInput.exit_code, f"{limit} What was finished is kept.")
    if _lost_its_folder():
        return Ending(
            BadInput.exit_code,
            "The folder in which clisc was called is gone; change into one that is there.",
        )
    if isinstance(error, OSError):
        return Ending(
            BadInput.exit_code,
            f"Cannot use {error.filename or 'the output'}: {error.strerror or error}. "
            "What was finished is kept; mend that and run the same command again.",
        )
    from clisc_engine.upkeep.doctor import diagnose

    if advice := diagnose(error):
        return Ending(BadInput.exit_code, f"{error}. {advice} `clisc doctor` examines this machine.")
    return Ending(
        1,
        f"Unexpected {type(error).__name__}: {error}. This is a bug in clisc; "
        "run the command again with --verbose for the traceback to report.",
    )


def _lost_its_folder() -> bool:
    try:
        Path.cwd()
    except OSError:
        return True
    return False


def _with_fault_of_stdout(ending: Ending) -> Ending:
    """The ending, or if all went well but the result could not be shown, that."""
    fault = fault_of_stdout()
    if fault is None or ending.code:
        return ending
    return Ending(
        BadInput.exit_code,
        f"Cannot write the result to stdout: {fault.strerror}. What was to be done is done.",
    )


def _empty_argument() -> str:
    """What is wrong with ``--cases ''`` and the like, empty when no argument is."""
    for index, argument in enumerate(sys.argv[1:], start=1):
        where = f"after {sys.argv[index - 1]}" if index > 1 else "the first"
        if re.fullmatch(r"--[\w-]+=\s*", argument):
            where = argument
        elif argument.strip():
            continue
        return f"An argument is empty ({where}); was a variable of the shell not set?"
    return ""


def _configure_logging(verbose: bool) -> None:
    import logging

    level = logging.DEBUG if verbose else logging.ERROR
    stderr = logging.StreamHandler(sys.stderr)
    stderr.setLevel(level)  # a run's log may listen to finer levels than the terminal
    logging.basicConfig(level=level, handlers=[stderr], format="%(asctime)s %(name)s: %(message)s")
    for noisy in ("matplotlib", "PIL", "numcodecs", "fsspec", "asyncio", "h5py"):
        logging.getLogger(noisy).setLevel(logging.WARNING)

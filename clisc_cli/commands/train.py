"""``clisc train``."""

from __future__ import annotations

from functools import partial

from clisc_cli.named import Directory
from clisc_cli.options import RunOptions, with_run_options
from clisc_cli.reports import show_report


@partial(with_run_options, without=("batch_size", "workers"))
def command(directory: Directory = None, *, options: RunOptions) -> None:
    """Train the 3-D U-Net on SAM's pseudo-labels (round 1).

    Example: clisc train glioma --device cuda --precision bf16
    """
    from clisc_engine.stages.pipeline import run_stage

    options.refuse_cases(["train"])
    project = options.open_project(directory)
    show_report(run_stage("train", project, options.control()), options)

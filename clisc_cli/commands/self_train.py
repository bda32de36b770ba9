"""``clisc self-train``."""

from __future__ import annotations

from clisc_cli.named import Directory
from clisc_cli.options import RunOptions, with_run_options
from clisc_cli.reports import show_report


@with_run_options
def command(directory: Directory = None, *, options: RunOptions) -> None:
    """Drop volumes where SAM and round 1 disagree (S3F); train round 2.

    Example: clisc self-train glioma --device cuda --precision bf16
    """
    from clisc_engine.stages.pipeline import run_stage

    options.refuse_cases(["self-train"])
    project = options.open_project(directory)
    show_report(run_stage("self-train", project, options.control()), options)

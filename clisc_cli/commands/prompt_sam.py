"""``clisc prompt-sam``."""

from __future__ import annotations

from clisc_cli.named import Directory, Splits, chosen_splits
from clisc_cli.options import RunOptions, with_run_options
from clisc_cli.reports import point_to_first_masks, show_report


@with_run_options
def command(directory: Directory = None, splits: Splits = None, *, options: RunOptions) -> None:
    """Prompt SAM with the maps; its masks become the pseudo-labels.

    Example: clisc prompt-sam glioma --splits train
    """
    from clisc_engine.stages.pipeline import run_stage

    project = options.open_project(directory)
    report = run_stage("prompt-sam", project, options.control(), chosen_splits(splits))
    point_to_first_masks(report, project, options)
    show_report(report, options)

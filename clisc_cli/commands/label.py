"""``clisc label``."""

from __future__ import annotations

from clisc_cli.named import Directory, Splits, chosen_splits
from clisc_cli.options import RunOptions, with_run_options
from clisc_cli.reports import show_report


@with_run_options
def command(directory: Directory = None, splits: Splits = None, *, options: RunOptions) -> None:
    """CLIP says which slices hold a tumour.

    Example: clisc label glioma --splits train
    """
    from clisc_engine.stages.pipeline import run_stage

    project = options.open_project(directory)
    show_report(run_stage("label", project, options.control(), chosen_splits(splits)), options)

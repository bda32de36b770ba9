"""The answer of every command that takes --json, by the command's words. A new command needs one entry."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from typing_extensions import TypedDict

from clisc_cli.answer import Kind
from clisc_cli.answers import configuring, fetching, looking, making, measuring, sweeping, varying
from clisc_engine.report.write import Written
from clisc_engine.results.explain.explained import Explained
from clisc_engine.running.runner import Report
from clisc_engine.settings.schema import Settings

STEPS = ("label", "cam", "amda", "prompt-sam", "train", "self-train")
EXPORTS_OF_MASKS = ("export masks", "export bids", "export dicom-seg")
CHANGES_OF_CASES = ("cases remove", "cases rename", "cases move")

ANSWERS: Mapping[str, Any] = {
    "init": making.Imported,
    **dict.fromkeys(STEPS, Report),
    "evaluate": measuring.Evaluation | measuring.Table1 | measuring.EvaluationPlan | varying.History,
    "baseline": Report | making.Baselines,
    "compare": varying.Comparison,
    "variant new": varying.VariantMade,
    "variant list": varying.Variants,
    "variant remove": varying.VariantRemoved,
    "variant promote": varying.VariantPromoted,
    "sweep run": sweeping.Swept,
    "sweep list": sweeping.Sweeps,
    "sweep remove": sweeping.SweepRemoved,
    "run": making.Run | making.RunPlan,
    "demo": measuring.Evaluation | making.DemoPlan,
    "status": looking.ProjectStatus | looking.CaseStatus,
    "show": looking.Picture,
    "report": Written,
    "trust": looking.Trust,
    "explain": Explained | looking.Commands,
    "verify": looking.Verification,
    "clean": looking.Cleaned,
    "cases list": looking.Cases,
    "cases add": making.Imported,
    **dict.fromkeys(CHANGES_OF_CASES, making.CasesChanged),
    "config show": Settings,
    "config get": configuring.Value,
    "config set": configuring.SettingsChanged,
    "config diff": configuring.Differences,
    "config explain": configuring.ExplainedSetting | configuring.ExplainedSettings,
    "doctor": looking.Checks,
    "models list": fetching.KnownModels,
    "models verify": fetching.VerifiedModels,
    "models pull": fetching.FetchedModels,
    "predict": making.PredictedFolder | making.PredictedFile,
    **dict.fromkeys(EXPORTS_OF_MASKS, Report),
    "export nnunet": making.ExportedNnunet,
    "export csv": making.ExportedTables,
    "export model": making.ExportedModel,
    "export bundle": making.ExportedBundle,
}


class Error(TypedDict):
    """How a call went wrong; the answer beside it, if there is one, tells what was done nevertheless.

    Attributes:
        code: the exit code.
        kind: a word for it.
        message: for people: what is wrong, where, and what to do.
        run: a command that helps as it stands, a word an item; null where there is none.
    """

    code: Literal[1, 2, 3, 4, 5, 75]
    kind: Kind
    message: str
    run: list[str] | None

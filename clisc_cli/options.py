"""Options that all stages share, declared once."""

from __future__ import annotations

import functools
import inspect
import platform
import shlex
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from clisc_cli.completion import case_names, devices, settings_and_values
from clisc_cli.console import LOG, Terminal
from clisc_cli.locks import Locks
from clisc_cli.named import names_in, open_named, some_names
from clisc_cli.session import Session
from clisc_cli.switches import Json, Quiet, Variant
from clisc_engine.files.words import shell_word

if TYPE_CHECKING:
    from clisc_engine.project.project import Project
    from clisc_engine.running.control import Control

Precision = Literal["32", "bf16", "16"]


@dataclass(frozen=True)
class RunOptions:
    """The shared options of one call, and its context."""

    context: typer.Context
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:N or mps.", autocompletion=devices)] = (
        "auto"
    )
    precision: Annotated[Precision, typer.Option(help="Arithmetic of the networks.")] = "32"
    batch_size: Annotated[
        int | None, typer.Option(min=1, help="Slices at once in inference.", show_default=False)
    ] = None
    workers: Annotated[int, typer.Option(min=1, help="Threads that read cases ahead, or import them.")] = 1
    seed: Annotated[
        int | None, typer.Option(min=0, help="Change the project's seed.", show_default=False)
    ] = None
    assignments: Annotated[
        list[str],
        typer.Option(
            "--set",
            metavar="KEY=VALUE",
            help="Change a setting in clisc.toml; with --variant, the variant's.",
            autocompletion=settings_and_values,
        ),
    ] = field(default_factory=list)
    cases: Annotated[
        list[str],
        typer.Option(
            "--cases",
            metavar="NAMES",
            help="Only these cases (commas).",
            callback=some_names,
            autocompletion=case_names,
        ),
    ] = field(default_factory=list)
    variant: Variant = None
    force: Annotated[bool, typer.Option("--force", help="Remake what is up to date.")] = False
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done.")] = False
    json_: Json = False
    quiet: Quiet = False
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Log more; tracebacks of errors.")] = (
        False
    )

    def refuse_cases(self, stages: Sequence[str]) -> None:
        """Refuse --cases for trainings: on chosen cases alone it would be another training.

        Raises:
            typer.BadParameter: when cases are named and one of these stages is such a training.
        """
        trainings = [stage for stage in stages if stage in ("train", "self-train")]
        if self.cases and trainings:
            raise typer.BadParameter(
                f"{trainings[0]} is a training and takes the whole train split; leave --cases out",
                param_hint="--cases",
            )

    def terminal(self) -> Terminal:
        """Where progress and messages go."""
        return Terminal(quiet=self.quiet)

    def session(self) -> Session:
        """This call of the command line."""
        return self.context.ensure_object(Session)

    def hold(self, root: Path) -> None:
        """Hold the lock of the project, or of its variant, until the command ends; a dry run takes none."""
        if self.dry_run:
            return
        locks = self._locks()
        if self.variant:
            locks.settle_what_is_begun(root)
            locks.hold_variant(self.opened(root))
        else:
            locks.hold_project(root)

    def take(self, folder: Path) -> None:
        """Hold the lock of a folder until the command ends."""
        self._locks().take(folder)

    def settle_what_is_begun(self, root: Path) -> None:
        """Complete what was cut short in the project, for a command that leaves the project alone else."""
        if not self.dry_run:
            self._locks().settle_what_is_begun(root)

    def _locks(self) -> Locks:
        return Locks(self.session(), self.context.command_path, self.terminal().say)

    def _log(self, project: Project) -> None:
        """Keep a log of this run in the project; a dry run keeps none."""
        if not self.dry_run:
            from clisc_engine import __version__
            from clisc_engine.running.run_log import run_log

            about = [shlex.join(sys.argv), f"clisc {__version__} on {platform.node()}"]
            name = "-".join(self.context.command_path.split()[1:])  # e.g. export-masks
            if rank := self.session().info.rank:
                name += f"-rank{rank}"
            self.context.with_resource(run_log(project.logs, name, about, [LOG]))

    def changes(self) -> dict[str, Any]:
        """Settings changed by --set and --seed, by dotted key."""
        from clisc_engine.settings.keys import parse_assignment

        changes = dict(parse_assignment(text) for text in self.assignments)
        return changes if self.seed is None else {**changes, "seed": self.seed}

    def control(self) -> Control:
        """The engine's view of these options; signals ask the run to stop."""
        from clisc_engine.running.allocator import keep_freed_memory
        from clisc_engine.running.control import Control
        from clisc_engine.running.partly import import_partly

        keep_freed_memory()
        import_partly()
        self._say_if_emulated()
        return Control(
            device=self._device(),
            precision=self.precision,
            batch_size=self.batch_size,
            workers=self.workers,
            force=self.force,
            dry_run=self.dry_run,
            cases=names_in(self.cases),
            progress=self.terminal(),
            stop=self.session().stop,
            ranks=self.session().ranks,
        )

    def _say_if_emulated(self) -> None:
        """Tell once of an arithmetic that only lengthens the work here, and of the way out."""
        if self.dry_run:
            return
        from clisc_engine.running.device import emulated

        told = self.session().told
        if (remark := emulated(self.device, self.precision)) and remark not in told:
            told.add(remark)
            self.terminal().warn(remark)

    def opened(self, root: Path) -> Project:
        """The project, or the variant of it that the options name, as it is now."""
        return open_named(root, self.variant)

    def open_project(self, directory: Path | None) -> Project:
        """The project or variant under this command's lock, with --set and --seed written to its settings.

        Rank 0 takes the lock for all ranks and writes the settings; the others open what it leaves.
        """
        from clisc_engine.project.project import project_root

        root = project_root(directory)
        self.opened(root)
        ranks = self.session().join()
        changes = self.changes()

        def prepare() -> None:
            self.hold(root)
            if changes and not self.dry_run:
                self._changed(self.opened(root), changes, write=True)

        ranks.share(prepare)
        project = self.opened(root)  # anew: whoever held the lock may have changed its settings
        if changes:
            self._changed(project, changes, write=False)
        project.store.check_may_write = self.control().check_may_write
        self._log(project)
        for name, why in project.lost_cases().items():
            remedy = f"`clisc verify {shell_word(root)} --repair` sees to it."
            self.terminal().warn(f"case {name} is left out: {why}; {remedy}")
        return project

    def open_to_change(self, directory: Path | None) -> Project:
        """The project under this command's lock, for one that no other rank shares and no log tells of."""
        from clisc_engine.project.project import open_project, project_root

        root = project_root(directory)
        self.hold(root)
        return open_project(root)

    def open_shared(self, directory: Path | None) -> Project:
        """The project for a command that writes into a variant of it alone: without the lock.

        No log is kept in it either.
        """
        from clisc_engine.project.project import open_project

        self.session().join()
        return open_project(directory)

    def _changed(self, project: Project, changes: dict[str, Any], *, write: bool) -> None:
        from clisc_engine.project.variants import change_settings, refuse_imported
        from clisc_engine.settings.keys import with_changes
        from clisc_engine.stages.requirements import check_change

        settings = with_changes(project.settings, changes, "--set")
        if self.variant:
            refuse_imported(changes)
        check_change(project, settings)
        if write:
            change_settings(project, settings, changes)
        project.settings = settings

    def _device(self) -> str:
        """The device named; of several ranks on a machine with GPUs each gets its own."""
        info = self.session().info
        if info.world_size == 1:
            return self.device
        from clisc_engine.running.device import device_of_rank

        return device_of_rank(self.device, info.local_rank)


@functools.cache
def _signature_of_shared() -> inspect.Signature:
    return inspect.signature(RunOptions, eval_str=True)


def with_run_options(command: Callable[..., None], without: Sequence[str] = ()) -> Callable[..., None]:
    """Replace a command's ``options: RunOptions`` by the shared options, but for those it cannot heed."""
    own, shared = inspect.signature(command, eval_str=True), _signature_of_shared()
    lists = {"assignments", "cases"}
    added = [
        parameter.replace(
            kind=inspect.Parameter.KEYWORD_ONLY,
            default=[] if name in lists else parameter.default,
        )
        for name, parameter in shared.parameters.items()
        if name not in without
    ]
    kept = [
        parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY)
        for name, parameter in own.parameters.items()
        if name != "options"
    ]

    @functools.wraps(command)
    def wrapper(**values: Any) -> None:
        options = RunOptions(**{p.name: values.pop(p.name) for p in added})
        command(**values, options=options)

    parameters = [*kept, *added]
    wrapper.__signature__ = own.replace(parameters=parameters)  # type: ignore[attr-defined]
    wrapper.__annotations__ = {p.name: p.annotation for p in parameters}
    return wrapper

"""References of versions up to 0.1.0: cropped to the brain, with every value above 0 as tumour."""

from __future__ import annotations

from collections.abc import Sequence

from clisc_engine.errors import BadInput, DiskFault, MissingStage
from clisc_engine.files.words import shell_word
from clisc_engine.importing.origin import settings_of_import, source_problem
from clisc_engine.products.kinds import REFERENCE
from clisc_engine.project.project import CaseArrays, Project
from clisc_engine.running.control import Control


def to_renew(project: Project, cases: Sequence[CaseArrays]) -> dict[str, str]:
    """The cases with such a reference; why it cannot be read again from its file, empty if it can."""
    return {
        case.info.name: _problem(case)
        for case in cases
        if case.seal(REFERENCE) is not None and not project.references.is_whole(case.info)
    }


def renew_references(
    project: Project, cases: Sequence[CaseArrays], control: Control
) -> dict[str, dict[str, str]]:
    """Read such references again, whole, from the files that they came from; not in a dry run.

    Returns:
        Under ``notes``, what is to be said of them; those whose file is gone or has changed stay as they
        are. Under ``failed``, why a file cannot be a mask after all. Both by case.

    Raises:
        DiskFault: when the disk does not take one.
        MissingStage: for a variant, since references are its project's.
    """
    notes: dict[str, str] = {}
    failed: dict[str, str] = {}
    if control.dry_run:
        return {"notes": notes, "failed": failed}
    found = to_renew(project, cases)
    if project.parent is not None and not all(found.values()):
        raise MissingStage(
            f"The references of {project.base.root} are kept as clisc 0.1.0 did; run "
            f"`clisc evaluate {shell_word(project.base.root)}` first, which reads them anew."
        )
    for name, problem in found.items():
        control.check_stop()
        if problem:
            notes[name] = (
                f"{name}: its reference was kept by an older clisc, which cut it off at the brain and took "
                f"every value above 0 as tumour; {problem}, so it is measured as it is. Put that file back "
                "and evaluate again."
            )
            continue
        from clisc_engine.importing.cases import store_reference

        try:
            case = project.case(name)
            settings = settings_of_import(case.seal("image"), project.settings.image)
            if told := store_reference(project, case.info, case.read("image"), settings):
                notes[name] = " ".join(told)
        except DiskFault:
            raise
        except BadInput as error:
            failed[name] = str(error)
    return {"notes": notes, "failed": failed}


def _problem(case: CaseArrays) -> str:
    try:
        return source_problem(case.info, REFERENCE)
    except BadInput as error:
        return str(error).rstrip(".")

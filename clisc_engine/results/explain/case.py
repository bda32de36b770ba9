"""From a case of a project to all that led to one of its arrays."""

from __future__ import annotations

from clisc_engine.errors import BadInput
from clisc_engine.files.words import shell_word
from clisc_engine.products.kinds import NEWEST_FIRST
from clisc_engine.project.project import Project
from clisc_engine.results.explain.explained import Explained, meaning, tiny_notes
from clisc_engine.results.provenance import Provenance


def explain_case(project: Project, name: str, array: str = "") -> Explained:
    """Where an array of a case comes from, by default the mask of the last step that made one.

    Raises:
        BadInput: when the project has no such case, or the case no such array.
    """
    case = project.case(name)
    there = array or next((one for one in NEWEST_FIRST if case.seal(one) is not None), "image")
    if case.seal(there) is None:
        raise BadInput(
            f"Case {name} has no {there}; `clisc status {shell_word(project.root)} {name}` lists what it "
            "has."
        )
    return Explained(
        f"{meaning(there)} of case {name}",
        f"the project {project.root}",
        case=name,
        product=there,
        chain=Provenance(project).of_array(case, there),
        notes=tiny_notes(project),
        project=str(project.root.absolute()),
    )

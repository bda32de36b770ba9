"""clisc.toml: written with each key's meaning beside it, read back validated, edited in place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clisc_engine.errors import BadInput
from clisc_engine.files.atomic import write_atomically
from clisc_engine.files.reading import reading
from clisc_engine.files.words import listed
from clisc_engine.settings.help import explain
from clisc_engine.settings.keys import validate
from clisc_engine.settings.schema import Settings
from clisc_engine.settings.section import Section

if TYPE_CHECKING:
    import tomlkit


NOT_IN_0_1_0 = {"baselines"}
"""Tables that a project may lack, since it is older than they are."""


def write_settings(path: Path, settings: Settings) -> None:
    """Write all settings with their descriptions as comments."""
    import tomlkit

    document = tomlkit.document()
    document.add(tomlkit.comment("Settings of this clisc project; each stage reads them anew."))
    document.add(tomlkit.nl())
    for name in Settings.model_fields:
        value = getattr(settings, name)
        if isinstance(value, Section):
            document.add(name, _table(name, value))
        else:
            document.add(tomlkit.comment(_comment(name)))
            document.add(name, value)
    write_atomically(path, tomlkit.dumps(document).encode())


def read_settings(path: Path) -> Settings:
    """Read and validate; a key that is newer than the file has its default.

    Raises:
        BadInput: naming the file and each wrong key, or what of it is gone as a whole.
    """
    values = _values(path)
    if gone := [name for name in Settings.model_fields if name not in {*values, *NOT_IN_0_1_0}]:
        raise BadInput(_cut(path, gone, [name for name in values if name not in Settings.model_fields]))
    return validate(values, str(path))


def _cut(path: Path, gone: Sequence[str], unknown: Sequence[str]) -> str:
    """That the file is not whole: defaults in the place of what it said would train other networks."""
    what = [f"[{name}]" if isinstance(getattr(Settings(), name), Section) else name for name in gone]
    if unknown:
        strange = listed(unknown, 20)
        return f"{path} lacks {listed(what, 20)} and has {strange}, which is no setting; mend the name."
    return (
        f"{path} lacks {listed(what, 20)}, which every project has: it was emptied or cut. Put it back "
        "from a copy; a table whose name alone stands there has the defaults."
    )


def write_changes(path: Path, changes: Mapping[str, Any]) -> None:
    """Set dotted keys in the file, keeping comments and order."""
    import tomlkit

    document = _parse(path)
    for key, value in changes.items():
        *tables, last = key.split(".")
        table: Any = document
        for name in tables:
            table = table.setdefault(name, tomlkit.table())
        table[last] = value
    write_atomically(path, tomlkit.dumps(document).encode())


def _values(path: Path) -> dict[str, Any]:
    """The file's values without its comments, which take most of the time to parse."""
    import tomllib

    try:
        return tomllib.loads(_text(path))
    except tomllib.TOMLDecodeError as error:
        raise _not_toml(path, error) from None


def _parse(path: Path) -> tomlkit.TOMLDocument:
    import tomlkit
    from tomlkit.exceptions import TOMLKitError

    try:
        return tomlkit.parse(_text(path))
    except TOMLKitError as error:
        raise _not_toml(path, error) from None


def _text(path: Path) -> str:
    try:
        with reading(path):
            return path.read_text(encoding="utf-8-sig")  # Windows' editors put a mark of UTF-8 before it
    except UnicodeDecodeError as error:
        raise BadInput(f"{path} is not UTF-8 ({error}); save it in that encoding.") from None


def _not_toml(path: Path, error: Exception) -> BadInput:
    return BadInput(f"{path} is not valid TOML: {error}.")


def _table(section: str, values: Section) -> tomlkit.items.Table:
    import tomlkit

    table = tomlkit.table()
    for name in type(values).model_fields:
        value = getattr(values, name)
        if isinstance(value, Section):
            table.add(name, _table(f"{section}.{name}", value))
        else:
            table.add(tomlkit.comment(_comment(f"{section}.{name}")))
            table.add(name, value)
    return table


def _comment(key: str) -> str:
    """The key's meaning, in which the paper's value stands, and what it may be."""
    told = explain(key)
    return f"{told.meaning}; {told.allowed}"

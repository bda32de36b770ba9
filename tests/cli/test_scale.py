"""How often a call opens the records of a project: so often for each, however many cases there are."""

import json
import os
import subprocess
import sys

from clisc_engine.running.control import Control
from clisc_engine.stages.evaluate import evaluate

OPENED = """
import json, sys
from collections import Counter
opened, seen = Counter(), []

def note(event, arguments):
    if event == "open" and str(arguments[0]).endswith("zarr.json"):
        opened[str(arguments[0])] += 1

sys.addaudithook(note)
from clisc_cli.app import main
for arguments in json.loads(sys.argv[1]):
    opened.clear()
    sys.argv = ["clisc", *arguments]
    try:
        main()
    except SystemExit as stop:
        seen.append([stop.code, dict(opened)])
print(json.dumps(seen), file=sys.stderr)
"""
AT_MOST = {"status": (1, 1), "label": (2, 1), "cam": (3, 3), "self-train": (4, 4), "evaluate": (5, 4)}
"""By command, how often one that finds nothing to do opens a case's record, and an array's."""


def test_records_are_not_opened_over_and_over(copied):
    evaluate(copied, Control(device="cpu"))
    lines = [[command, str(copied.root)] for command in AT_MOST]
    shown = subprocess.run(
        [sys.executable, "-c", OPENED, json.dumps(lines)],
        capture_output=True,
        encoding="utf-8",
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    seen = json.loads(shown.stderr.splitlines()[-1])
    assert [code for code, _ in seen] == [0] * len(lines), shown.stderr
    for (command, _), (_, opened) in zip(lines, seen, strict=True):
        below = [(path.partition("/cases/")[2].split("/"), count) for path, count in opened.items()]
        records = {place[0]: count for place, count in below if len(place) == 2}
        arrays = {"/".join(place[:-1]): count for place, count in below if len(place) > 2}
        assert len(records) == 5 and arrays
        most = max(records.values()), max(arrays.values())
        assert most[0] <= AT_MOST[command][0] and most[1] <= AT_MOST[command][1], (command, most)

"""`clisc show` as a user calls it."""

import json


def test_show_writes_into_results_or_where_it_is_told(clisc, copied, tmp_path, monkeypatch):
    shown = clisc("show", copied.root, "p0")
    assert shown.code == 0
    assert shown.out.replace("\n", "") == str(copied.results / "p0.png")
    assert (copied.results / "p0.png").is_file()
    assert f"clisc export masks {copied.root} -o MASKS" in " ".join(shown.err.split())
    monkeypatch.chdir(copied.root)
    document = json.loads(clisc("show", "p1", "-o", tmp_path / "x.png", "--rows", 2, "--json").out)
    assert document["file"] == str(tmp_path / "x.png") and len(document["slices"]) == 2
    assert (tmp_path / "x.png").read_bytes().startswith(b"\x89PNG")


def test_show_asks_for_a_case(clisc, finished):
    assert clisc("show", finished.root).code == 2
    assert clisc("show", finished.root, "nobody").code == 3

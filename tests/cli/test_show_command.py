"""`clisc show` as a user calls it."""

import json
import shutil


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


def test_show_names_no_export_of_a_network_that_is_not_trained(clisc, copied, tmp_path):
    for file in (copied.root / "checkpoints").glob("unet-round2*"):
        shutil.rmtree(file) if file.is_dir() else file.unlink()
    shown = clisc("show", copied.root, "p0", "-o", tmp_path / "p0.png")
    said = " ".join(shown.err.split())
    assert clisc("export", "masks", copied.root, "-o", tmp_path / "masks").code == 4
    assert shown.code == 0 and "export masks" not in said and f"clisc run {copied.root}" in said


def test_show_asks_for_a_case(clisc, finished):
    assert clisc("show", finished.root).code == 2
    assert clisc("show", finished.root, "nobody").code == 3

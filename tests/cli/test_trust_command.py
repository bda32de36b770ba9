"""`clisc trust` on a project whose stages have really run."""

import csv
import json
import shutil

import numpy as np
import pytest
from medpy.metric.binary import dc

from clisc_engine.products.kinds import TRUST
from clisc_engine.project.project import open_project
from clisc_engine.project.store import Seal
from clisc_engine.settings.keys import with_changes
from clisc_engine.settings.presets import preset
from clisc_engine.stages.trust import table
from tests.support.small import run_stages, small_project

CPU = ("--device", "cpu", "--quiet")


def told(clisc, root, *options):
    shown = clisc("trust", root, *CPU, "--json", *options)
    assert shown.code == 0, shown.err
    return json.loads(shown.out)


def test_masks_are_made_compared_and_listed_the_least_trusted_first(clisc, copied):
    document = told(clisc, copied.root)
    entries = document["cases"]
    assert {one["case"] for one in entries} == {"p0", "p1", "p2", "p3", "p4"} == set(document["done"])
    assert [one["agreement"] for one in entries] == sorted(one["agreement"] for one in entries)
    for one in entries:
        case = copied.case(one["case"])
        final, sam = (case.read(f"masks/{name}") != 0 for name in ("round2", "sam"))
        if final.any() and sam.any():
            assert one["agreement"] == pytest.approx(dc(final, sam))
        assert one["ml"] == pytest.approx(final.sum() * np.prod(case.info.spacing) / 1000)
    rows = list(csv.DictReader((copied.root / "results/trust.csv").open(encoding="utf-8")))
    assert [row["case"] for row in rows] == [one["case"] for one in entries]


def test_a_dsc_is_expected_only_of_the_way_that_was_calibrated(clisc, copied):
    root = copied.root
    other = told(clisc, root)
    assert other["calibration"] is None and {one["expected"] for one in other["cases"]} == {None}
    assert "calibrated for the tiny preset alone" in " ".join(clisc("trust", root).out.split())
    line = table.calibration(preset("tiny"))
    assert line.expect(1.0).dsc > 80 > 60 > line.expect(0.5).dsc and 0.5 < line.coverage <= 1
    assert table.calibration(with_changes(preset("tiny"), {"unet.border": 0}, "test")) is None
    assert table.calibration(preset("paper")) is None
    assert table.calibration(with_changes(preset("tiny"), {"sam.model": "vit_b"}, "test")) is None


def test_it_is_told_where_one_looks_and_not_told_twice(clisc, copied):
    root = copied.root
    first = told(clisc, root)["cases"]
    again = told(clisc, root)
    assert again["done"] == [] and len(again["fresh"]) == 5 and again["cases"] == first
    looked = json.loads(clisc("status", root, "--json").out)["look_first"]
    assert [one["case"] for one in looked] == [one["case"] for one in first[:3]]
    assert f"Look at these masks first: {first[0]['case']}," in clisc("status", root).out
    assert clisc("report", root, "-o", root / "report.html", "--quiet").code == 0
    assert "Look at these first" in (root / "report.html").read_text(encoding="utf-8")


def test_of_a_case_whose_mask_has_changed_nothing_holds_until_it_is_told_anew(clisc, copied):
    root = copied.root
    told(clisc, root)
    case = copied.case("p1")
    seal = case.seal("masks/round2")
    spoilt = np.zeros_like(case.read("masks/round2"))
    case.write("masks/round2", spoilt, Seal.now(seal.stage, "another", seal.made_from))
    assert set(table.holding(open_project(root))) == {"p0", "p2", "p3", "p4"}
    again = told(clisc, root)
    assert again["done"] == ["p1"] and len(again["cases"]) == 5


def test_it_says_when_the_network_is_not_the_one_that_the_settings_ask_for(clisc, copied):
    assert "trains it anew" not in clisc("trust", copied.root, *CPU).message
    assert clisc("config", "set", copied.root, "amda.t=35").code == 0
    shown = clisc("trust", copied.root, *CPU)
    assert (
        shown.code == 0
        and "amda, prompt-sam, train, self-train would now give another one" in shown.message
    )
    assert f"clisc run {copied.root}" in shown.message


def test_a_renamed_case_keeps_its_answer_and_a_removed_one_has_none(clisc, copied):
    root = copied.root
    before = {one["case"]: one["agreement"] for one in told(clisc, root)["cases"]}
    assert clisc("cases", "rename", root, "p4", "patient-9", "--quiet").code == 0
    assert clisc("cases", "remove", root, "p3", "--quiet").code == 0
    now = {name: entry.agreement for name, entry in table.holding(open_project(root)).items()}
    assert now["patient-9"] == before["p4"] and set(now) == {"p0", "p1", "p2", "patient-9"}


def test_no_reference_is_read(clisc, copied, tmp_path):
    with_references = told(clisc, copied.root)["cases"]
    bare = tmp_path / "bare"
    shutil.copytree(copied.root, bare)
    for reference in (bare / "store.zarr/cases").glob("*/reference"):
        shutil.rmtree(reference)
    (bare / TRUST).unlink()
    assert told(clisc, bare)["cases"] == with_references


def test_before_the_networks_are_trained_it_says_what_to_run(clisc, data, tmp_path):
    project = small_project(tmp_path / "project", data)
    run_stages(project, "label")
    shown = clisc("trust", project.root, *CPU)
    assert shown.code == 4 and "clisc self-train" in shown.message
    assert not (project.root / TRUST).exists()


def test_a_dry_run_writes_nothing(clisc, copied):
    shown = clisc("trust", copied.root, *CPU, "--json", "--dry-run")
    assert shown.code == 0 and json.loads(shown.out)["planned"]
    assert not (copied.root / TRUST).exists()

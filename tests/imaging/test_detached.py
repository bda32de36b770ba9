"""Images whose header names other files for their voxels: MetaImage and NRRD."""

import json
import shutil

import numpy as np
import pytest
import SimpleITK as sitk

from clisc_engine.imaging.source import hash_of
from tests.support.command import caller
from tests.support.volumes import ball, write

TINY = ("--weights", "tiny")


@pytest.fixture
def clisc(monkeypatch, capsys):
    return caller(monkeypatch, capsys)


def twins(folder, ending):
    """Two volumes that differ in their voxels alone, under the same name in two folders."""
    for name, seed in (("a", 1), ("b", 2)):
        write(folder / name / f"scan{ending}", ball(seed=seed))
    one, other = (folder / name / f"scan{ending}" for name in "ab")
    assert one.read_bytes() == other.read_bytes(), "the headers are the same"
    return one, other


@pytest.mark.parametrize("ending", [".mhd", ".nhdr"])
def test_two_images_with_the_same_header_are_two(clisc, tmp_path, ending):
    twins(tmp_path, ending)
    table = tmp_path / "t.csv"
    table.write_text(f"case,image,split\na,a/scan{ending},train\nb,b/scan{ending},test\n", encoding="utf-8")
    ended = clisc("init", tmp_path / "p", "--images", table, *TINY)
    assert ended.code == 0 and "several names" not in ended.message
    shutil.copytree(tmp_path / "a", tmp_path / "b", dirs_exist_ok=True)
    ended = clisc("init", tmp_path / "q", "--images", table, *TINY)
    assert ended.code == 3 and "several names" in ended.message, "now they are the same"


def test_a_mask_whose_header_is_its_image_s_is_no_scan(clisc, tmp_path):
    image = sitk.GetImageFromArray(np.rint(ball()).astype(np.uint8))
    drawn = np.zeros((12, 24, 24), np.uint8)
    drawn[5:7, 10:14, 10:14] = 1
    mask = sitk.GetImageFromArray(drawn)
    for place, content in (("images", image), ("masks", mask)):
        (tmp_path / place).mkdir()
        sitk.WriteImage(content, str(tmp_path / place / "a.mhd"))
    given = ("--images", tmp_path / "images", "--references", tmp_path / "masks", *TINY)
    ended = clisc("init", tmp_path / "p", *given, "--dry-run", "--check", "--json")
    assert [case["problem"] for case in json.loads(ended.out)["cases"]] == [""]
    assert clisc("init", tmp_path / "p", *given).code == 0


@pytest.mark.parametrize("ending", [".mhd", ".nhdr"])
def test_other_voxels_under_the_same_header_get_another_mask(clisc, tmp_path, ending):
    one, other = twins(tmp_path, ending)
    predict = ("predict", "bundled", one, "-o", tmp_path / "out", "--json")
    before = json.loads(clisc(*predict).out)
    for file in other.parent.iterdir():
        shutil.copy(file, one.parent)
    assert json.loads(clisc(*predict).out)["done"] == ["scan"] == before["done"]
    assert json.loads(clisc(*predict).out)["fresh"] == ["scan"]


def test_voxels_that_a_header_names_are_not_left_out(clisc, tmp_path):
    for ending in (".mhd", ".nhdr"):
        write(tmp_path / "images" / f"scan-{ending[1:]}{ending}", ball(seed=len(ending)))
    (tmp_path / "images" / "notes.raw").write_bytes(b"nobody's voxels")
    ended = clisc("init", tmp_path / "p", "--images", tmp_path / "images", *TINY, "--dry-run", "--json")
    left_out = [one["path"] for one in json.loads(ended.out)["left_out"]]
    assert left_out == [str(tmp_path / "images" / "notes.raw")]


@pytest.mark.parametrize(
    ("name", "header"),
    [
        ("list.mhd", "ElementDataFile = LIST\ns1.raw\ns2.raw\n"),
        ("pattern.mhd", "ElementDataFile = s%d.raw 1 2 1\n"),
        ("list.nhdr", "NRRD0004\ntype: short\ndata file: LIST\ns1.raw\ns2.raw\n"),
        ("pattern.nhdr", "NRRD0004\ndata file: s%d.raw 1 2 1\ntype: short\n\n"),
    ],
)
def test_every_file_of_the_voxels_counts(tmp_path, name, header):
    (tmp_path / name).write_text(header, encoding="utf-8")
    found = []
    for number, voxels in ((1, b"one"), (2, b"two"), (1, b"other"), (2, b"other")):
        (tmp_path / f"s{number}.raw").write_bytes(voxels)
        found.append(hash_of(tmp_path / name))
    assert len(set(found)) == 4

"""Names and paths: what is taken, what is left out and why, and what else a path may have meant."""

import hashlib
import json
import shlex
import shutil

import nibabel
import numpy as np
import pytest
import SimpleITK as sitk

from clisc_engine.imaging.placement import Placement, restore
from clisc_engine.project.project import open_project
from tests.support.volumes import ball, write


def scan(path, seed):
    return write(path, ball(seed=seed))


def mask(path, seed):
    return write(path, (ball(seed=seed) > 115).astype(np.uint8))


@pytest.fixture
def init(clisc, tmp_path):
    """Call `clisc init` on a new project `p`."""

    def call(*options, images=None):
        given = () if images is None else ("--images", images)
        return clisc("init", tmp_path / "p", *given, "--weights", "tiny", *options)

    return call


def sources(root):
    """The file of each case, by name; its voxels are those that are stored."""
    found = {}
    for case in open_project(root).cases():
        seen = sitk.GetArrayFromImage(sitk.ReadImage(case.info.source))
        stored = restore(case.read("image").astype(float), Placement.from_dict(case.info.placement))
        assert np.corrcoef(stored[seen != 0], seen[seen != 0])[0, 1] > 0.99
        found[case.info.name] = case.info.source
    return found


def left_out(init, *options, images):
    """What a dry run lists as left out: reasons by file name; the same as text and as JSON."""
    shown = init("--dry-run", *options, images=images)
    listed = json.loads(init("--dry-run", "--json", *options, images=images).out)["left_out"]
    for one in listed:
        assert f"left out: {one['path']} ({one['reason']})" in shown.err
    return {one["path"].rsplit("/", 1)[1]: one["reason"] for one in listed}, shown.message


def test_images_that_are_not_taken_are_named_with_the_way_out(init, tmp_path):
    for seed, name in enumerate(("a_flair", "b_flair_bet", "c")):
        scan(tmp_path / "data" / f"{name}.nii.gz", seed)
    reasons, _ = left_out(init, images=tmp_path / "data")
    assert set(reasons) == {"b_flair_bet.nii.gz", "c.nii.gz"}
    made = init("--quiet", images=tmp_path / "data")
    assert made.code == 0, made.err
    for part in (
        "Took 1 of 3 image files",
        "left out 2: 2 no FLAIR by its name",
        "b_flair_bet.nii.gz, c.nii.gz",
        "columns case,image",
        f"--images '{tmp_path}/data/*.nii.gz'",
    ):
        assert part in made.message
    assert sources(tmp_path / "p") == {"a": str(tmp_path / "data" / "a_flair.nii.gz")}


def test_the_ways_out_that_are_named_take_them_all(clisc, tmp_path):
    for seed, name in enumerate(("a_flair", "b_flair_bet", "c")):
        scan(tmp_path / "data" / f"{name}.nii.gz", seed)
    table = tmp_path / "m.csv"
    table.write_text(
        "case,image\na,data/a_flair.nii.gz\nb,data/b_flair_bet.nii.gz\nc,data/c.nii.gz\n", encoding="utf-8"
    )
    for number, images in enumerate((f"{tmp_path}/data/*.nii.gz", table)):
        made = clisc("init", tmp_path / f"p{number}", "--images", images, "--weights", "tiny")
        assert made.code == 0 and "left out" not in made.message
    assert set(sources(tmp_path / "p0")) == {"a", "b_flair_bet", "c"}
    assert set(sources(tmp_path / "p1")) == {"a", "b", "c"}


def test_a_usual_data_set_has_one_line_and_no_names(init, tmp_path):
    for seed, case in enumerate(("x_001", "x_002")):
        scan(tmp_path / "d" / case / f"{case}_flair.nii.gz", seed)
        mask(tmp_path / "d" / case / f"{case}_seg.nii.gz", seed)
        for contrast in ("t1", "t1ce", "t2"):
            scan(tmp_path / "d" / case / f"{case}_{contrast}.nii.gz", 9)
    (tmp_path / "d" / "readme.txt").write_text("x", encoding="utf-8")
    made = init("--references", tmp_path / "d", images=tmp_path / "d")
    assert made.code == 0 and "warning" not in made.message
    line = next(line for line in made.err.splitlines() if line.startswith("Took"))
    assert line == (
        f"Took 2 of 10 image files as images and 2 as references of {tmp_path}/d; left out 6: 6 another "
        "contrast of a case that was taken; and 1 other files: 1 no image by its ending."
    )
    plain, _ = left_out(init, images=tmp_path / "d")
    assert plain["x_001_seg.nii.gz"] == "a mask by its name" and plain["readme.txt"]


def test_a_patient_without_flair_among_others_is_named(init, tmp_path):
    scan(tmp_path / "d" / "sub-1_FLAIR.nii.gz", 1)
    scan(tmp_path / "d" / "sub-1_T1w.nii.gz", 2)
    scan(tmp_path / "d" / "sub-2_T1w.nii.gz", 3)
    made = init(images=tmp_path / "d")
    assert "1 another contrast of a case without a FLAIR image (sub-2_T1w.nii.gz)" in made.message
    assert "warning" in made.message


def test_images_whose_names_say_another_contrast_are_taken_with_a_line(init, tmp_path):
    for seed, name in enumerate(("a_t1", "a_t2", "b")):
        scan(tmp_path / "d" / f"{name}.nii.gz", seed)
    made = init(images=tmp_path / "d")
    assert made.code == 0 and "another contrast than FLAIR: a_t1.nii.gz, a_t2.nii.gz." in made.message


def test_links_out_hidden_files_and_dicom_among_others_are_counted(init, tmp_path):
    scan(tmp_path / "d" / "a_flair.nii.gz", 1)
    scan(tmp_path / "elsewhere" / "b_flair.nii.gz", 2)
    (tmp_path / "d" / "b_flair.nii.gz").symlink_to(tmp_path / "elsewhere" / "b_flair.nii.gz")
    (tmp_path / "d" / "more").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "d" / "._a_flair.nii.gz").write_bytes(b"Mac OS X")
    (tmp_path / "d" / "1.dcm").write_bytes(b"")
    reasons, message = left_out(init, images=tmp_path / "d")
    assert reasons == {
        "b_flair.nii.gz": "a link that leads out of the folder",
        "more": "a link that leads out of the folder",
        "._a_flair.nii.gz": "hidden",
        "1.dcm": "DICOM beside images in other formats",
    }
    assert "(b_flair.nii.gz, more)" in message and ". --follow-links takes what links lead to" in message


LITERAL = {
    "a set of letters": "site [1]",
    "a star": "new*",
    "a question mark": "why?",
    "letters of a class": "[ab]",
    "a comma": "a,b",
    "braces": "{x}",
}


@pytest.mark.parametrize("kind", LITERAL)
def test_a_path_that_is_there_is_no_pattern(init, tmp_path, kind):
    folder = tmp_path / LITERAL[kind]
    for seed, name in enumerate("ab"):
        scan(folder / f"{name}_flair.nii.gz", seed)
        mask(folder / "masks" / f"{name}_seg.nii.gz", seed)
        scan(tmp_path / name / "wrong_flair.nii.gz", 7)  # what the folder's name would match as a pattern
    made = init("--references", f"{folder}/masks", images=folder)
    assert made.code == 0, made.err
    expected = {name: f"{folder}/{name}_flair.nii.gz" for name in "ab"}
    assert sources(tmp_path / "p") == expected
    shutil.rmtree(tmp_path / "p")
    made = init("--references", f"{folder}/masks/*_seg.nii.gz", images=f"{folder}/?_flair.nii.gz")
    assert made.code == 0, made.err
    assert sources(tmp_path / "p") == expected
    assert all(case.info.has_reference for case in open_project(tmp_path / "p").cases())


def test_a_file_and_a_table_with_brackets_in_their_names(clisc, tmp_path):
    file = scan(tmp_path / "[x]" / "a_flair.nii.gz", 1)
    table = tmp_path / "[x]" / "m[1].csv"
    table.write_text("case,image\na,a_flair.nii.gz\n", encoding="utf-8")
    (tmp_path / "x.csv").mkdir()
    scan(tmp_path / "x.csv" / "a_flair.nii.gz", 1)
    for number, given in enumerate((file, table, tmp_path / "x.csv")):
        made = clisc("init", tmp_path / f"p{number}", "--images", given, "--weights", "tiny")
        assert made.code == 0, made.err
        assert set(sources(tmp_path / f"p{number}")) == {"a"}


def test_a_home_folder_that_no_shell_has_seen(init, tmp_path, monkeypatch):
    scan(tmp_path / "home" / "scans" / "a_flair.nii.gz", 1)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert init(images="~/scans/*_flair.nii.gz").code == 0
    assert set(sources(tmp_path / "p")) == {"a"}


@pytest.mark.parametrize("order", ["folder first", "folder last", "references"])
def test_a_pattern_without_quotes_is_told(clisc, tmp_path, order):
    files = [scan(tmp_path / "im" / f"{name}.nii.gz", seed) for seed, name in enumerate("abc")]
    arguments = {
        "folder first": (tmp_path / "p", "--images", *files),
        "folder last": ("--images", *files, tmp_path / "p"),
        "references": (tmp_path / "p", "--images", tmp_path / "im", "--references", *files),
    }[order]
    shown = clisc("init", *arguments)
    assert shown.code == 2 and "quote a pattern" in shown.message
    assert not (tmp_path / "p").exists()


def test_a_file_for_a_project_s_folder_and_a_word_too_many(clisc, tmp_path):
    files = [scan(tmp_path / f"{name}.nii.gz", seed) for seed, name in enumerate("ab")]
    before = files[1].read_bytes()
    shown = clisc("init", "--images", *files)
    assert shown.code == 2 and "no folder for a project" in shown.message and "quote" in shown.message
    assert files[1].read_bytes() == before
    shown = clisc("init", tmp_path / "p", "q", "--images", files[0])
    assert shown.code == 2 and "extra argument" in shown.message and "quote" not in shown.message


def test_references_that_fit_no_image_show_the_way_out(init, tmp_path):
    for seed, name in enumerate("ab"):
        scan(tmp_path / "im" / f"{name}_flair.nii.gz", seed)
    scan(tmp_path / "im" / "c_flair_bet.nii.gz", 3)
    for seed, name in enumerate("abc"):
        mask(tmp_path / "im" / f"{name}_seg.nii.gz", seed)
    refused = init("--references", tmp_path / "im", images=tmp_path / "im")
    assert refused.code == 3 and not (tmp_path / "p").exists()
    for part in (
        "c_seg.nii.gz has no image of the case name 'c' (c_flair_bet.nii.gz is not called FLAIR)",
        "columns case,image,reference",
        f"--references '{tmp_path}/im/*_seg.nii.gz'",
    ):
        assert part in refused.message
    everything = init("--references", f"{tmp_path}/im/*", images=tmp_path / "im")
    assert everything.code == 3 and "quoted glob" in everything.message
    same = init("--references", f"{tmp_path}/im/*_seg.nii.gz", images=tmp_path / "im")
    assert same.code == 3 and "quoted glob" not in same.message, "that was given"
    assert "--skip-bad" in same.message
    left = init("--references", f"{tmp_path}/im/*_seg.nii.gz", "--skip-bad", images=tmp_path / "im")
    assert (
        left.code == 0 and "skipped: The reference" in left.message and "or leave out" not in left.message
    )
    assert all(case.info.has_reference for case in open_project(tmp_path / "p").cases())


def test_references_that_fit_none_of_the_cases_taken_are_told(init, tmp_path):
    for seed, name in enumerate("ab"):
        scan(tmp_path / "im" / f"{name}_flair.nii.gz", seed)
    mask(tmp_path / "masks" / "b_seg.nii.gz", 1)
    there = ("--references", tmp_path / "masks", "--dry-run")
    assert "the 1 found are of other cases" in init(*there, "--cases", "a", images=tmp_path / "im").message
    for other in (("--cases", "b"), ()):
        assert "of other cases" not in init(*there, *other, images=tmp_path / "im").message
    scan(tmp_path / "else" / "truth.nii.gz", 1)
    refused = init("--references", tmp_path / "else", images=tmp_path / "im")
    assert refused.code == 3 and "cases such as 'a'" in refused.message
    assert "quoted glob" not in refused.message, "nothing there would match"
    table = init("--references", tmp_path / "im" / "a_flair.csv", images=tmp_path / "im")
    assert table.code == 3


def test_a_mask_of_another_name_is_given_to_an_image_only_beyond_doubt_and_with_a_line(init, tmp_path):
    scan(tmp_path / "one" / "a_flair.nii.gz", 1)
    mask(tmp_path / "one" / "odd_seg.nii.gz", 1)
    made = init("--references", tmp_path / "one", images=tmp_path / "one")
    assert made.code == 0 and "odd_seg.nii.gz is taken for its reference" in made.message
    shutil.rmtree(tmp_path / "p")
    scan(tmp_path / "one" / "odd_flair_bet.nii.gz", 2)
    refused = init("--references", tmp_path / "one", images=tmp_path / "one")
    assert refused.code == 3 and "'odd'" in refused.message
    (tmp_path / "one" / "odd_flair_bet.nii.gz").unlink()
    mask(tmp_path / "one" / "even_seg.nii.gz", 1)
    refused = init("--references", tmp_path / "one", images=tmp_path / "one")
    assert refused.code == 3, "which of two strange masks it is, nobody knows"


def test_cases_without_a_reference_are_counted_where_others_have_one(init, tmp_path):
    for seed, name in enumerate("abc"):
        scan(tmp_path / "im" / f"{name}_flair.nii.gz", seed)
    mask(tmp_path / "ref" / "b_seg.nii.gz", 1)
    made = init("--references", tmp_path / "ref", images=tmp_path / "im")
    assert made.code == 0 and "2 of 3 cases have no reference: a, c." in made.message
    assert {c.info.name for c in open_project(tmp_path / "p").cases() if c.info.has_reference} == {"b"}


BAD_NAMES = {
    # kind: (files, skipped, parts of the reasons)
    "a name that is none": (
        ["-rf_flair.nii.gz", "a b_flair.nii.gz"],
        {"-rf", "a b"},
        "cannot be a case name",
    ),
    "two of one name": (["x/c_flair.nii.gz", "y/c_flair.nii.gz"], {"c"}, "have the same case name 'c'"),
    "three of one name but for case": (
        ["x/c_flair.nii.gz", "C_flair.nii", "y/C_flair.nii.gz"],
        {"C"},
        "upper and lower case do not count",
    ),
}


@pytest.mark.parametrize("kind", BAD_NAMES)
def test_bad_names_are_all_named_or_skipped(init, tmp_path, kind):
    files, skipped, reason = BAD_NAMES[kind]
    for seed, name in enumerate(("good_flair.nii.gz", *files)):
        scan(tmp_path / "im" / name, seed)
    mask(tmp_path / "im" / "good_seg.nii.gz", 0)
    references = ("--references", tmp_path / "im")
    refused = init(*references, images=tmp_path / "im")
    assert refused.code == 3 and not (tmp_path / "p").exists()
    assert all(name in refused.message for name in files) and "--skip-bad" in refused.message
    made = init("--skip-bad", "--json", *references, images=tmp_path / "im")
    assert made.code == 0
    document = json.loads(made.out)
    assert set(document["skipped"]) == skipped and reason in " ".join(document["skipped"].values())
    assert all(name in made.message for name in files)
    assert set(sources(tmp_path / "p")) == {"good"}


def test_bad_rows_of_a_table_are_skipped_too(init, tmp_path):
    for seed, name in enumerate("ab"):
        scan(tmp_path / f"{name}.nii.gz", seed)
    table = tmp_path / "m.csv"
    rows = [
        "case,image",
        "a,a.nii.gz",
        "../x,b.nii.gz",
        "c,",
        "d,b.nii.gz",
        "D,b.nii.gz",
        "e.nii.gz,b.nii.gz",
    ]
    table.write_text("\n".join(rows), encoding="utf-8")
    refused = init(images=table)
    for line, part in ((3, "'../x'"), (4, "has no image"), (5, "'D'"), (7, "did you mean the case 'e'")):
        assert f"line {line}" in refused.message and part in refused.message
    made = init("--skip-bad", images=table)
    assert made.code == 0 and set(sources(tmp_path / "p")) == {"a"}


@pytest.mark.parametrize("splits", [("train", "train"), ("train", "test"), None])
def test_the_same_scan_under_two_names(init, tmp_path, splits):
    for seed, name in enumerate("abcdefg"):
        scan(tmp_path / "im" / f"{name}_flair.nii.gz", seed)
    shutil.copy(tmp_path / "im" / "a_flair.nii.gz", tmp_path / "im" / "z_flair.nii.gz")
    options = ()
    if splits:
        rows = {**dict.fromkeys("bcdefg", "train"), "a": splits[0], "z": splits[1]}
        lines = ["case,split", *(f"{name},{split}" for name, split in rows.items())]
        (tmp_path / "s.csv").write_text("\n".join(lines), encoding="utf-8")
        options = ("--split", tmp_path / "s.csv")
    apart = splits == ("train", "test")
    for dry in (("--dry-run",), ()):
        shown = init(*options, *dry, images=tmp_path / "im")
        assert shown.code == (3 if apart else 0)
        assert "same image" in shown.message and "a (" in shown.message and "z (" in shown.message
    if apart:
        assert "--split" in shown.message and not (tmp_path / "p").exists()
        return
    stored = {case.info.name: case.info.split for case in open_project(tmp_path / "p").cases()}
    assert len(stored) == 8 and stored["a"] == stored["z"], "a draw keeps one scan in one split"


def test_scans_that_were_skipped_are_no_doubles_of_one_another(clisc, init, tmp_path):
    """Two names of a scan that cannot be used, and two of one that can but whose mask, once, cannot."""
    folder = tmp_path / "im"
    spoilt = ball(seed=9)
    spoilt[6, 12, 12] = np.nan
    for name, array in {"a": ball(seed=0), "b": ball(seed=1), "y": spoilt}.items():
        write(folder / f"{name}_flair.nii.gz", array)
    for name, double in {"b": "c", "y": "z"}.items():
        shutil.copy(folder / f"{name}_flair.nii.gz", folder / f"{double}_flair.nii.gz")
    mask(folder / "a_seg.nii.gz", 0)
    write(folder / "c_seg.nii.gz", np.ones((3, 4, 5), np.uint8))
    options = ("--references", folder, "--skip-bad", "--split-ratio", "1:0:0")
    one = folder / "a_flair.nii.gz"
    assert clisc("init", tmp_path / "q", "--images", one, "--weights", "tiny").code == 0
    made = init(*options, images=folder)
    added = clisc("cases", "add", tmp_path / "q", "--images", folder, "--to", "train", *options[:3])
    for told, root in ((made, "p"), (added, "q")):
        assert told.code == 0 and set(sources(tmp_path / root)) == {"a", "b"}, told.err
        assert all(f"skipped {name}: " in told.message for name in "cyz")
        assert "several names" not in told.message


def test_scans_that_agree_but_for_a_voxel_are_two(init, tmp_path):
    """Uncompressed files of one size, alike at both ends."""
    array = ball((64, 64, 64))
    write(tmp_path / "im" / "a_flair.nii", array)
    array[32, 32, 32] += 1
    write(tmp_path / "im" / "b_flair.nii", array)
    made = init(images=tmp_path / "im")
    assert made.code == 0 and "same image" not in made.message


ENCODED = {
    "UTF-16 LE": lambda text: text.encode("utf-16"),
    "UTF-16 BE": lambda text: b"\xfe\xff" + text.encode("utf-16-be"),
    "UTF-8 with BOM": lambda text: text.encode("utf-8-sig"),
    "a line sep=;": lambda text: ("sep=;\n" + text.replace(",", ";")).encode(),
    "tabs": lambda text: text.replace(",", "\t").encode(),
    "returns": lambda text: text.replace("\n", "\r").encode(),
    "Windows": lambda text: text.replace("\n", "\r\n").encode(),
    "empty ends": lambda text: (text.replace("\n", ",,\n") + ",,\n,,,\n").encode(),
    "quotes": lambda text: (
        text.replace("Jürgen", '"Jürgen"').replace("scans/1.nii", '"scans/1.nii"').encode()
    ),
    "capitals": lambda text: text.replace("case,image", "CASE , Image").encode(),
}


@pytest.mark.parametrize("kind", ENCODED)
@pytest.mark.parametrize("ending", [".csv", ".CSV", ".tsv"])
def test_tables_as_programs_write_them(init, tmp_path, kind, ending):
    if ending != ".csv" and kind not in ("tabs", "UTF-16 LE"):
        return
    for seed in (1, 2):
        scan(tmp_path / "scans" / f"{seed}.nii", seed)
        mask(tmp_path / "drawn" / f"{seed}.nii", seed)
    text = (
        "case,image,reference,split\nJürgen,scans/1.nii,drawn/1.nii,train\nb,scans/2.nii,drawn/2.nii,test\n"
    )
    table = tmp_path / f"m{ending}"
    table.write_bytes(ENCODED[kind](text))
    made = init(images=table)
    assert made.code == 0, made.err
    assert sources(tmp_path / "p") == {
        n: str(tmp_path / f"scans/{k}.nii") for n, k in (("Jürgen", 1), ("b", 2))
    }
    stored = {
        case.info.name: (case.info.split, case.info.has_reference)
        for case in open_project(tmp_path / "p").cases()
    }
    assert stored == {"Jürgen": ("train", True), "b": ("test", True)}


TABLES = {
    # kind: (the table, what is said)
    "another encoding": (
        "case,image\nJürgen,a.nii\n".encode("cp1252"),
        ["line 2 is not UTF-8", "CSV UTF-8"],
    ),
    "a spreadsheet": (b"PK\x03\x04\x00\x00", ["is a spreadsheet", "CSV"]),
    "columns of other names": (
        b"patient,path\na,a.nii\n",
        ["mean 'case' by 'patient'", "mean 'image' by 'path'"],
    ),
    "a column nearly right": (b"case,image,refrence\na,a.nii,b.nii\n", ["'refrence'", "mean 'reference'"]),
    "a column of masks": (b"case,image,mask\na,a.nii,b.nii\n", ["'mask'", "mean 'reference'"]),
    "a file's name for a case": (b"case,image\na_flair.nii,a.nii\n", ["line 2", "mean the case 'a'"]),
    "paths of Windows": (b"case,image\na,x\\a.nii\n", ["line 2", "with '/': x/a.nii"]),
    "a split of another name": (b"case,image,split\na,a.nii,val\n", ["'val'", "mean 'valid'"]),
}


@pytest.mark.parametrize("kind", TABLES)
def test_a_table_that_is_not_understood_is_told_what_it_may_mean(init, tmp_path, kind):
    scan(tmp_path / "a.nii", 1)
    scan(tmp_path / "x" / "a.nii", 1)
    data, parts = TABLES[kind]
    (tmp_path / "m.csv").write_bytes(data)
    refused = init(images=tmp_path / "m.csv")
    assert refused.code == 3 and "m.csv" in refused.message
    assert all(part in refused.message for part in parts), refused.message
    assert not (tmp_path / "p").exists()


def test_paths_of_a_table_seen_from_elsewhere(init, tmp_path, monkeypatch):
    scan(tmp_path / "here" / "a.nii", 1)
    (tmp_path / "tables").mkdir()
    (tmp_path / "tables" / "m.csv").write_text("case,image\na,a.nii\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path / "here")
    refused = init(images=tmp_path / "tables" / "m.csv")
    assert refused.code == 3 and "relative to the table's folder" in refused.message


MEANT = {
    "a_flair.nii.gz": "a",
    "im/b_flair.nii.gz": "b",
    "A": "a",
    "patient-1": "patient_1",
    "b_seg.nii": "b",
}


@pytest.mark.parametrize("written", MEANT)
@pytest.mark.parametrize("form", ["csv", "json"])
def test_a_split_that_names_files_is_told_the_cases(init, tmp_path, written, form):
    for seed, name in enumerate(("a", "b", "patient_1")):
        scan(tmp_path / "im" / f"{name}_flair.nii.gz", seed)
    text = f"case,split\n{written},train\n" if form == "csv" else json.dumps({"train": [written]})
    (tmp_path / f"s.{form}").write_text(text, encoding="utf-8")
    refused = init("--split", tmp_path / f"s.{form}", images=tmp_path / "im")
    assert refused.code == 3 and f"there is no case {written!r}" in refused.message
    assert f"did you mean {MEANT[written]!r}" in refused.message


def test_a_project_among_its_images_is_none_of_them(clisc, tmp_path):
    scan(tmp_path / "a_flair.nii.gz", 0)
    command = ("init", tmp_path, "--images", tmp_path, "--weights", "tiny", "--split-ratio", "1:0:0")
    first = clisc(*command)
    again = clisc(*command, "--dry-run", "--json")
    assert first.code == 0 and again.code == 0 and "other files" not in first.message + again.message
    assert json.loads(again.out)["left_out"] == []


def test_links_to_nothing_are_told(init, tmp_path):
    folder = tmp_path / "data"
    scan(folder / "a_flair.nii.gz", 0)
    (folder / "b_flair.nii.gz").symlink_to("gone.nii.gz")
    (folder / "c_flair.nii.gz").symlink_to("c_flair.nii.gz")
    (folder / "d_flair.nii.gz").symlink_to(tmp_path / "elsewhere.nii.gz")
    reasons, message = left_out(init, images=folder)
    assert reasons == {
        "b_flair.nii.gz": "a link to nothing",
        "c_flair.nii.gz": "a link to nothing",
        "d_flair.nii.gz": "a link to nothing",
    }
    assert "`datalad get`" in message and "--follow-links" not in message
    assert "Took 1 of 4 image files" in message


def test_images_are_counted_not_the_reasons_against_them(init, tmp_path):
    for seed, name in enumerate(("A_flair", "a_flair", "-b_flair", "c_flair", "d")):
        scan(tmp_path / "data" / f"{name}.nii.gz", seed)
    refused = init(images=tmp_path / "data")
    assert refused.code == 3 and "3 of 4 images cannot be used. --skip-bad" in refused.message
    assert "CSV with the columns case,image" in refused.message
    made = init("--skip-bad", images=tmp_path / "data")
    assert made.code == 0 and "Took 1 of 5 image files" in made.message and "skipped 3" in made.message


def test_the_other_half_of_a_pair_is_not_left_out(init, tmp_path):
    image = nibabel.Nifti1Pair(ball(seed=0).astype(np.float32).T, np.diag([2, 2, 4, 1]))
    (tmp_path / "data").mkdir()
    nibabel.save(image, tmp_path / "data" / "a_flair.img")
    made = init(images=tmp_path / "data")
    assert made.code == 0 and "other files" not in made.message


def test_masks_that_clisc_made_itself_are_no_references(init, tmp_path):
    """They lie beside the scans after `clisc predict SCANS -o SCANS`, and would measure clisc by itself."""
    folder = tmp_path / "data"
    for seed, name in enumerate(("a", "b")):
        scan(folder / f"{name}_flair.nii.gz", seed)
    made = mask(folder / "a_seg.nii.gz", 0)
    digest = hashlib.sha256(made.read_bytes()).hexdigest()
    entry = {"file": made.name, "sha256": digest, "what": "mask", "made_from": {}}
    (folder / ".clisc-outputs.jsonl").write_text(json.dumps(entry) + "\n", encoding="utf-8")
    refused = init("--references", folder, images=folder)
    assert refused.code == 3 and "clisc's own" in refused.message and str(made) in refused.message
    drawn = mask(folder / "b_seg.nii.gz", 1)
    reasons, _ = left_out(init, "--references", folder, images=folder)
    assert "clisc made itself" in reasons["a_seg.nii.gz"]
    assert init("--references", folder, images=folder).code == 0
    given = {case.info.name: case.info.reference_source for case in open_project(tmp_path / "p").cases()}
    assert given == {"a": "", "b": str(drawn)}


def test_a_mask_of_clisc_s_that_was_corrected_is_a_reference(init, tmp_path):
    folder = tmp_path / "data"
    scan(folder / "a_flair.nii.gz", 0)
    entry = {"file": "a_seg.nii.gz", "sha256": "0" * 64, "what": "mask", "made_from": {}}
    mask(folder / "a_seg.nii.gz", 0)
    (folder / ".clisc-outputs.jsonl").write_text(json.dumps(entry) + "\n", encoding="utf-8")
    assert init("--references", folder, images=folder).code == 0
    assert open_project(tmp_path / "p").case("a").info.has_reference


def test_commands_in_messages_can_be_pasted_whatever_the_folder_is_called(clisc, copied, tmp_path):
    root = copied.root.rename(tmp_path / "grand père's project")

    def pasted(*words, start, marker="Next: "):
        shown = clisc(*words)
        assert shown.code in (0, 3), shown.err
        text = " ".join((shown.out + " " + shown.err).split())
        command = text[text.index(marker + start) + len(marker) :]
        return shlex.split(command.split("`")[0] if marker == "`" else command)[1:]

    new = pasted("variant", "new", root, "t9", "--set", "amda.t=9", start="clisc run")
    assert new == ["run", str(root), "--variant", "t9"] and clisc(*new, "--dry-run").code == 0
    cleaned = pasted("status", root, start="clisc clean", marker="`")
    assert cleaned == ["clean", str(root), "--cache", "--states"] and clisc(*cleaned).code == 0
    told = pasted("status", root, start="clisc evaluate")
    assert told[:2] == ["evaluate", str(root)] and clisc("evaluate", root, "--dry-run").code == 0
    assert "did you mean 'p" in " ".join(clisc("cases", "rename", root, "p9", "x").message.split())
    listing = pasted("cases", "remove", root, "p9", start="clisc cases list", marker="`")
    assert listing == ["cases", "list", str(root)] and clisc(*listing).code == 0


def test_what_an_error_names_can_be_pasted_outside_the_project(init, clisc, tmp_path, monkeypatch):
    for seed, name in enumerate(("patient-007", "patient-08", "patient-09")):
        scan(tmp_path / "scans" / f"{name}.nii.gz", seed)
    assert init(images=tmp_path / "scans").code == 0
    root = (tmp_path / "p").rename(tmp_path / "my project")
    monkeypatch.chdir(tmp_path / "scans")

    def named(*words):
        shown = clisc(*words)
        command = shlex.split(" ".join(shown.message.split("`")[1].split()))
        assert shown.code in (3, 4) and command[0] == "clisc", shown.message
        return command[1:], shown.message

    command, _ = named("amda", root)
    assert command == ["cam", str(root)] and clisc(*command, "--dry-run").code == 4
    command, _ = named("export", "model", root, "-o", tmp_path / "m.clisc")
    assert command == ["run", str(root)] and clisc(*command, "--dry-run").code == 0
    monkeypatch.chdir(tmp_path)
    root.rename("-p")
    command, _ = named("cam", "./-p")
    assert command == ["label", "./-p"] and clisc(*command, "--dry-run").code == 0
    assert "Next: clisc label ./-p" in clisc("status", "./-p").out
    root = (tmp_path / "-p").rename(root)
    command, said = named("show", root, "patient-7")
    assert command == ["cases", "list", str(root)] and clisc(*command).code == 0
    assert "did you mean 'patient-007'" in " ".join(said.split())

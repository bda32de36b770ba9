"""`init` on a project that is there: it adds, or names what it does not take and changes nothing."""

import json
import shutil
from dataclasses import asdict

import nibabel
import numpy as np
import pytest
import SimpleITK as sitk

from clisc_engine.errors import DiskFault
from clisc_engine.imaging.placement import Placement, restore
from clisc_engine.importing import adding
from clisc_engine.importing.splits import draw_each
from clisc_engine.project.project import ADDING, open_project
from tests.support.volumes import ball, write

NAMES = ("a", "b", "c", "d", "e")
SPLIT = {"a": "train", "b": "train", "c": "valid", "d": "test", "e": "test"}


def mask_of(seed):
    return (ball(seed=seed) > 115).astype(np.uint8)


def scans(folder, names=NAMES):
    for name in names:
        seed = ord(name)
        write(folder / "images" / f"{name}_flair.nii.gz", ball(seed=seed))
        write(folder / "masks" / f"{name}_seg.nii.gz", mask_of(seed))


def table(path, columns, rows):
    path.write_text("\n".join([columns, *(",".join(map(str, row)) for row in rows)]), encoding="utf-8")
    return path


def contents(root):
    """Every file of a project, to the byte."""
    return {path.relative_to(root): path.read_bytes() for path in root.rglob("*") if path.is_file()}


class Desk:
    """Scans, and a project of them without references."""

    def __init__(self, clisc, tmp):
        self.clisc, self.tmp, self.root = clisc, tmp, tmp / "p"
        scans(tmp)
        self.images, self.masks = tmp / "images", tmp / "masks"
        self.split = table(tmp / "split.csv", "case,split", SPLIT.items())

    def init(self, *options, images=None):
        base = ("init", self.root, "--images", images or self.images, "--weights", "tiny")
        return self.clisc(*base, *options)

    def refused(self, *options, images=None):
        """Call with what is not taken; the message. Not a byte of the project changes, dry run or not."""
        before = contents(self.root)
        for dry in ((), ("--dry-run",)):
            shown = self.init(*options, *dry, images=images)
            assert shown.code == 3 and shown.out == "", shown.err
            assert contents(self.root) == before
        return shown.message

    def project(self):
        return open_project(self.root)


@pytest.fixture
def desk(clisc, tmp_path):
    made = Desk(clisc, tmp_path)
    assert made.init("--split", made.split).code == 0
    return made


def check_reference(project, name, path):
    """What is stored is what both readers see in the file, voxel for voxel."""
    case = project.case(name)
    assert case.info.has_reference and case.info.reference_source == str(path)
    stored = project.references.read(case.info)
    np.testing.assert_array_equal(stored, sitk.GetArrayFromImage(sitk.ReadImage(str(path))))
    seen = np.asarray(nibabel.load(path).dataobj).transpose(2, 1, 0)
    np.testing.assert_array_equal(stored, seen)


def test_the_same_call_has_nothing_to_do(desk):
    before = contents(desk.root)
    for options in (("--split", desk.split), (), ("--seed", "0")):
        again = desk.init(*options)
        assert again.code == 0 and "nothing to do" in again.out, again.err
    assert contents(desk.root) == before


def test_a_renamed_case_is_the_same_under_its_former_name(desk):
    """A batch job repeats its own call, and new scans come into the folder of the old ones."""
    assert desk.clisc("cases", "rename", desk.root, "a", "z").code == 0
    before = contents(desk.root)
    for options in (("--split", desk.split), (), ("--add",), ("--cases", "b,c")):
        again = desk.init(*options)
        assert again.code == 0 and "nothing to do" in again.out, again.err
    assert contents(desk.root) == before
    scans(desk.tmp, "f")
    added = desk.init("--references", desk.masks, "--add")
    assert added.code == 0 and "1 case and 5 references added" in added.out
    assert {case.info.name for case in desk.project().cases()} == {"z", "b", "c", "d", "e", "f"}
    check_reference(desk.project(), "z", desk.masks / "a_seg.nii.gz")
    desk.split.write_text(desk.split.read_text(encoding="utf-8").replace("a,train", "a,test"))
    assert "z (train, not test)" in desk.refused("--split", desk.split)
    write(desk.images / "a_flair.nii.gz", ball(seed=ord("g")))
    assert "a was imported before, and is the project's z now" in desk.refused("--add")


def test_references_are_added_and_images_stay_fresh(desk):
    before = {path: data for path, data in contents(desk.root).items() if path.suffix != ".json"}
    seals = {case.info.name: case.seal("image") for case in desk.project().cases()}
    shown = desk.init("--references", desk.masks, "--dry-run")
    assert shown.code == 0 and "5 references would be added" in shown.out
    assert not any(case.info.has_reference for case in desk.project().cases())

    shown = desk.init("--references", desk.masks)
    assert shown.code == 0 and "5 references added" in shown.out, shown.err
    project = desk.project()
    for name in NAMES:
        check_reference(project, name, desk.masks / f"{name}_seg.nii.gz")
        case = project.case(name)
        assert case.seal("image") == seals[name]
        assert project.store.attributes(f"cases/{name}/image")["case"] == json.loads(
            json.dumps(asdict(case.info))
        ), "the copy that repairs the record knows of the reference"
    after = contents(desk.root)
    assert all(after[path] == data for path, data in before.items()), "no voxel was written anew"
    assert desk.clisc("verify", desk.root).code == 0
    assert not (desk.root / ADDING).exists()
    again = desk.init("--references", desk.masks)
    assert again.code == 0 and "nothing to do" in again.out


def test_the_advice_of_evaluate_works_as_written(clisc, finished, data, tmp_path):
    root = tmp_path / "project"
    shutil.copytree(finished.root, root)
    project = open_project(root)
    for case in project.cases():
        info = asdict(case.info) | {"has_reference": False, "reference_source": "", "reference_sha256": ""}
        project.store.write_group(f"cases/{case.info.name}", {"case": info})
        project.store.remove(f"cases/{case.info.name}/reference")
    advice = clisc("evaluate", root, "--device", "cpu")
    assert advice.code == 3 and f"`clisc init {root} --images" in advice.message
    given = ("--images", data / "images", "--references", data / "references")
    assert clisc("init", root, *given).code == 0
    assert clisc("status", root).code == 0
    measured = clisc("evaluate", root, "--device", "cpu", "--json")
    assert measured.code == 0, measured.err
    first = json.loads(measured.out)
    assert [case["case"] for case in first["cases"]][:1] == ["p4"]


def test_references_come_by_a_table_too_and_only_where_given(desk):
    rows = [(n, f"images/{n}_flair.nii.gz", f"masks/{n}_seg.nii.gz" if n in "ad" else "") for n in NAMES]
    manifest = table(desk.tmp / "m.csv", "case,image,reference", rows)
    shown = desk.init(images=manifest)
    assert shown.code == 0 and "2 references added" in shown.out
    assert "3 of 5 cases have no reference: b, c, e." in shown.message
    having = {case.info.name for case in desk.project().cases() if case.info.has_reference}
    assert having == {"a", "d"}
    assert desk.init("--references", desk.masks).code == 0
    assert all(case.info.has_reference for case in desk.project().cases())


def test_a_bad_reference_leaves_the_project_as_it_was(desk):
    write(desk.masks / "c_seg.nii.gz", np.ones((3, 4, 5), np.uint8))
    before = contents(desk.root)
    refused = desk.init("--references", desk.masks)
    assert refused.code == 3 and "c_seg.nii.gz" in refused.message
    assert "--skip-bad imports the others" in refused.message
    assert contents(desk.root) == before
    some = desk.init("--references", desk.masks, "--skip-bad")
    assert some.code == 0 and "skipped c" in some.message and "4 references added" in some.out
    assert [c.info.name for c in desk.project().cases() if not c.info.has_reference] == ["c"]


def test_another_reference_is_named_and_replaced_only_by_force(desk):
    assert desk.init("--references", desk.masks).code == 0
    old = desk.project().references.fingerprint(desk.project().case("d").info)
    write(desk.tmp / "other" / "d_seg.nii.gz", mask_of(1))
    message = desk.refused("--references", desk.tmp / "other")
    assert "d_seg.nii.gz is not the reference that the project has" in message and "--force" in message
    shown = desk.init("--references", desk.tmp / "other", "--force")
    assert shown.code == 0 and "References of 1 case replaced: d" in shown.message
    check_reference(desk.project(), "d", desk.tmp / "other" / "d_seg.nii.gz")
    assert desk.project().references.fingerprint(desk.project().case("d").info) != old
    assert desk.clisc("verify", desk.root).code == 0


def other_image(desk):
    write(desk.images / "b_flair.nii.gz", ball(seed=1))


def no_image(desk):
    (desk.images / "b_flair.nii.gz").write_bytes(b"")


def a_new_one(desk):
    write(desk.images / "f_flair.nii.gz", ball(seed=6))


def other_split(desk):
    table(desk.split, "case,split", {**SPLIT, "c": "train"}.items())


def split_column(desk):
    rows = [(n, f"images/{n}_flair.nii.gz", "test" if n == "b" else SPLIT[n]) for n in NAMES]
    table(desk.tmp / "m.csv", "case,image,split", rows)


def alike(desk):
    (desk.images / "a_flair.nii.gz").rename(desk.images / "A_flair.nii.gz")


DIFFERENCES = {
    # kind: (what is done first, options, what is said)
    "another image of a name": (
        other_image,
        (),
        ["b_flair.nii.gz is not the image", "(has changed since)", "cases remove {tmp}/p b`", "--add"],
    ),
    "an image that is empty now": (
        no_image,
        (),
        ["b_flair.nii.gz is not the image", "cannot take its place", "cannot be read"],
    ),
    "a new case": (a_new_one, (), ["already holds a project with other cases", "lacks f", "--add"]),
    "another split file": (
        other_split,
        ("--split", "{tmp}/split.csv"),
        [
            "split.csv gives 1 of the project's cases another split: c (valid, not train)",
            "cases move {tmp}/p c train`",
        ],
    ),
    "another split in a table": (split_column, "m.csv", ["m.csv gives 1", "b (train, not test)"]),
    "other shares": (lambda d: None, ("--split-ratio", "1:1:8"), ["--split-ratio 1:1:8 gives"]),
    "a setting": (
        lambda d: None,
        ("--set", "amda.t=11", "--seed", "3"),
        ["amda.t = 20 (not 11)", "seed = 0 (not 3)", "clisc config set {tmp}/p amda.t=11 seed=3"],
    ),
    "a preset": (lambda d: None, ("--preset", "tiny", "--set", "unet.epochs=1"), ["unet.epochs=1`"]),
    "other weights": (lambda d: None, ("--preset", "fast"), ["weights = tiny", "another folder"]),
    "a name that differs by case": (alike, (), ["A has the same case name as the project's a"]),
}


@pytest.mark.parametrize("kind", DIFFERENCES)
def test_a_difference_is_named_with_the_way_to_have_it(desk, kind):
    prepare, options, parts = DIFFERENCES[kind]
    prepare(desk)
    images = desk.tmp / options if isinstance(options, str) else None
    options = () if isinstance(options, str) else tuple(o.format(tmp=desk.tmp) for o in options)
    if kind in ("other weights", "a preset"):
        base = ("init", desk.root, "--images", desk.images, *options)
        before = contents(desk.root)
        shown = desk.clisc(*base)
        assert shown.code == 3 and contents(desk.root) == before
        message = shown.message
    else:
        message = desk.refused(*options, images=images)
    assert all(part.format(tmp=desk.tmp) in message for part in parts), message
    assert "Nothing was changed" in message


def test_all_differences_are_named_at_once_and_references_then_wait(desk):
    other_image(desk), a_new_one(desk), other_split(desk)
    with desk.split.open("a", encoding="utf-8") as file:
        file.write("\nf,train\n")
    message = desk.refused("--split", desk.split, "--set", "amda.t=11", "--references", desk.masks / "a*")
    for part in ("differs from it in 4 points", "b_flair", "lacks f", "c (valid", "amda.t=11"):
        assert part in message


def test_what_was_asked_for_at_first_may_be_asked_again_after_a_change(clisc, tmp_path):
    """A batch job comes again with its own call, whatever `config set` has done since."""
    scans(tmp_path, "abc")
    call = (
        "init",
        tmp_path / "p",
        "--images",
        tmp_path / "images",
        "--preset",
        "tiny",
        "--set",
        "amda.t=20",
    )
    assert clisc(*call).code == 0
    assert clisc("config", "set", tmp_path / "p", "amda.t=25", "unet.epochs=1").code == 0
    again = clisc(*call)
    assert again.code == 0 and "nothing to do" in again.out
    assert "amda.t = 25" in again.message and "unet.epochs = 1" in again.message
    assert open_project(tmp_path / "p").settings.amda.t == 25
    other = clisc(*call[:-1], "amda.t=30")
    assert other.code == 3 and "amda.t=30`" in other.message


def test_fewer_images_than_the_project_has_are_said(desk):
    shown = desk.init(images=f"{desk.images}/[ab]_flair.nii.gz")
    assert shown.code == 0 and "nothing to do" in shown.out
    assert "3 of the project's 5 cases are not among the images given" in shown.message


def test_the_same_images_elsewhere_are_the_same(desk):
    shutil.copytree(desk.images, desk.tmp / "copy")
    shown = desk.init(images=desk.tmp / "copy")
    assert shown.code == 0 and "nothing to do" in shown.out


def test_a_data_set_that_was_moved_is_found_where_it_is_now(desk, clisc):
    """Steps stay fresh, exports read the files again, and a second call has nothing to do."""
    assert desk.init("--references", desk.masks).code == 0
    elsewhere = desk.tmp / "elsewhere"
    elsewhere.mkdir()
    for folder in (desk.images, desk.masks):
        folder.rename(elsewhere / folder.name)
    told = clisc("export", "nnunet", desk.root, "-o", desk.tmp / "raw", "--masks", "reference")
    assert told.code == 3 and f"`clisc init {desk.root} --images WHERE`" in told.message
    options = ("--references", elsewhere / "masks")
    before = contents(desk.root)
    planned = desk.init(*options, "--dry-run", images=elsewhere / "images")
    assert planned.code == 0 and "would be noted" in planned.message and contents(desk.root) == before

    shown = desk.init(*options, "--json", images=elsewhere / "images")
    assert shown.code == 0 and json.loads(shown.out)["moved"] == [*NAMES], shown.err
    project = desk.project()
    for case in project.cases():
        assert case.info.source == str(elsewhere / "images" / f"{case.info.name}_flair.nii.gz")
        assert case.info.reference_source == str(elsewhere / "masks" / f"{case.info.name}_seg.nii.gz")
    assert clisc("verify", desk.root).code == 0
    image = project.case("a").read("image")
    project.store.remove("cases/a/image")
    assert clisc("verify", desk.root, "--repair").code == 0
    assert np.array_equal(project.case("a").read("image"), image)
    after = contents(desk.root)
    again = desk.init(*options, images=elsewhere / "images")
    assert again.code == 0 and "nothing to do" in again.out and contents(desk.root) == after


def test_a_moved_file_of_other_content_is_refused(desk):
    desk.images.rename(desk.tmp / "elsewhere")
    write(desk.tmp / "elsewhere" / "b_flair.nii.gz", ball(seed=99))
    told = desk.refused(images=desk.tmp / "elsewhere")
    assert "b: " in told and "is not the image" in told


def test_new_cases_are_added_on_request_and_no_case_changes_its_split(desk):
    scans(desk.tmp, "fg")
    split = table(desk.tmp / "more.csv", "case,split", {**SPLIT, "f": "train", "g": "valid"}.items())
    options = ("--add", "--split", split, "--references", desk.masks)
    planned = json.loads(desk.init(*options, "--dry-run", "--json").out)
    assert [case["case"] for case in planned["cases"]] == planned["added"] == ["f", "g"]
    shown = desk.init(*options)
    assert shown.code == 0, shown.err
    assert "2 cases and 5 references added" in shown.out and "stale" in shown.message
    project = desk.project()
    splits = {case.info.name: case.info.split for case in project.cases()}
    assert splits == {**SPLIT, "f": "train", "g": "valid"}
    for name in (*NAMES, "f", "g"):
        check_reference(project, name, desk.masks / f"{name}_seg.nii.gz")
    stored = restore(
        project.case("f").read("image").astype(np.float32),
        Placement.from_dict(project.case("f").info.placement),
    )
    seen = sitk.GetArrayFromImage(sitk.ReadImage(str(desk.images / "f_flair.nii.gz")))
    assert np.corrcoef(stored[seen != 0], seen[seen != 0])[0, 1] > 0.99
    assert desk.clisc("verify", desk.root).code == 0
    again = desk.init(*options)
    assert again.code == 0 and "nothing to do" in again.out


def test_new_cases_without_a_split_are_drawn_each_by_itself(desk):
    names = [f"x{n}" for n in range(6)]
    for seed, name in enumerate(names):
        write(desk.images / f"{name}_flair.nii.gz", ball(seed=seed))
    shown = desk.init("--add")
    assert shown.code == 0
    splits = {case.info.name: case.info.split for case in desk.project().cases()}
    assert {name: splits[name] for name in NAMES} == SPLIT
    assert {name: splits[name] for name in names} == draw_each(names, "7:1:2", 0)
    assert {n: draw_each([n], "7:1:2", 0)[n] for n in names} == draw_each(names, "7:1:2", 0)


@pytest.mark.parametrize(
    ("command", "scan", "flair"),
    [
        ("init", "sub-{}_ses-{}", "_FLAIR"),
        ("cases add", "sub-{}_ses-{}", "_FLAIR"),
        ("init", "BraTS-GLI-0000{}-00{}", "-t2f"),
    ],
)
def test_new_scans_go_where_their_subject_is(clisc, tmp_path, command, scan, flair):
    images, root = tmp_path / "images", tmp_path / "p"
    for seed, name in enumerate(scan.format(n, s) for n in range(5) for s in (1, 2)):
        write(images / f"{name}{flair}.nii.gz", ball(seed=seed))
    made = clisc("init", root, "--images", images, "--weights", "tiny", "--split-ratio", "3:1:1")
    assert made.code == 0 and "5 subjects with several scans" in made.message, made.err
    assert "what is learned from a patient" not in made.message
    before = {case.info.name: case.info.split for case in open_project(root).cases()}
    assert all(before[scan.format(n, 1)] == before[scan.format(n, 2)] for n in range(5))
    new = {scan.format(n, s): n for n in range(7) for s in (3, 4)}
    for seed, name in enumerate(new, 20):
        write(images / f"{name}{flair}.nii.gz", ball(seed=seed))
    words = ["init", root, "--add"] if command == "init" else ["cases", "add", root]
    for options in (["--dry-run"], []):
        shown = clisc(*words, "--images", images, *options)
        assert shown.code == 0 and f"{scan.format(0, 3)} ({before[scan.format(0, 1)]})" in shown.message, (
            shown.err
        )
        assert (
            "Where other scans of its subject" in shown.message
            and scan.format(5, 3)
            not in shown.message.split("a new one goes into their split: ")[1].partition(". ")[0]
        )
    after = {case.info.name: case.info.split for case in open_project(root).cases()}
    assert after == before | {name: before.get(scan.format(n, 1), after[name]) for name, n in new.items()}
    assert all(after[scan.format(n, 3)] == after[scan.format(n, 4)] for n in (5, 6))


def test_new_scans_that_are_put_apart_from_their_subject_are_told(clisc, tmp_path):
    images, root = tmp_path / "images", tmp_path / "p"
    write(images / "sub-1_ses-1_FLAIR.nii.gz", ball(seed=1))
    assert clisc("init", root, "--images", images, "--weights", "tiny", "--split-ratio", "1:0:0").code == 0
    write(images / "sub-1_ses-2_FLAIR.nii.gz", ball(seed=2))
    for options in (["--dry-run"], []):
        shown = clisc("cases", "add", root, "--images", images, "--to", "test", *options)
        assert shown.code == 0 and "what is learned from a patient" in shown.message, shown.err
        assert "Where other scans of its subject" not in shown.message


def test_a_bad_new_case_leaves_the_project_as_it_was(desk):
    scans(desk.tmp, "fg")
    (desk.images / "g_flair.nii.gz").write_bytes(b"no image")
    before = contents(desk.root)
    refused = desk.init("--add")
    assert refused.code == 3 and "g_flair.nii.gz" in refused.message
    assert contents(desk.root) == before
    some = desk.init("--add", "--skip-bad", "--json")
    document = json.loads(some.out)
    assert document["added"] == ["f"] and list(document["skipped"]) == ["g"]
    again = desk.init("--add", "--skip-bad")
    assert again.code == 0 and "nothing to do" in again.out, "the same call is known again"
    scans(desk.tmp, "g")
    assert "lacks g" in desk.refused()
    assert desk.init("--add").code == 0
    assert "g" in {case.info.name for case in desk.project().cases()}


def test_a_first_call_that_skipped_may_be_repeated(clisc, tmp_path):
    scans(tmp_path, "abc")
    (tmp_path / "images" / "c_flair.nii.gz").write_bytes(b"no image")
    call = ("init", tmp_path / "p", "--images", tmp_path / "images", "--weights", "tiny", "--skip-bad")
    assert clisc(*call).code == 0
    again = clisc(*call)
    assert again.code == 0 and "nothing to do" in again.out


def test_a_scan_that_the_project_has_under_another_name(desk):
    shutil.copy(desk.images / "a_flair.nii.gz", desk.images / "z_flair.nii.gz")
    for split, code in (("train", 0), ("test", 3)):
        root = desk.tmp / split
        shutil.copytree(desk.root, root)
        given = table(desk.tmp / "s.csv", "case,split", {**SPLIT, "z": split}.items())
        shown = desk.clisc("init", root, "--images", desk.images, "--add", "--split", given)
        assert shown.code == code
        assert "a (" in shown.message and "z (" in shown.message and "same image" in shown.message
        assert ("z" in {c.info.name for c in open_project(root).cases()}) == (code == 0)


@pytest.mark.parametrize("at", range(8))
def test_an_addition_that_is_cut_short_goes_on_by_the_same_call(desk, monkeypatch, at):
    """The process ends at the n-th step of the moving in; the same call then gives the same project."""
    scans(desk.tmp, "fg")
    options = ("--add", "--references", desk.masks)
    shutil.copytree(desk.root, desk.tmp / "whole")
    whole = desk.clisc("init", desk.tmp / "whole", "--images", desk.images, *options)
    assert whole.code == 0
    steps = iter(range(100))

    def cut(step):
        def stepping(*arguments):
            if next(steps) == at:
                raise DiskFault("No space left.")
            return step(*arguments)

        return stepping

    with monkeypatch.context() as patch:
        patch.setattr(adding.Project, "change_record", cut(adding.Project.change_record))
        patch.setattr(type(desk.project().store), "adopt", cut(type(desk.project().store).adopt))
        assert desk.init(*options).code == 3
    assert desk.clisc("status", desk.root).code == 0
    for case in desk.project().cases():
        assert not case.info.has_reference or desk.project().references.read(case.info).any()
    assert desk.init(*options).code == 0
    one, other = (open_project(root) for root in (desk.root, desk.tmp / "whole"))
    assert [case.info for case in one.cases()] == [case.info for case in other.cases()]
    for case in one.cases():
        np.testing.assert_array_equal(case.read("image"), other.case(case.info.name).read("image"))
        np.testing.assert_array_equal(
            one.references.read(case.info), other.references.read(other.case(case.info.name).info)
        )
    assert desk.clisc("verify", desk.root).code == 0 and not (desk.root / ADDING).exists()


def test_a_project_of_an_older_version_takes_references_too(desk):
    """It has no record of what `init` was asked for."""
    desk.project().store.write_group("cases", {})
    assert desk.init("--split", desk.split).code == 0
    assert desk.init("--split-ratio", "7:1:2").code == 3, "the split was given, not drawn"
    assert desk.init("--references", desk.masks).code == 0
    assert all(case.info.has_reference for case in desk.project().cases())


def test_another_channel_of_the_same_file_is_another_image(clisc, tmp_path):
    for name in "ab":
        volumes = [sitk.GetImageFromArray(ball(seed=ord(name) + k)) for k in range(2)]
        (tmp_path / "images").mkdir(exist_ok=True)
        sitk.WriteImage(sitk.JoinSeries(volumes), str(tmp_path / "images" / f"{name}.nii.gz"))
    call = ("init", tmp_path / "p", "--images", tmp_path / "images", "--weights", "tiny", "--channel")
    assert clisc(*call, "0").code == 0
    before = contents(tmp_path / "p")
    refused = clisc(*call, "1")
    assert refused.code == 3 and "is not of the channel" in refused.message
    assert contents(tmp_path / "p") == before and clisc(*call, "0").code == 0

"""A command on variants that is killed: what is under way is told, and the same command ends it."""

import json
import shutil

import pytest

from clisc_engine.project.project import open_project
from clisc_engine.project.variants import variant_names
from tests.support.killing import everything, files
from tests.support.small import differing


@pytest.fixture(scope="module")
def varied(undisturbed, tmp_path_factory):
    """A project with all steps done, and a variant of it that has masks and networks of its own."""
    root = tmp_path_factory.mktemp("varied") / "project"
    undisturbed.start("evaluate", root)
    changed = ("variant", "new", root, "box", "--set", "prompts.kind=box")
    run = ("run", root, "--variant", "box", "--until", "self-train", "--device", "cpu")
    for words in (changed, run):
        ended = undisturbed.launcher.run(*words, folder=root)
        assert ended.code == 0, ended.output
    return root


@pytest.fixture
def struck(undisturbed, varied, tmp_path):
    """Runs a command on copies of the project: to its end, and killed before the operations given."""

    def strike(*words, at):
        root = tmp_path / "project"

        def call(*words, **moment):
            if not root.exists():
                shutil.copytree(varied, root)
            return undisturbed.launcher.run(*words[:2], root, *words[2:], folder=root, **moment)

        whole = call(*words)
        assert whole.code == 0, whole.output
        wanted = everything(root), files(root)
        for number in at(whole.operations):
            shutil.rmtree(root)
            assert call(*words, at=number, signal="SIGKILL").code == -9
            yield number, root, lambda *other: call(*(other or words)), whole.output, wanted

    return strike


def during(operations):
    """Moments of a command all of which lie within what it does, not after it."""
    return range(operations // 8, operations - 5, operations // 8)


def said(ended):
    return " ".join(ended.output.split())


def test_a_promotion_is_told_by_those_who_look_and_ended_by_the_same_command(undisturbed, struck):
    begun = 0
    for number, root, call, told, wanted in struck("variant", "promote", "box", at=during):
        is_begun = (root / "variant-promotion.json").exists()
        begun += is_begun
        line = "The promotion of the variant 'box' was cut short"
        looked = undisturbed.launcher.run("status", root, folder=root)
        assert looked.code == 0 and (line in said(looked)) == is_begun
        verified = undisturbed.launcher.run("verify", root, folder=root)
        assert verified.code == 0 and (line in said(verified)) == is_begun, (number, verified.output)
        again = call()
        assert again.code == 0 and told in again.output, (number, again.output)
        assert differing(wanted[0], everything(root)) == [], number
    assert begun > 3


@pytest.mark.parametrize("options", [(), ("--discard",)])
def test_a_promotion_killed_as_it_ends_is_done_and_leaves_nothing(struck, options):
    def at_its_end(operations):
        return range(operations - 11, operations + 1)

    for number, root, call, _, wanted in struck("variant", "promote", "box", *options, at=at_its_end):
        begun = (root / "variant-promotion.json").exists()
        again = call()
        assert again.code == 0, (number, again.output)
        assert begun or "box: promoted already" in again.output
        assert not list((root / "variants").glob(".*")), number
        assert differing(wanted[0], everything(root)) == [], number


def test_what_a_killed_writer_left_in_a_variant_is_named_and_removed(undisturbed, varied, tmp_path):
    root = tmp_path / "project"
    shutil.copytree(varied, root)
    left = root / "variants/box/store.zarr/cases/p0/.zarr.json.88106933f2f4.partial"
    left.touch()
    found = undisturbed.launcher.run("verify", root, "--json", "--quiet", folder=root)
    findings = json.loads(found.output)["findings"]
    assert [(one["path"], one["state"]) for one in findings] == [
        (left.relative_to(root).as_posix(), "left over")
    ]
    assert undisturbed.launcher.run("verify", root, "--repair", folder=root).code == 0
    assert not left.exists()


def test_a_variant_is_made_by_the_same_command(struck):
    other = ("variant", "new", "c", "--set", "amda.t=11")
    for number, root, call, told, wanted in struck("variant", "new", "c", "--set", "amda.t=10", at=during):
        made = "c" in variant_names(open_project(root))
        again = call()
        assert again.code == 0 and told in again.output, (number, again.output)
        assert differing(wanted[0], everything(root)) == []
        if made:
            assert call(*other).code == 3


def test_a_removal_is_ended_by_the_same_command(struck):
    def around_the_move(operations):
        return range(operations // 2, operations)

    moved = 0
    for number, root, call, _, wanted in struck("variant", "remove", "box", at=around_the_move):
        moved += not (root / "variants/box").exists() and any((root / "variants").glob(".*"))
        if (root / "variants").exists() and any((root / "variants").iterdir()):
            again = call()
            assert again.code == 0, (number, again.output)
        assert files(root) == wanted[1], number
    assert moved


def test_what_is_left_of_another_variant_is_not_taken_for_the_rest_of_this_one(
    undisturbed, varied, tmp_path
):
    root = tmp_path / "project"
    shutil.copytree(varied, root)
    other = root / "variants/.cut.high.123.old.partial"
    other.mkdir()
    ended = undisturbed.launcher.run("variant", "remove", root, "cut", folder=root)
    assert ended.code == 3 and "no variant" in " ".join(ended.output.split()) and other.is_dir(), (
        ended.output
    )
    other = other.rename(root / "variants/.cut.123.old.partial")
    assert undisturbed.launcher.run("variant", "remove", root, "cut", folder=root).code == 0
    assert not other.exists()

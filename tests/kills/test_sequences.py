"""A project that lives: random sequences of commands, some killed, and what must hold after each.

After every command the store, with its variants, can be verified, and what was fresh and does not depend on
the change still is. In the end, what is called fresh in the project and in each of its variants is as the
same cases and settings give it from scratch, to the bit. A
sequence is known by its number: `CLISC_SEQUENCE=17 pytest -m soak tests/kills/test_sequences.py` is one,
`CLISC_SEQUENCE=20-39` are twenty.
"""

import json
import os
import random
import shutil

import pytest

from clisc_engine.products.kinds import LABELS
from clisc_engine.project.project import open_project
from clisc_engine.project.variants import changes_of, open_variant, variant_names
from clisc_engine.upkeep.survey import survey
from tests.support.killing import ALL_STAGES
from tests.support.small import SPLITS, contents, differing

SEQUENCES, COMMANDS = 200, 7
QUICK = [3, 4]
"""Sequences that are not the soak's alone."""

SETTINGS = (
    *("amda.t=10", "amda.t=20", "prompts.kind=box", "prompts.kind=both", "label.confidence=0.5"),
    *("label.confidence=0.6", "roi.threshold=0.4", "unet.epochs=3", "s3f.p=0", "s3f.p=20"),
)
STAGES = tuple(stage for stage in ALL_STAGES if stage != "init")
KILLED = -9
ENDS = (0, 2, 3, 4, KILLED)
"""Done; what cannot be done, said: no such case, nothing to learn from, an earlier step is missing."""

LONGEST = 150
"""Killed is before a disk operation up to this one; a command that takes fewer is not."""


class Life:
    """A project that goes through one sequence; it begins imported, or with all steps done."""

    def __init__(self, undisturbed, folder, number):
        self.undisturbed, self.root, self.scratch = undisturbed, folder / "project", folder / "scratch"
        self.draw = random.Random(f"sequence {number}")
        self.steps, self.killed = [f"sequence {number}"], False
        undisturbed.start(self.draw.choice(["label", "evaluate"]), self.root)

    def live(self, commands):
        rules = (self.stage, self.stage, self.setting, self.rename, self.move, self.remove, self.add)
        rules += (self.vary, self.vary, self.variant_stage, self.variant_stage, self.lose, self.promote)
        for _ in range(commands):
            self.draw.choice(rules)()
            self.verified()
        self.call("config", "set", self.root, "seed=0", may_die=False)  # completes a change cut short
        self.as_from_scratch("")
        for name in self.variants():
            self.as_from_scratch(name)

    def call(self, *words, may_die=True):
        dies = may_die and self.draw.random() < 0.4
        moment = {"at": self.draw.randint(1, LONGEST), "signal": "SIGKILL"} if dies else {}
        self.steps.append((*words[:1], *words[2:], moment.get("at")))
        ended = self.undisturbed.launcher.run(*words, folder=self.root, **moment)
        assert ended.code in ENDS and "Traceback" not in ended.output, (self.steps, ended.output)
        self.killed = ended.code == KILLED
        return ended

    def cases(self):
        return [case.info for case in open_project(self.root).cases()]

    def variants(self):
        return variant_names(open_project(self.root))

    def opened(self, variant):
        project = open_project(self.root)
        return open_variant(project, variant) if variant else project

    def fresh(self, variant=""):
        """What is fresh in the project or a variant: product and case, by the name of its import."""
        project = self.opened(variant)
        identities = {case.info.name: case.info.identity for case in project.cases()}
        return {
            (item.product, identities[item.case] if item.case else "")
            for status in survey(project)
            for item in status.items
            if item.state == "fresh" and not item.product.startswith("results/")
        }

    def stage(self):
        before = self.fresh()
        self.call(self.draw.choice(STAGES), self.root, "--device", "cpu")
        lost = before - self.fresh()
        assert not lost, (self.steps, lost)

    def setting(self):
        self.call("config", "set", self.root, self.draw.choice(SETTINGS))

    def vary(self):
        name, before = f"v{len(self.steps)}", self.fresh()
        over = (
            ("--over", self.draw.choice(self.variants()))
            if self.variants() and self.draw.random() < 0.3
            else ()
        )
        self.call("variant", "new", self.root, name, "--set", self.draw.choice(SETTINGS), *over)
        assert before == self.fresh(), (self.steps, before ^ self.fresh())

    def variant_stage(self):
        if names := self.variants():
            name = self.draw.choice(names)
            before, own = self.fresh(), self.fresh(name)
            self.call(self.draw.choice(STAGES), self.root, "--device", "cpu", "--variant", name)
            lost = own - self.fresh(name)
            assert not lost and before == self.fresh(), (self.steps, lost, before ^ self.fresh())

    def lose(self):
        if names := self.variants():
            before = self.fresh()
            self.call("variant", "remove", self.root, self.draw.choice(names))
            assert before == self.fresh(), (self.steps, before ^ self.fresh())

    def promote(self):
        if names := self.variants():
            name = self.draw.choice(names)
            own = self.fresh(name)
            ended = self.call("variant", "promote", self.root, name)
            lost = own - self.fresh()
            assert ended.code or not lost, (self.steps, lost)

    def rename(self):
        case, before = self.draw.choice(self.cases()), self.fresh()
        self.call("cases", "rename", self.root, case.name, f"renamed{len(self.steps)}")
        if not self.killed:
            assert before == self.fresh(), (self.steps, before ^ self.fresh())

    def move(self):
        case, before = self.draw.choice(self.cases()), self.fresh()
        split = self.draw.choice(["train", "valid", "test"])
        self.call("cases", "move", self.root, case.name, split)
        self.labels_stay(before)

    def remove(self):
        if len(cases := self.cases()) > 3:
            case, before = self.draw.choice(cases), self.fresh()
            self.call("cases", "remove", self.root, case.name)
            self.labels_stay({item for item in before if item[1] != case.identity})

    def add(self):
        name, before, data = self.draw.choice(sorted(SPLITS)), self.fresh(), self.undisturbed.data
        files = ("--images", data / "images", "--references", data / "references")
        self.call("cases", "add", self.root, *files, "--cases", name, "--to", SPLITS[name])
        self.labels_stay(before)

    def labels_stay(self, before):
        """Labels depend on their own case alone; a kill may leave a change to the next call."""
        lost = {item for item in before if item[0] == LABELS} - self.fresh()
        assert not lost or self.killed, (self.steps, lost)

    def verified(self):
        looked = self.undisturbed.launcher.run("verify", self.root, "--json", "--quiet", folder=self.root)
        found = json.loads(looked.output[looked.output.index("{") : looked.output.rindex("}") + 1])
        bad = [one for one in found["findings"] if one["state"] in ("damaged", "unreadable")]
        assert not bad, (self.steps, bad)

    def as_from_scratch(self, variant):
        """What is called fresh, made once more from the images and the settings alone."""
        fresh, project = self.fresh(variant), self.opened(variant)
        last = self.last_step_of_fresh(project)
        if last is None:
            return
        shutil.rmtree(self.scratch, ignore_errors=True)
        shutil.copytree(self.root, self.scratch)
        for name in ("checkpoints", "results", "logs", "cache", "variants"):
            shutil.rmtree(self.scratch / name, ignore_errors=True)
        for made in (self.scratch / "store.zarr/cases").glob("*/*/"):
            if made.name not in ("image", "reference"):
                shutil.rmtree(made)
        if changes := [f"{key}={value}" for key, value in changes_of(project).items()]:
            self.call_in(self.scratch, "config", "set", self.scratch, *changes)
        self.call_in(self.scratch, "run", self.scratch, "--device", "cpu", "--until", last)
        there, made = self.of_fresh(project, fresh), self.of_fresh(open_project(self.scratch), fresh)
        # A case that is measured no longer keeps masks that a plain run does not make.
        for name in [name for name in there if name.endswith("masks/round2") and name not in made]:
            del there[name]
        if variant:  # what it shares is its project's, where it is compared
            made = {name: array for name, array in made.items() if name in there}
        assert differing(there, made) == [], (self.steps, variant)

    @staticmethod
    def last_step_of_fresh(project):
        """The step up to which everything must be made anew to compare what is fresh."""
        last, known = None, set()
        for status in survey(project):
            items = {
                (item.product, item.case): item.state
                for item in status.items
                if not item.product.startswith("results/")
            }
            if any(state == "fresh" for item, state in items.items() if item not in known):
                last = status.stage
            known |= items.keys()
        return last

    def call_in(self, folder, *words):
        ended = self.undisturbed.launcher.run(*words, folder=folder)
        assert ended.code in ENDS, (self.steps, ended.output)

    @staticmethod
    def of_fresh(project, fresh):
        """The arrays and tensors that belong to what is fresh."""
        identities = {case.info.name: case.info.identity for case in project.cases()}

        def item(name):
            if not name.startswith("cases/"):
                return name.partition("/")[0], ""
            _, case, array = name.split("/", 2)
            return array, identities[case]

        return {name: array for name, array in contents(project).items() if item(name) in fresh}


@pytest.mark.parametrize("number", QUICK)
def test_what_is_fresh_after_many_commands_is_as_from_scratch(undisturbed, tmp_path, number):
    Life(undisturbed, tmp_path, number).live(4)


@pytest.mark.soak
def test_soak(undisturbed, tmp_path):
    first, _, last = os.environ.get("CLISC_SEQUENCE", f"0-{SEQUENCES - 1}").partition("-")
    wrong = []
    for number in range(int(first), int(last or first) + 1):
        life = Life(undisturbed, tmp_path, number)
        try:
            life.live(COMMANDS)
            print(life.steps[0], "right", flush=True)
        except AssertionError as error:
            wrong.append(str(error))
            print("wrong", error, flush=True)
        shutil.rmtree(tmp_path / "project")
    assert wrong == []

"""A project that lives: random sequences of commands, some killed, and what must hold after each.

After every command the store can be verified, and what was fresh and does not depend on the change still
is. In the end, what is called fresh is what the same cases and settings give from scratch, to the bit.
"""

import json
import os
import shutil

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from clisc_engine.products.kinds import LABELS
from clisc_engine.project.project import open_project
from clisc_engine.upkeep.survey import survey
from tests.support.killing import ALL_STAGES
from tests.support.small import SPLITS, contents, differing

SEQUENCES = int(os.environ.get("CLISC_SEQUENCES", "200"))
CHANGES = (
    *("amda.t=10", "amda.t=20", "prompts.kind=box", "prompts.kind=both", "label.confidence=0.5"),
    *("label.confidence=0.6", "roi.threshold=0.4", "unet.epochs=3", "s3f.p=0", "s3f.p=20"),
)
STAGES = tuple(stage for stage in ALL_STAGES if stage != "init")
KILLED = -9
ENDS = (0, 2, 3, 4, KILLED)
"""Done; what cannot be done, said: no such case, nothing to learn from, an earlier step is missing."""

moments = st.none() | st.integers(1, 150)
"""The disk operation before which a command is killed; one that takes fewer is not."""


def life(undisturbed, folder):
    """The machine: a project that begins imported, or finished but for its evaluation."""

    class Life(RuleBasedStateMachine):
        def __init__(self):
            super().__init__()
            self.root, self.steps = folder / "project", []
            undisturbed.start("label", self.root)
            self.names, self.killed = 0, False

        def call(self, *words, at=None):
            self.steps.append((words, at))
            moment = {} if at is None else {"at": at, "signal": "SIGKILL"}
            ended = undisturbed.launcher.run(*words, folder=self.root, **moment)
            assert ended.code in ENDS and "Traceback" not in ended.output, (self.steps, ended.output)
            self.killed = ended.code == KILLED
            return ended

        def cases(self, split=None):
            found = {case.info.name: case.info.split for case in open_project(self.root).cases()}
            return [name for name, of in found.items() if split in (None, of)]

        def fresh(self):
            """What is fresh: product and case, by the name of its import."""
            project = open_project(self.root)
            names = {case.info.name: case.info.identity for case in project.cases()}
            return {
                (item.product, names[item.case] if item.case else "")
                for status in survey(project)
                for item in status.items
                if item.state == "fresh" and not item.product.startswith("results/")
            }

        @rule()
        def begin_with_all_steps_done(self):
            if not self.steps:
                undisturbed.start("evaluate", self.root)

        @rule(stage=st.sampled_from(STAGES), at=moments)
        def run_a_stage(self, stage, at):
            before = self.fresh()
            self.call(stage, self.root, "--device", "cpu", at=at)
            assert before <= self.fresh(), (self.steps, before - self.fresh())

        @rule(change=st.sampled_from(CHANGES), at=moments)
        def change_a_setting(self, change, at):
            self.call("config", "set", self.root, change, at=at)

        @rule(pick=st.integers(0, 9), at=moments)
        def rename_a_case(self, pick, at):
            names, before = self.cases(), self.fresh()
            self.names += 1
            self.call("cases", "rename", self.root, names[pick % len(names)], f"case{self.names}", at=at)
            if not self.killed:
                assert before == self.fresh(), (self.steps, before ^ self.fresh())

        @rule(pick=st.integers(0, 9), split=st.sampled_from(["train", "valid", "test"]), at=moments)
        def move_a_case(self, pick, split, at):
            names, before = self.cases(), self.fresh()
            self.call("cases", "move", self.root, names[pick % len(names)], split, at=at)
            self.labels_stay(before)

        @precondition(lambda self: len(self.cases()) > 3)
        @rule(pick=st.integers(0, 9), at=moments)
        def remove_a_case(self, pick, at):
            names, before = self.cases(), self.fresh()
            gone = open_project(self.root).case(names[pick % len(names)]).info
            self.call("cases", "remove", self.root, gone.name, at=at)
            self.labels_stay({item for item in before if item[1] != gone.identity})

        @rule(name=st.sampled_from(sorted(SPLITS)), at=moments)
        def add_a_case(self, name, at):
            before = self.fresh()
            data = undisturbed.data
            where = ("--images", data / "images", "--references", data / "references", "--cases", name)
            self.call("cases", "add", self.root, *where, "--to", SPLITS[name], at=at)
            self.labels_stay(before)

        def labels_stay(self, before):
            """Labels depend on their own case alone; a kill may leave a change to the next call."""
            lost = {item for item in before if item[0] == LABELS} - self.fresh()
            assert not lost or self.killed, (self.steps, lost)

        @invariant()
        def the_store_can_be_verified(self):
            if not self.steps:
                return
            looked = undisturbed.launcher.run("verify", self.root, "--json", "--quiet", folder=self.root)
            found = json.loads(looked.output[looked.output.index("{") : looked.output.rindex("}") + 1])
            bad = [one for one in found["findings"] if one["state"] in ("damaged", "unreadable")]
            assert not bad, (self.steps, bad)

        def teardown(self):
            if self.steps:
                self.as_from_scratch()

        def as_from_scratch(self):
            """What is called fresh, made once more from the images and the settings alone."""
            self.call("config", "set", self.root, "seed=0")  # completes what a kill has left of a change
            fresh, project = self.fresh(), open_project(self.root)
            scratch = folder / "scratch"
            shutil.rmtree(scratch, ignore_errors=True)
            shutil.copytree(self.root, scratch)
            for name in ("checkpoints", "results", "logs", "cache"):
                shutil.rmtree(scratch / name, ignore_errors=True)
            for made in (scratch / "store.zarr/cases").glob("*/*/"):
                if made.name not in ("image", "reference"):
                    shutil.rmtree(made)
            undisturbed.launcher.run("run", scratch, "--device", "cpu", folder=scratch)
            identities = {case.info.name: case.info.identity for case in project.cases()}
            wanted = {
                name: array
                for name, array in contents(project).items()
                if self.item_of(name, identities) in fresh
            }
            made = contents(open_project(scratch))
            # A test case that is no longer measured keeps masks that a plain run does not make.
            wanted = {name: array for name, array in wanted.items() if name in made or "round2" not in name}
            assert differing(wanted, {n: made[n] for n in wanted if n in made}) == [], self.steps

        @staticmethod
        def item_of(name, identities):
            """The product and case of a name in `contents`."""
            if name.startswith("cases/"):
                _, case, array = name.split("/", 2)
                return array, identities[case]
            return name.partition("/")[0], ""

    return Life


def lived(undisturbed, folder, count, steps):
    run_state_machine_as_test(
        life(undisturbed, folder),
        settings=settings(
            max_examples=count,
            stateful_step_count=steps,
            deadline=None,
            derandomize=True,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        ),
    )


def test_a_few_sequences(undisturbed, tmp_path):
    lived(undisturbed, tmp_path, count=3, steps=4)


@pytest.mark.soak
def test_soak(undisturbed, tmp_path):
    lived(undisturbed, tmp_path, count=SEQUENCES, steps=7)

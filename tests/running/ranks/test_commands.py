"""Several processes share a command: the results of one, one voice, one end."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from clisc_engine.project.lock import LOCK, Lock
from clisc_engine.project.lock_owner import Owner
from clisc_engine.project.project import open_project
from clisc_engine.running.control import Control
from clisc_engine.settings.file import write_changes
from clisc_engine.stages.evaluate import evaluate
from tests.support import ENVIRONMENT, interrupted_at_the_end, program, under_torchrun
from tests.support.ranks_of_srun import variables
from tests.support.small import contents, curve, differing

CPU = ("--device", "cpu")


def forget(project, *groups):
    """Remove arrays of every case, so that they have to be made again."""
    for case in project.cases():
        for group in groups:
            project.store.remove(f"cases/{case.info.name}/{group}")


def untrain(project, network):
    for path in project.checkpoints.glob(f"{network}.*"):
        path.unlink()


def flip_a_bit(project, array):
    """Damage an array's voxels."""
    path = next(p for p in (project.store.root / "cases" / array / "c").rglob("*") if p.is_file())
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def test_inference_is_shared_and_the_same_to_the_bit(cluster, copied):
    expected = evaluate(copied, Control(device="cpu"))
    everything = contents(copied)
    forget(copied, "labels", "cams", "masks")
    ended = cluster.run("run", copied.root, *CPU, "--json")
    assert ended.codes == [0, 0], ended.outputs
    assert differing(everything, contents(copied)) == []
    found = ended.document
    assert found["evaluation"]["cases"] == expected["cases"]
    assert ended.message.count("label: case 5/5") == 1
    assert ended.outputs[1] == "" and not (copied.root / LOCK).exists()
    logs = copied.logs.glob("*-run-rank1-*.log")
    shared = [path for path in logs if "label: case" in path.read_text("utf-8")]
    assert len(shared) == 1


@pytest.mark.parametrize(("stage", "network"), [("train", "unet-round1"), ("cam", "classifier-raw")])
def test_a_training_takes_the_steps_of_one_rank(cluster, copied, stage, network):
    before = curve(copied, network)
    untrain(copied, network)
    ended = cluster.run(stage, copied.root, *CPU)
    assert ended.codes == [0, 0], ended.outputs
    assert curve(copied, network) == pytest.approx(before, rel=1e-4)
    shared = "is shared by 2 ranks" if stage == "train" else "by 1 rank; 1 more wait, since batch norm"
    assert shared in ended.message


def test_self_train_trains_round_2_together(cluster, copied):
    before = curve(copied, "unet-round2")
    untrain(copied, "unet-round2")
    forget(copied, "masks/round1", "masks/sam-round1")
    ended = cluster.run("self-train", copied.root, *CPU)
    assert ended.codes == [0, 0], ended.outputs
    assert curve(copied, "unet-round2") == pytest.approx(before, rel=1e-4)


def test_a_signal_to_one_rank_stops_all_at_one_step_and_one_rank_goes_on(cluster, copied):
    before = curve(copied, "unet-round1")
    untrain(copied, "unet-round1")
    write_changes(copied.root / "clisc.toml", {"training.save_every_minutes": 1e-9})
    stopped = cluster.run("train", copied.root, *CPU, moments={0: {"at": 90, "signal": "SIGUSR1"}})
    assert stopped.codes == [75, 75], stopped.outputs
    assert "Stopped by SIGUSR1" in stopped.message and stopped.outputs[1] == ""
    assert (copied.checkpoints / "unet-round1.training.pt").exists()
    ended = cluster.run("train", copied.root, *CPU, ranks=1)
    assert ended.codes == [0] and "goes on after epoch" in ended.message, ended.outputs
    assert curve(copied, "unet-round1") == pytest.approx(before, rel=1e-4)


def test_a_signal_to_another_rank_stops_rank_0_too(cluster, copied):
    forget(copied, "labels")
    stopped = cluster.run("label", copied.root, *CPU, moments={1: {"at": 25, "signal": "SIGTERM"}})
    assert stopped.codes == [75, 75], stopped.outputs
    assert "Stopped by SIGTERM" in stopped.message
    assert cluster.run("label", copied.root, *CPU).codes == [0, 0]


@pytest.mark.parametrize("rank", [0, 1])
def test_a_stop_is_heard_while_others_have_not_come_yet(copied, rank):
    where = {**ENVIRONMENT, **variables(rank, 2, 4711)}
    call = [*program("alone"), "label", str(copied.root), "--force", *CPU]
    stopped = subprocess.run(call, capture_output=True, encoding="utf-8", env=where)
    assert stopped.returncode == 75, stopped.stderr
    assert "Stopped by SIGTERM before all 2 processes had come." in " ".join(stopped.stderr.split())
    assert not (copied.root / LOCK).exists()


def test_ctrl_c_reaches_the_others_from_a_rank_that_waits_for_them_to_end(cluster, copied, tmp_path):
    out = tmp_path / "masks"
    program = Path(interrupted_at_the_end.__file__)
    stopped = cluster.run("export", "masks", copied.root, "--out", out, program=program)
    assert stopped.codes == [75, 75], stopped.outputs
    assert "Stopped by Ctrl-C" in stopped.message and stopped.outputs[1] == ""
    assert not (copied.root / LOCK).exists()


@pytest.mark.parametrize(("killed", "stage"), [(0, "label"), (1, "label"), (0, "train")])
def test_when_a_rank_dies_the_others_end_and_say_so(cluster, copied, killed, stage):
    forget(copied, "labels")
    untrain(copied, "unet-round1")
    write_changes(copied.root / "clisc.toml", {"training.save_every_minutes": 1e-9})
    before = contents(copied)
    moment = {killed: {"at": 60 if stage == "train" else 25, "signal": "SIGKILL"}}
    ended = cluster.run(stage, copied.root, *CPU, moments=moment)
    assert ended.codes[killed] == -9 and ended.codes[1 - killed] == 1, ended.outputs
    if killed == 1:
        assert "has died without a word" in ended.message and ended.message.count("error:") == 1
    again = cluster.run(stage, copied.root, *CPU, ranks=1)
    assert again.codes == [0], again.outputs
    assert ("Took over the lock" in again.message) == (killed == 0)
    assert set(contents(copied)) >= set(before)


def test_a_case_that_fails_is_named_once(cluster, copied):
    forget(copied, "labels")
    flip_a_bit(copied, "p3/image")
    ended = cluster.run("label", copied.root, *CPU)
    assert ended.codes == [5, 5], ended.outputs
    assert ended.message.count("warning: p3") == 1 and "1 of 5 cases failed" in ended.message
    assert all(case.seal("labels/tumour") for case in copied.cases() if case.info.name != "p3")


def test_a_lock_that_is_held_ends_all_ranks(cluster, copied):
    lock = Lock(copied.root, Owner.this_process("clisc amda"))
    lock.acquire()
    ended = cluster.run("label", copied.root, *CPU)
    assert ended.codes == [3, 3]
    assert ended.message.count("`clisc amda`") == 1 and ended.outputs[1] == ""
    lock.release()


def test_an_error_of_one_rank_ends_all_with_its_code(cluster, copied):
    """Rank 1's machine lacks the weights: it is named, and no other rank waits for it."""
    forget(copied, "labels")
    ended = cluster.run("label", copied.root, "--device", "cuda:7")
    assert ended.codes == [3, 3] and ended.message.count("cuda:7") == 1, ended.outputs


def test_other_commands_are_rank_0_s(cluster, copied, data, tmp_path):
    masks = cluster.run("export", "masks", copied.root, "--out", tmp_path / "masks", ranks=3)
    assert masks.codes == [0, 0, 0], masks.outputs
    assert len(list((tmp_path / "masks").glob("*.nii.gz"))) > 0 and masks.outputs[1:] == ["", ""]


def masks_in(folder):
    return {path.name: path.read_bytes() for path in folder.glob("*.nii.gz")}


def test_volumes_to_predict_are_shared(cluster, copied, data, tmp_path):
    images, alone, shared = data / "images", tmp_path / "alone", tmp_path / "shared"
    assert cluster.run("predict", copied.root, images, "-o", alone, *CPU, ranks=1).codes == [0]
    ended = cluster.run("predict", copied.root, images, "-o", shared, *CPU, "--json")
    assert ended.codes == [0, 0] and ended.outputs[1] == "", ended.outputs
    found = ended.document
    assert found["done"] == sorted(found["cases"]) and len(found["done"]) == 5
    assert masks_in(shared) == masks_in(alone) and len(masks_in(shared)) == 5
    records = [folder / "predictions.json" for folder in (alone, shared)]
    assert json.loads(records[0].read_text("utf-8")) == json.loads(records[1].read_text("utf-8"))
    assert sorted(shared.glob("*.json")) == [shared / "predictions.json"]


def test_predictions_of_ranks_that_were_killed_are_kept(cluster, copied, data, tmp_path):
    out = tmp_path / "out"
    command = ("predict", copied.root, data / "images", "-o", out, *CPU)
    assert cluster.run(*command).codes == [0, 0]
    entries = json.loads((out / "predictions.json").read_text("utf-8"))
    last = {"p4": entries.pop("p4")}
    (out / "predictions.json").write_text(json.dumps(entries), "utf-8")
    (out / "predictions.rank-1.json").write_text(json.dumps(last), "utf-8")
    (out / "p0_seg.nii.gz").unlink()
    ended = cluster.run(*command, "--json", ranks=1)
    found = ended.document
    assert found["done"] == ["p0"] and found["fresh"] == ["p1", "p2", "p3", "p4"]
    assert json.loads((out / "predictions.json").read_text("utf-8")) == {**entries, **last}
    assert not (out / "predictions.rank-1.json").exists()


def test_a_single_volume_that_cannot_be_used_ends_all_ranks(cluster, copied, data, tmp_path):
    (tmp_path / "broken_flair.nii.gz").write_bytes(b"no image")
    ended = cluster.run(
        "predict", copied.root, tmp_path / "broken_flair.nii.gz", "-o", tmp_path / "out", *CPU
    )
    assert ended.codes == [3, 3] and "broken_flair" in ended.message, ended.outputs
    assert ended.message.count("error:") == 1 and ended.outputs[1] == ""


def torchrun(temporary, *program):
    """What torchrun leaves of its own, as when it is killed, goes with the test's ``temporary`` folder."""
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    return subprocess.run(
        [*launcher, *program],
        capture_output=True,
        encoding="utf-8",
        env={**ENVIRONMENT, "TMPDIR": str(temporary)},
    )


def test_torchrun(copied, tmp_path):
    forget(copied, "labels")
    ended = torchrun(tmp_path, "-m", "clisc_cli", "label", copied.root, *CPU, "--json")
    assert ended.returncode == 0, ended.stderr
    assert json.loads(ended.stdout)["done"] == [case.info.name for case in copied.cases()]
    assert open_project(copied.root).logs.joinpath("runs.jsonl").read_text("utf-8").count("2 ranks") == 1


@pytest.mark.parametrize(
    ("signal", "whom", "said"),
    [("SIGTERM", "torchrun", "Stopped by SIGTERM"), ("SIGKILL", "itself", "Signal 9 (SIGKILL)")],
)
def test_torchrun_that_is_stopped_or_loses_a_rank_ends_all(cluster, copied, tmp_path, signal, whom, said):
    """In a training: its state is kept, and one rank goes on from there."""
    before = curve(copied, "unet-round1")
    untrain(copied, "unet-round1")
    write_changes(copied.root / "clisc.toml", {"training.save_every_minutes": 1e-9})
    program = Path(under_torchrun.__file__)
    ended = torchrun(tmp_path, program, signal, whom, "train", copied.root, *CPU)
    assert ended.returncode != 0 and said in ended.stderr, ended.stderr
    assert (copied.checkpoints / "unet-round1.training.pt").exists()
    again = cluster.run("train", copied.root, *CPU, ranks=1)
    assert again.codes == [0] and "goes on after epoch" in again.message, again.outputs
    assert curve(copied, "unet-round1") == pytest.approx(before, rel=1e-4)

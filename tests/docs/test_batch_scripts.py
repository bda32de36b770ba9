"""The job scripts of docs/batch.md, run by Bash with stand-ins for Slurm and for clisc."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "batch.md"
SCRIPTS = re.findall(r"```bash\n(#!.*?)```", PAGE.read_text(encoding="utf-8"), re.S)
STEPS, JOB, ARRAY, SWEEP, PREDICT = SCRIPTS

pytestmark = pytest.mark.skipif(shutil.which("bash") is None, reason="no bash here")


@pytest.fixture
def cluster(tmp_path):
    """A folder in which `clisc` notes its words and ends with the code in the file `code`."""
    programs = {
        "clisc": 'echo "clisc $*" >> said; exit $(cat code 2> /dev/null || echo 0)',
        "srun": '"$@"',
        "scontrol": 'echo "scontrol $*" >> said',
    }
    for name, body in programs.items():
        (tmp_path / "bin").mkdir(exist_ok=True)
        (tmp_path / "bin" / name).write_text(f"#!/bin/bash\n{body}\n", encoding="utf-8")
        (tmp_path / "bin" / name).chmod(0o755)
    return tmp_path


def run(folder, script, *arguments, code=0, **environment):
    """Run a script in the folder; its exit code and what the stand-ins were told."""
    (folder / "code").write_text(str(code), encoding="utf-8")
    (folder / "said").write_text("", encoding="utf-8")
    path = f"{folder / 'bin'}:/usr/local/bin:/usr/bin:/bin"
    ended = subprocess.run(
        ["bash", "-c", script, "job", *arguments], cwd=folder, env={"PATH": path, **environment}
    )
    return ended.returncode, (folder / "said").read_text(encoding="utf-8").splitlines()


@pytest.mark.parametrize("script", SCRIPTS, ids=["steps", "job", "array", "sweep", "predict"])
def test_each_is_valid_bash(script):
    subprocess.run(["bash", "-n"], input=script, encoding="utf-8", check=True)


@pytest.mark.parametrize(("code", "steps"), [(0, 9), (5, 9), (75, 1), (3, 1)])
def test_the_steps_go_on_after_failed_cases_and_stop_at_all_else(cluster, code, steps):
    ended, said = run(cluster, STEPS, "scans", "glioma", code=code)
    assert len(said) == steps and said[0] == "clisc init glioma --images scans"
    assert ended == (0 if code == 5 else code)


@pytest.mark.parametrize("code", [0, 3, 5, 75])
def test_a_job_is_queued_again_on_75_and_on_nothing_else(cluster, code):
    ended, said = run(cluster, JOB, code=code, SLURM_JOB_ID="42")
    assert ended == code
    assert said[1:] == (["scontrol requeue 42"] if code == 75 else [])


@pytest.mark.parametrize("script", [ARRAY, SWEEP, PREDICT], ids=["array", "sweep", "predict"])
@pytest.mark.parametrize("code", [0, 3, 5, 75])
def test_a_task_of_an_array_queues_itself_again_and_no_other(cluster, script, code):
    """One task has the array's own id as its job id, and a requeue of that means every task."""
    (cluster / "glioma").mkdir(exist_ok=True)
    (cluster / "new").mkdir()
    (cluster / "new" / "a_flair.nii.gz").touch()
    (cluster / "new" / "b_flair.nii.gz").touch()
    array = {"SLURM_ARRAY_JOB_ID": "42", "SLURM_ARRAY_TASK_ID": "1", "SLURM_ARRAY_TASK_COUNT": "2"}
    ended, said = run(cluster, script, code=code, SLURM_JOB_ID="42", **array)
    assert ended == code
    assert said[1:] == (["scontrol requeue 42_1"] if code == 75 else [])


@pytest.mark.parametrize("script", [JOB, ARRAY, SWEEP], ids=["job", "array", "sweep"])
def test_a_step_has_the_processors_of_its_job(cluster, script):
    """Which srun does not take from the job since Slurm 22.05."""
    (cluster / "glioma").mkdir()
    (cluster / "bin" / "srun").write_text(
        '#!/bin/sh\necho "$SRUN_CPUS_PER_TASK" >> said\n', encoding="utf-8"
    )
    _, said = run(cluster, script, SLURM_JOB_ID="1", SLURM_ARRAY_TASK_ID="2", SLURM_CPUS_PER_TASK="8")
    assert "#SBATCH --cpus-per-task=8" in script and said == ["8"]


def test_each_task_of_a_sweep_makes_one_value(cluster):
    _, said = run(cluster, SWEEP, SLURM_JOB_ID="1", SLURM_ARRAY_TASK_ID="2")
    assert said == ["clisc sweep glioma amda.t=0,10,20,30 --row cam-amda --only 2 --device cuda"]


def test_each_task_of_an_array_has_its_own_project(cluster):
    (cluster / "glioma").mkdir()
    (cluster / "glioma" / "clisc.toml").touch()
    (cluster / "glioma-t30.partial-1").mkdir()
    _, said = run(cluster, ARRAY, SLURM_JOB_ID="1", SLURM_ARRAY_TASK_ID="2")
    assert said == ["clisc run glioma-t30 --device cuda --set amda.t=30"]
    assert [path.name for path in (cluster / "glioma-t30").iterdir()] == ["clisc.toml"]


def test_two_arrays_at_once_leave_one_whole_copy(cluster):
    """The second begins while the first copies, and is done before it."""
    (cluster / "glioma").mkdir()
    for name in ("a", "b"):
        (cluster / "glioma" / name).touch()
    slow = """#!/bin/bash
        rm bin/cp; mkdir "$3"; cp glioma/a "$3"
        SLURM_JOB_ID=2 bash -c "$SCRIPT"; echo "other $?" >> said
        cp glioma/b "$3"
    """
    (cluster / "bin" / "cp").write_text(slow, encoding="utf-8")
    (cluster / "bin" / "cp").chmod(0o755)
    ended, said = run(cluster, ARRAY, SCRIPT=ARRAY, SLURM_JOB_ID="1", SLURM_ARRAY_TASK_ID="0")
    assert said[1:] == ["other 0"] and ended == 3
    assert {path.name for path in (cluster / "glioma-t10").iterdir()} == {"a", "b"}


def test_an_array_divides_the_volumes_without_loss(cluster):
    names = {f"new/{n}_flair.nii.gz" for n in range(7)}
    (cluster / "new").mkdir()
    for name in names:
        (cluster / name).touch()
    taken = []
    for task in range(9):
        environment = {"SLURM_ARRAY_TASK_ID": str(task), "SLURM_ARRAY_TASK_COUNT": "9"}
        ended, said = run(cluster, PREDICT, SLURM_JOB_ID="1", **environment)
        assert ended == 0
        taken += [word for line in said for word in line.split() if word.startswith("new/")]
    assert len(taken) == len(names) and set(taken) == names

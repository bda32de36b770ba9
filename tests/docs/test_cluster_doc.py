"""The scripts of docs/cluster.md are bash, and the commands that they start parse."""

import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
import typer

from clisc_cli.registry import whole_app

TEXT = (Path(__file__).parents[2] / "docs" / "cluster.md").read_text(encoding="utf-8")
SCRIPTS = re.findall(r"```bash\n(.*?)```", TEXT, re.S)
LAUNCHED = re.compile(r"(?:-m clisc_cli|srun .*?\bclisc) (?P<rest>[^`\n]+)")


@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash here")
@pytest.mark.parametrize("script", SCRIPTS, ids=range(len(SCRIPTS)))
def test_scripts_are_bash(script):
    checked = subprocess.run(["bash", "-n"], input=script, capture_output=True, encoding="utf-8")
    assert checked.returncode == 0, checked.stderr
    assert "$code" in script and "-eq 75" in script and "--signal=USR1@" in script


def test_commands_that_are_launched_parse():
    lines = [match["rest"] for match in LAUNCHED.finditer(TEXT)]
    assert len(lines) >= 4
    group = typer.main.get_command(whole_app())
    for line in lines:
        name, *arguments = shlex.split(line)
        assert group.commands[name].make_context(name, arguments).params


@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash here")
@pytest.mark.parametrize("code", [0, 3, 75])
@pytest.mark.parametrize("script", SCRIPTS, ids=range(len(SCRIPTS)))
def test_scripts_requeue_on_75_alone(script, code, tmp_path):
    """Run with stand-ins for Slurm's two programs; the step has the processors of the job."""
    for name, body in (
        ("srun", f'[ "$SRUN_CPUS_PER_TASK" = 4 ] && exit {code}'),
        ("scontrol", f"echo $1 >> {tmp_path}/said"),
    ):
        (tmp_path / name).write_text(f"#!/bin/sh\n{body}\n", encoding="utf-8")
        (tmp_path / name).chmod(0o755)
    environment = {"PATH": f"{tmp_path}:/usr/bin:/bin", "SLURM_CPUS_PER_TASK": "4", "SLURM_JOB_ID": "7"}
    array = {"SLURM_ARRAY_TASK_ID": "0", "SLURM_ARRAY_JOB_ID": "7"}
    ended = subprocess.run(["bash"], input=script, encoding="utf-8", env={**environment, **array})
    assert ended.returncode == code
    assert (tmp_path / "said").exists() == (code == 75)

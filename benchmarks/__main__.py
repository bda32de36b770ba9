"""`python -m benchmarks [NAMES]`: measure, show, and on request keep or compare."""

from __future__ import annotations

import argparse
import importlib
import json
import os
import platform
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

NAMES = {
    "sam-encoder": "sam.encoder",
    "sam-volume": "sam.volume",
    "clip": "slices.label",
    "classifier": "training.classifier",
    "cam": "slices.cam",
    "unet": "training.unet",
    "evaluation": "evaluation.evaluation",
    "memory": "memory.inference",
    "pipeline": "pipeline.pipeline",
}
"""Each benchmark and the function that does it, in a process of its own."""

ON_REQUEST = {"calls": "scale.calls", "scale": "scale.scale"}
"""Those that are measured only when they are named: no network is in them, and `scale` takes long."""

NATIVE = "AVX-512 BF16"
"""What a processor needs to be faster in bfloat16 than in float32."""


def main(arguments: list[str]) -> int:
    """Run the benchmarks named, all by default; 1 when ``--check`` finds a ratio lost."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", help=f"of {', '.join(NAMES | ON_REQUEST)}")
    parser.add_argument("--json", type=Path, default=Path("build/benchmarks.json"), help="results go here")
    parser.add_argument("--kept", action="store_true", help="take the results in --json, measure nothing")
    parser.add_argument("--docs", action="store_true", help="rewrite the table in docs/performance.md")
    parser.add_argument("--save-baseline", action="store_true", help="commit to these ratios")
    parser.add_argument("--check", action="store_true", help="compare with the committed ratios")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.one:
        module, function = (NAMES | ON_REQUEST)[options.one].split(".")
        measured = getattr(importlib.import_module(f"benchmarks.{module}"), function)()
        print(json.dumps([asdict(one) for one in measured]))
        return 0
    return _all(options)


def _all(options: argparse.Namespace) -> int:
    from benchmarks import report, scale_page
    from benchmarks.measure import Row
    from benchmarks.memory import Memory
    from benchmarks.scale import Call, Size

    document: dict[str, Any] = {"about": _about(), "machine": _machine(), "measured": {}}
    if options.kept:
        document = json.loads(options.json.read_text(encoding="utf-8"))
    else:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        for name in options.names or NAMES:
            document["measured"][name] = _in_own_process(name)
            options.json.write_text(json.dumps(document, indent=1), encoding="utf-8")
    found, about = document["measured"], document["about"]
    of_networks = [name for name in found if name in NAMES and name not in ("memory", "pipeline")]
    rows = [Row(**one) for name in of_networks for one in found[name]]
    whole = [Row(**one) for one in found.get("pipeline", [])]
    memories = [Memory(**one) for one in found.get("memory", [])]
    calls = [Call(**one) for one in found.get("calls", [])]
    sizes = [Size(**{**one, "calls": [Call(**c) for c in one["calls"]]}) for one in found.get("scale", [])]
    if rows or memories:
        print(report.table(rows, memories))
    print(report.stages(whole))
    print(*scale_page.tables(calls, sizes), sep="\n\n")
    if options.docs:
        if rows or memories or whole:
            report.rewrite(rows, memories, whole, about)
        scale_page.rewrite(calls, sizes, document["machine"])
    rows += [row for row in whole if not row.group]
    if options.save_baseline:
        report.save_baseline(rows)
    if not options.check:
        return 0
    baseline = json.loads(report.BASELINE.read_text(encoding="utf-8"))
    if NATIVE not in about:
        print("this processor has no bfloat16 of its own, so those rows are not compared", file=sys.stderr)
        rows = [row for row in rows if "bfloat16" not in row.work]
    worse = [*report.lost(rows, memories, baseline), *scale_page.missed(sizes)]
    print("\n".join(worse) or "no ratio is lost", file=sys.stderr)
    return 1 if worse else 0


def _in_own_process(name: str) -> list[dict[str, Any]]:
    print(f"{name} ...", file=sys.stderr, flush=True)
    command = [sys.executable, "-m", "benchmarks", "--one", name]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True, encoding="utf-8")
    return json.loads(done.stdout.splitlines()[-1])


def _about() -> str:
    """Threads, machine, versions and commit in a sentence."""
    import torch

    threads = torch.get_num_threads()
    clock = "seconds of the processor, one thread" if threads == 1 else f"{threads} threads"
    return f"Measured with {clock}, on {_machine()}"


def _machine() -> str:
    """Machine, versions and commit, as the end of a sentence."""
    import torch

    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    model = next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), "CPU")
    flags = next((line for line in lines if line.startswith("flags")), "")
    native = f" with {NATIVE}" if "avx512_bf16" in flags else ""
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], stdout=subprocess.PIPE, check=False, encoding="utf-8"
    ).stdout.strip()
    return (
        f"a machine with {os.cpu_count()} cores of {model}{native}, "
        f"Python {platform.python_version()}, torch {torch.__version__}, at commit {commit}."
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

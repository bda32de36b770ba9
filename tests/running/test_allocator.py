"""What the process does with memory that it frees, seen from the kernel's count of page faults."""

import os
import platform
import subprocess
import sys

import pytest

FAULTS = """
import resource, sys
import numpy as np
from clisc_engine.running.allocator import keep_freed_memory

if sys.argv[1] == "keep":
    assert keep_freed_memory()
block = np.ones(2**24)
del block
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
block = np.ones(2**24)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def faults(how: str) -> int:
    """Page faults of the second of two equal blocks of 128 MB."""
    command = [sys.executable, "-c", FAULTS, how]
    small_pages = {**os.environ, "NUMPY_MADVISE_HUGEPAGE": "0"}  # a huge page counts as one fault
    ended = subprocess.run(command, capture_output=True, encoding="utf-8", check=True, env=small_pages)
    return int(ended.stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc can be told")
def test_a_block_as_large_as_one_just_freed_costs_no_new_pages():
    assert faults("keep") < 100
    assert faults("leave") > 10_000

"""Two ranks that meet once; rank 1 ends with an error after it (``after``), or while rank 0 waits for it.

Rank 0 learns that all have come only when it has heard of the error, as on a machine that is busy.
"""

import sys

import torch.distributed as dist

from clisc_cli.session import Session
from clisc_engine.errors import EndedElsewhere
from clisc_engine.running.launch import rank_info
from clisc_engine.running.ranks import Ending

ERROR = Ending(5, "1 of 5 cases failed")


class HeardLate:
    """A collective operation of which it is known only later that it is complete."""

    def __init__(self, work, ranks):
        self.work, self.ranks, self.told = work, ranks, False

    def is_completed(self):
        if self.told:
            return self.work.is_completed()
        try:
            self.ranks.check()
        except EndedElsewhere:
            self.told = True
        return False

    def wait(self):
        return self.work.wait()


def main():
    when = sys.argv[1]
    session, own = Session(info=rank_info()), Ending()
    ranks = session.join()
    if ranks.rank == 0:
        reduce = dist.all_reduce
        dist.all_reduce = lambda *args, **options: HeardLate(reduce(*args, **options), ranks)
    try:
        if ranks.rank == 0 or when == "after":
            print("met:", ranks.gather(f"of rank {ranks.rank}"))
        if ranks.rank == 1:
            own = ERROR
    except EndedElsewhere as error:
        print("ended elsewhere:", error)
    finally:
        if ranks.rank == 0:
            dist.all_reduce = reduce
    end = session.leave(own)
    print(end.message)
    session.close(end.code)


if __name__ == "__main__":
    main()

"""A network whose numbers overflowed has said nothing: what it gives is refused before it is a mask."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from clisc_engine.errors import BadInput

if TYPE_CHECKING:
    from torch import Tensor


def check_finite(values: Tensor | npt.NDArray[Any], network: str) -> None:
    """Refuse an output of any shape that is not finite: under a threshold it would pass for no tumour.

    Args:
        values: as the network gave them; what scales or compares them may hide NaN.
        network: its name at the start of a sentence, e.g. ``SAM``.

    Raises:
        BadInput: when a value is NaN or infinite.
    """
    finite = np.isfinite(values) if isinstance(values, np.ndarray) else values.isfinite()
    if not finite.all():
        raise BadInput(
            f"{network}'s output is NaN or infinite: its weights hold such values, or the arithmetic of "
            "--precision 16 does not reach far enough (bf16 and 32 do)."
        )

"""From a file in hand, or a case, to all that led to it."""

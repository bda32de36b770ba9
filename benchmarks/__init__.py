"""How fast each stage is against the same work done plainly, and against what the hardware allows.

Ratios are the result. Both sides of a ratio run by turns in one process, with the same weights.
"""

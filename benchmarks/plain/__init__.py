"""The method as scripts do it that one writes first: a step after the other, a slice after the other.

Every step and every epoch reads its volumes from NIfTI files, SAM encodes a slice whenever it is prompted,
and upstream's packages are called as in their examples. Weights, settings, draws and numbers of steps are
ours, so that what comes out may be compared.
"""

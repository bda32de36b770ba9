"""Sweeps: a row of the tables over the values of some settings, all else shared (paper, Fig. 3)."""

"""Sim2Real: simulated tumours taken apart into layers (Zhang et al., IEEE JBHI 27(9), 2023).

Read from the authors' code, https://github.com/xiaoman-zhang/Layer-Decomposition at d9ddef5. Its second
stage, self-training on real tumours, was not released: ours (`selftraining`) is a guess.
"""

"""One training loop: what a training is, its steps, its state on disk, its curves."""

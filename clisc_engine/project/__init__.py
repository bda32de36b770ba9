"""The project on disk: store, checkpoints, lock, fingerprints."""

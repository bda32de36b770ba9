"""Reading, normalising and restoring MR volumes."""

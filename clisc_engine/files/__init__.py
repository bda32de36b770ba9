"""Files in general: atomic writes, reads that may fail, tables, case names, digests, limits."""

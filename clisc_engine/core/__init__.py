"""Pure functions of the method: arrays in, arrays out; no disk, no terminal."""

"""clisc's version, as seals, journals and records name it."""

VERSION = "0.1.0"

"""The CLISC method as a library: everything but the terminal."""

__version__ = "0.1.0"

"""The public Python surface, as docs/python.md shows it; `clisc_engine` itself offers its names."""

"""The rivals of the paper's Table 1, each a folder or a file: `clisc baseline NAME`."""

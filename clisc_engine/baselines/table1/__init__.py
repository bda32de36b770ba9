"""The paper's Table 1: every rival on the same cases, beside CLISC and the paper's own figures."""

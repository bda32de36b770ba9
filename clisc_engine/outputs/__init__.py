"""What is written outside a project: which paths may be, and the record of what was."""

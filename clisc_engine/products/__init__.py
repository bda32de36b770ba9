"""What clisc makes, from what: declared once, and all that follows from it."""

"""The command line of clisc: parse, call the engine, render."""

"""``python -m clisc_cli``."""

from clisc_cli.app import main

if __name__ == "__main__":
    main()

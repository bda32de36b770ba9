"""A network of a project as a MONAI Bundle, which runs without clisc."""

"""Training of the two bundled tiny models, on procedural FLAIR phantoms alone."""

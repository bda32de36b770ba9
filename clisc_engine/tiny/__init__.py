"""Training of the bundled tiny models, on procedural FLAIR phantoms alone."""

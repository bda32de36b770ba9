"""3D IF: an implicit field of tissue classes (Naval Marimont & Tarroni, MICCAI 2021, arXiv 2106.05214)."""

"""The report: one HTML file that tells a run's story. It reads a project and changes nothing in it."""

"""Settings under which every rival trains in seconds on the small project."""

QUICK = {"baselines.min_slices": 1, "baselines.min_area": 0.0}

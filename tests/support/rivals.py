"""Settings under which every rival of Table 1 trains in a second or two on the small project."""

QUICK = {
    "baselines.min_slices": 1,
    "baselines.min_area": 0.0,
    "baselines.held_out": 0.34,
    "baselines.amcons.epochs": 2,
    "baselines.amcons.image_size": 64,
    "baselines.amcons.width": 4,
    "baselines.gradcamcons.epochs": 2,
    "baselines.gradcamcons.image_size": 64,
    "baselines.gradcamcons.width": 4,
    "baselines.if3d.epochs": 2,
    "baselines.if3d.fit_steps": 4,
    "baselines.if3d.code_length": 8,
    "baselines.if3d.frequencies": 2,
    "baselines.if3d.width": 32,
    "baselines.if3d.refine_steps": 2,
    "baselines.sim2real.grid": [16, 16, 16],
    "baselines.sim2real.channels": [4, 8, 8],
    "baselines.sim2real.epochs": 2,
    "baselines.sim2real.samples_per_epoch": 4,
    "baselines.sim2real.select": "last",
    "baselines.sim2real.stage2_epochs": 2,
    "baselines.sim2real.stage2_min_ml": 0.0,
    "baselines.salip.points_per_side": 4,
}
LEARNED = ("amcons", "gradcamcons", "if3d", "sim2real")

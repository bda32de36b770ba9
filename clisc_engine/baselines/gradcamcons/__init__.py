"""GradCAMCons: an autoencoder whose attention has to cover normal slices, by a log-barrier."""

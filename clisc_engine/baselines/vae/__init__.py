"""The variational autoencoder of AMCons and GradCAMCons, its data, its training and its maps."""

"""What `train` and `self-train` share: volumes, training and prediction of the U-Net."""

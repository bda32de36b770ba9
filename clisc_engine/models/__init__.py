"""The networks: CLIP, SAM, the slice classifier and the 3-D U-Net."""

"""How settings ask for the medical foundation models."""

BIOMEDCLIP = "hf-hub:microsoft/BiomedCLIP-PubMedBERT_256-vit_base_patch16_224"
"""BiomedCLIP for ``label.model``, by open_clip's own name for it."""
MEDSAM = "medsam"
"""MedSAM for ``sam.model``."""

"""What `prompt-sam` and `self-train` share: SAM's masks for regions."""

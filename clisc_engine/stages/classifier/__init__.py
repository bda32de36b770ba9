"""What `cam` and `amda` share: the slices and the classifier's training."""

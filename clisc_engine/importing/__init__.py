"""`init`: from found files to stored cases, and what a second call adds."""

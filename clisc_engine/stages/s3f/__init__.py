"""SAM-Seg similarity-based filtering (S3F): scores, and the table of them."""

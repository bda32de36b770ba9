"""SaLIP (Aleem et al., CVPR workshops 2024): CLIP chooses among the parts that SAM finds in a slice."""

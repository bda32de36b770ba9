"""What `evaluate` needs: document, tables, plan, ablation, old references."""

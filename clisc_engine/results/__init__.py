"""What people take away: predictions, exports, pictures, model files."""

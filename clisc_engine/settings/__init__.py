"""The settings: schema, presets, file, keys, help."""

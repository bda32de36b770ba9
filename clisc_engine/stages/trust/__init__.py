"""How far each mask may be trusted, told without labels; and the table of it."""

"""A page in the browser: bounds of a finished run are moved, and what would follow is seen at once."""

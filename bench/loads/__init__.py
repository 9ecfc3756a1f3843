"""Load generators: many callers at once, or one that looks at the clock."""

"""What is measured: one file a kind of row, and a table of all."""

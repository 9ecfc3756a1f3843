"""What is measured: antiphon, its peers, the ceiling of its own stack, and direct calls. One file each."""

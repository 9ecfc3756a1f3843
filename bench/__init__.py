"""Side-by-side measurements: antiphon beside its peers, in alternating rounds, on the same cores."""

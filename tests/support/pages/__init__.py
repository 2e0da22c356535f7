"""Pages of the documentation that are made from the code: what there is, under its name there."""

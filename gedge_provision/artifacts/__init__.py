"""Building, verifying, packing and unpacking the artifacts that roles install."""

"""What a network costs without measuring: counts, sizes and bounds on them."""

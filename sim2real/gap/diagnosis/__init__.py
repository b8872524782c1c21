"""What differs at the station: groups of values refitted until drawings look, and episodes go, as recorded."""

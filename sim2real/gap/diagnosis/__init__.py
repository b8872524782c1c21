"""What differs at the station: groups of values are refitted until drawings look as photographs do."""

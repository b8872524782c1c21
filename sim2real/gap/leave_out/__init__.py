"""Leave one group of randomization axes out at a time: which earns its place on real error."""

"""What can be wrong with labelled frames, one kind of fault a file."""

"""Guards: labelled frames in doubt, training that fails, adaptation that does not pay, how sure a model may be."""

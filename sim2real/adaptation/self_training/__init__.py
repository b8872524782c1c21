"""Methods that adapt a trained model to unlabelled pictures, without training on the source from its start."""

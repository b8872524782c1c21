"""Methods that make simulated pictures look like photographs; labels stay as they are."""

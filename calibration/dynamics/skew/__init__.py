"""When the joints of an arm were read: one time stamp a row, and encoders that are read one after the other."""

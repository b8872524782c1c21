"""`sim2real calibrate`: measure the station; each command leaves a record and a page."""

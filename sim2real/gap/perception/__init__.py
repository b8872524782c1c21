"""Parts of the page of `sim2real gap`: labelled frames, negative transfer, neighbours."""
